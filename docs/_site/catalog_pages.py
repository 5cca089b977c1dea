"""A page for each strategy, space, task, proxy, predictor and one-shot method of the catalog."""

import importlib
from pathlib import Path
from typing import Any

import jax

import jaxnas as jn
from _site import results
from _site.text import function, papers, save, table, toctree
from jaxnas import catalog
from jaxnas.spaces.base import Space
from jaxnas.tables.shipped import shipped_ids
from jaxnas.tasks.base import SPLITS, Task

LEADS = {
    "strategies": ("Strategies", "[Strategies](../../../strategies.md) compares them."),
    "spaces": ("Search spaces", "[Search spaces](../../../spaces.md) describes them, and how to make your own."),
    "tasks": ("Tasks", "[Your data](../../../guides/your_data.md) become a task in one line."),
    "proxies": ("Zero-cost proxies", "[Zero-cost proxies](../../../proxies.md) shows how well they rank."),
    "predictors": ("Predictors", "[Predictors](../../../predictors.md) shows how well they rank."),
    "one_shot": ("One-shot methods", "[One-shot search](../../../one_shot.md) has their results."),
}


def write(folder: Path) -> None:
    """Writes the pages of everything in the catalog, and a list of each kind."""
    found = {
        "strategies": {name: _strategy(name) for name in catalog.STRATEGIES},
        "spaces": {name: _space(name, folder / "images" / "spaces") for name in catalog.SPACES},
        "tasks": {name: _task(name) for name in catalog.TASKS},
        "proxies": {name: _proxy(name) for name in catalog.PROXIES},
        "predictors": {name: _made(name, catalog.PREDICTORS) for name in catalog.PREDICTORS},
        "one_shot": {name: _made(name, catalog.ONE_SHOT) for name in catalog.ONE_SHOT},
    }
    for kind, pages in found.items():
        title, lead = LEADS[kind]
        for name, text in pages.items():
            save(folder / "reference" / kind / f"{name}.md", f"# `{name}`\n{text}")
        save(folder / "reference" / kind / "index.md", f"# {title}\n{lead}\n\n" + toctree(pages))


def _strategy(name: str) -> str:
    text = function(f"jaxnas.{name}") + results.of_strategy(name)
    return text + _sources(name, catalog.STRATEGIES)


def _made(name: str, known: dict[str, str]) -> str:
    """Returns the page of a function of a space."""
    return function(known[name].replace(":", ".")) + _sources(name, known)


def _sources(name: str, known: dict[str, str]) -> str:
    """Returns the papers of a name, and where its code is."""
    listed = papers(catalog.cites(name, known)) if hasattr(_module(known[name]), "CITES") else ""
    home = known[name].partition(":")[0].replace(".", "/") + ".py"
    code = f":::{{dropdown}} Code: `{home}`\n```{{literalinclude}} /../{home}\n:language: python\n```\n:::\n"
    return (f"## Papers\n{listed}\n" if listed else "") + "\n## Source\n" + code


def _module(target: str) -> Any:
    return importlib.import_module(target.partition(":")[0])


def _space(name: str, folder: Path) -> str:
    """Returns the page of a space: its decisions, an architecture and its drawing."""
    space: Space = catalog.find(name, catalog.SPACES)
    count = space.num_architectures
    arch = space.sample(jax.random.key(0))
    if not (folder / f"{name}.svg").exists():
        save(folder / f"{name}.svg", space.drawing(arch))
    rows = [(f"`{each.name}`", ", ".join(f"`{value}`" for value in each.values)) for each in space.decisions]
    tables = [each for each in shipped_ids() if jn.Table.read(each).manifest["space"]["name"] == space.name]
    text = f"{f'{count:,}' if count < 1e9 else f'{count:.3g}'} architectures, of {len(rows)} decisions."
    text += " No networks are trained here: for tables and functions.\n" if space.networks is None else "\n"
    text += "\nTables: " + ", ".join(f"[`{each}`](../tables/{each}.md)" for each in tables) + "\n" if tables else ""
    text += f"\n`{space.to_str(arch)}`:\n\n![A drawing of an architecture](../../images/spaces/{name}.svg)\n\n"
    return text + "## Decisions\n" + table(["decision", "values"], rows) + "\n" + _sources(name, catalog.SPACES)


def _task(name: str) -> str:
    """Returns the page of a task: its numbers and its card."""
    try:
        task: Task = jn.task(name)
    except (ImportError, ValueError) as error:
        return f"{error}\n\n" + function(catalog.TASKS[name].replace(":", "."))
    rows = [(f"{split} examples", f"{len(getattr(task, split).labels):,}") for split in SPLITS]
    rows += [("kind", task.kind), ("goal", task.goal), ("shape of an example", list(task.shape))]
    rows += [("outputs", task.num_classes), ("metric", task.metric.name), ("license", task.license)]
    return table(["", ""], rows) + f"\n{task.card.strip().removeprefix('# ')}\n"


def _proxy(name: str) -> str:
    """Returns the page of a proxy: its definition and how well it ranks."""
    proxy = jn.proxies.proxy_named(name)
    better = "Larger is better." if proxy.better > 0 else "Smaller is better."
    text = f"{proxy.text[0].upper()}{proxy.text[1:]} {better}\n\n"
    found = results.correlations().get(name) or results.correlations().get(f"zero_{name}")
    if found:
        worst = min(found, key=lambda key: found[key])
        rows = [(f"[`{key}`](../tables/{key}.md)", f"{value:.2f}") for key, value in found.items()]
        text += "## Ranking\nSpearman's correlation with test scores over all classes, of the mean score over four "
        text += f"initializations. Its worst table is `{worst}`.\n\n" + table(["table", "correlation"], rows) + "\n"
    return text + _sources(name, catalog.PROXIES)
