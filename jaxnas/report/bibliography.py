"""BibTeX of what a comparison used: jaxnas, its tables, their search spaces, and the strategies."""

import re
from importlib import resources

TITLE = "jaxnas: a research benchmark suite for neural architecture search in JAX"
AUTHOR = "The jaxnas authors"

STRATEGIES = {
    "random_search": ("li2019random",),
    "exhaustive_search": (),
    "local_search": ("white2021exploring",),
    "regularized_evolution": ("real2019regularized",),
    "genetic_algorithm": ("holland1975adaptation", "syswerda1989uniform"),
    "simulated_annealing": ("kirkpatrick1983optimization",),
    "cross_entropy": ("rubinstein1999cross", "deboer2005tutorial"),
    "reinforce": ("williams1992simple", "zoph2017neural"),
    "reward_weighted_sampling": ("holland1975adaptation", "grefenstette1986optimization"),
    "tree_parzen_estimator": ("bergstra2011algorithms", "akiba2019optuna"),
    "gaussian_process": ("jones1998efficient", "wan2021think"),
    "bananas": ("white2021bananas",),
    "predictor_guided": ("wen2020neural",),
    "multi_objective_evolution": ("real2019regularized", "deb2002fast"),
    "nsga2": ("deb2002fast", "lu2019nsganet"),
    "successive_halving": ("jamieson2016nonstochastic",),
    "hyperband": ("li2018hyperband",),
    "asynchronous_halving": ("li2020system",),
    "bohb": ("falkner2018bohb",),
}
"""The entries of `references.bib` that each strategy of the catalog is cited by; `exhaustive_search` has no paper."""

SPACES = {"nb201": ("dong2020nasbench201",), "mlp": (), "mlp-small": ()}
"""The same for each search space; those of perceptrons are jaxnas's own."""


def references() -> dict[str, str]:
    """Returns the entries of `references.bib` by their keys."""
    text = resources.files("jaxnas.report").joinpath("references.bib").read_text(encoding="utf-8")
    return {entry[2]: entry[1] for entry in re.finditer(r"^(@\w+\{(\w+),\n.*?^\})", text, re.DOTALL | re.MULTILINE)}


def bibtex(results: list[dict]) -> str:
    """Returns the BibTeX entries to cite for comparisons, of their `summary.json` dictionaries.

    Strategies and spaces that are not of jaxnas's catalog have none.
    """
    keys = []
    for result in results:
        keys += SPACES.get(result.get("space"), ())
        for name in result["strategies"]:
            keys += STRATEGIES.get(name, ())
    known = references()
    version = results[0].get("versions", {}).get("jaxnas")
    entries = [_misc("jaxnas", TITLE, f"Version {version}" if version else None)]
    entries += [_table_entry(result) for result in results]
    return "\n\n".join(entries + [known[key] for key in dict.fromkeys(keys)])


def _table_entry(result: dict) -> str:
    content_hash = result.get("content_hash")
    note = f"Table of jaxnas, content hash {content_hash}" if content_hash else "Table of jaxnas"
    return _misc(result["benchmark"], f"{{{result['benchmark']}}}", note)


def _misc(key: str, title: str, note: str | None) -> str:
    fields = {"title": title, "author": f"{{{AUTHOR}}}", "note": note}
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{key},\n" + ",\n".join(lines) + "\n}"
