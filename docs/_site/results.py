"""The pages of results, from stored result files and packs, and the gallery of figures."""

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

import jaxnas as jn
from _site.text import save, table
from jaxnas import catalog
from jaxnas.report.figures.gallery import figures_of
from jaxnas.report.figures.style import save as save_figure
from jaxnas.report.units import gap, metric_of, points
from jaxnas.tables.shipped import shipped_folder, shipped_ids

STORED = Path(__file__).parents[1] / "results" / "all_tables.json"
COMMAND = "`python experiments/studies/all_tables.py`"
FIGURES = Path("images/figures")


@functools.cache
def stored() -> dict[str, Any]:
    """Returns the stored results of every strategy on every table."""
    return json.loads(STORED.read_text()) if STORED.exists() else {}


def write(folder: Path) -> None:
    """Writes the pages of results, and the figures of a small comparison."""
    save(folder / "results" / "strategies.md", _strategies())
    save(folder / "results" / "proxies.md", _proxies())
    save(folder / "results" / "surrogates.md", _surrogates())
    save(folder / "results" / "validation.md", _validation())
    if not (folder / FIGURES).exists():
        _write_figures(folder / FIGURES)


def of_table(name: str) -> str:
    """Returns the section of a table's page on strategies, empty where none was stored."""
    if name not in stored():
        return ""
    metric = metric_of(stored()[name])
    rows = sorted(stored()[name]["strategies"].items(), key=lambda item: item[1]["mean_rank"])
    cells = [(f"[`{each}`](../strategies/{each}.md)", *_regrets(numbers, metric), f"{numbers['mean_rank']:.2f}")
             for each, numbers in rows]  # fmt: skip
    note = f"Mean test regret in {points(metric)} with 95 % intervals, over runs of 100 trials. From {COMMAND}.\n\n"
    return "## Strategies\n" + note + table(["strategy", "10 trials", "30", "100", "mean rank"], cells) + "\n"


def of_strategy(name: str) -> str:
    """Returns the section of a strategy's page on tables: regret, rank, and the table with its worst rank."""
    found = {key: each["strategies"][name] for key, each in stored().items() if name in each["strategies"]}
    if not found:
        return ""
    worst = max(found, key=lambda key: found[key]["mean_rank"])
    rows = [
        (f"[`{key}`](../tables/{key}.md)", *_regrets(numbers, metric_of(stored()[key])), f"{numbers['mean_rank']:.2f}")
        for key, numbers in found.items()
    ]
    text = f"## Regret\nMean test regret with 95 % intervals, in points or in the unit of the metric. From {COMMAND}. "
    text += f"Its worst table by rank is `{worst}`, with a mean rank of {found[worst]['mean_rank']:.2f}.\n\n"
    return text + table(["table", "10 trials", "30", "100", "mean rank"], rows)


def _regrets(numbers: dict[str, Any], metric: Any) -> list[str]:
    ends = [[gap(each[end], metric) for end in ("mean", "low", "high")] for each in numbers["regret"].values()]
    return [f"{mean:.2f} ({low:.2f} to {high:.2f})" for mean, low, high in ends]


def _strategies() -> str:
    """Returns the page of mean ranks of strategies on all tables."""
    names = [name for name in catalog.STRATEGIES if all(name in each["strategies"] for each in stored().values())]
    ranks = {name: [each["strategies"][name]["mean_rank"] for each in stored().values()] for name in names}
    order = sorted(names, key=lambda name: np.mean(ranks[name])) if stored() else []
    rows = [(f"[`{name}`](../reference/strategies/{name}.md)", f"{np.mean(ranks[name]):.2f}",
             *(f"{rank:.1f}" for rank in ranks[name])) for name in order]  # fmt: skip
    heads = [f"[{number}](../reference/tables/{key}.md)" for number, key in enumerate(stored(), 1)]
    text = "# Strategies on all tables\nMean rank among the strategies that were measured, of runs of 100 trials; 1 is "
    text += "the best. "
    text += f"Strategies with lower fidelities are compared at equal cost. From {COMMAND}.\n\n"
    legend = "".join(f"{number}. `{key}`\n" for number, key in enumerate(stored(), 1))
    return text + table(["strategy", "mean", *heads], rows) + f"\nTables:\n\n{legend}"


def _validation() -> str:
    """Returns the page of how well validation scores select, on every table."""
    rows = []
    for key, each in stored().items():
        chosen, metric = each["selection"], metric_of(each)
        if chosen is not None:
            top = "" if chosen["top_spearman"] is None else f"{chosen['top_spearman']:.2f}"
            rows.append((f"[`{key}`](../reference/tables/{key}.md)", f"{gap(chosen['floor'], metric):.2f}", top))
    head = ["table", "test regret of the best by validation", "rank correlation within the top 5 %"]
    text = f"# Validation and test\nHow well validation scores select on each table. From {COMMAND}.\n"
    return text + "[Statistics](../../statistics.md) explains both numbers.\n\n" + table(head, rows)


@functools.cache
def correlations() -> dict[str, dict[str, float]]:
    """Returns Spearman's correlation of the columns of packs with test scores, by column and table."""
    found: dict[str, dict[str, float]] = {}
    for pack in shipped_ids("packs"):
        name = pack.replace("-proxies-v2", "-v1")
        bench = jn.load(name, columns=[pack])
        archs = bench.space.arch_at(bench.table.representatives)
        test = bench.held_out.scores(archs)
        for column in jn.Table.read(pack).columns:
            values = np.nan_to_num(bench.sizes(column, archs), nan=-np.inf)
            better = 1 if column.removeprefix("zero_") not in catalog.PROXIES else _better(column)
            if len(np.unique(values)) > 1:
                found.setdefault(column, {})[name] = better * float(spearmanr(values, test).statistic)
    return found


def _better(column: str) -> int:
    return jn.proxies.proxy_named(column.removeprefix("zero_")).better


def _proxies() -> str:
    """Returns the page of correlations of proxies."""
    names = [pack.replace("-proxies-v2", "-v1") for pack in shipped_ids("packs")]
    order = sorted(correlations().items(), key=lambda item: -np.mean(list(item[1].values())))
    rows = [(f"`{column}`", *(f"{each[name]:.2f}" if name in each else "all equal" for name in names))
            for column, each in order]  # fmt: skip
    text = "# Proxies on four tables\nSpearman's correlation of the mean score over four initializations with test "
    text += "scores, in the direction of each paper. Computed from the shipped packs.\n"
    text += "[Zero-cost proxies](../../proxies.md) has intervals and the better half.\n\n"
    return text + table(["proxy", *(f"`{name}`" for name in names)], rows)


def _surrogates() -> str:
    """Returns the page of how far surrogates can be trusted."""
    parts = ["# Surrogates\nFrom the `report.json` of each shipped surrogate.\n"]
    for name in shipped_ids("surrogates"):
        report = json.loads((shipped_folder("surrogates") / name / "report.json").read_text())
        rows = [(region.replace("_", " "), *_bias(each)) for region, each in report.get("regions", {}).items()]
        head = ["cells", "number", "predicted minus trained, points", "runs within the 95 % interval"]
        parts.append(f"## `{name}`\n{table(head, rows)}")
    return "\n".join(parts)


def _bias(region: dict[str, Any]) -> tuple[object, ...]:
    """Returns the cells of a region of a surrogate: its number of architectures, the bias and the coverage."""
    bias, error = 100 * region["bias"], 100 * region["standard_error"]
    return region["classes"], f"{bias:+.2f} ± {error:.2f}", f"{100 * region['coverage_of_95']:.1f} %"


def _write_figures(folder: Path) -> None:
    """Writes the figures of a small comparison."""
    result = _small_comparison().result()
    folder.mkdir(parents=True, exist_ok=True)
    for name, shown in figures_of(result).items():
        save_figure(shown.draw(result), folder / f"{name}.svg")


@functools.cache
def _small_comparison() -> Any:
    names = ("random_search", "regularized_evolution", "local_search")
    return jn.compare(names, "nb201-shifted-digits-v1", num_trials=100, num_runs=100)


def gallery() -> str:
    """Returns the figures of a small comparison, with their captions."""
    result = _small_comparison().result()
    card = ":::{{grid-item-card}} {0}\n:img-top: {1}/{2}.svg\n:img-alt: {0}\n\n{3}\n:::"
    cards = [card.format(each.title, FIGURES, name, each.caption) for name, each in figures_of(result).items()]
    text = "Figures that `comparison.write(folder)` makes, here of 100 runs of three strategies on "
    text += "`nb201-shifted-digits-v1`, whose mean test regrets after 100 trials are "
    numbers = {name: gap(each["regret_mean"][-1], metric_of(result)) for name, each in result["strategies"].items()}
    text += ", ".join(f"{value:.2f} (`{name}`)" for name, value in numbers.items()) + " points.\n\n"
    return text + "::::{grid} 1 2 2 3\n:gutter: 3\n\n" + "\n".join(cards) + "\n::::\n"
