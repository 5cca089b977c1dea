"""Makes a complete set of figures and tables for a paper from the tables that ship.

Claim: every figure and table of a comparison, and of the landscapes of the tables, comes from one command.
Command: python experiments/paper/figures.py (`--runs 50` for a quick look, `--strategies all` for all with one
objective, `--out FOLDER`)
Run time: 5 minutes on two cores with `--strategies all`, less without.
Output: in results/paper_figures a folder for each table with the comparison of strategies with one objective and the
landscape, and `two-objectives` in it; figures as PDF and SVG, tables as LaTeX (booktabs) and CSV. Besides them ranks
over all tables, their landscapes side by side, the rank correlations between tables of one space, and `index.md`,
which says what each file shows and what its numbers were made of.
Page: docs/strategies.md
"""

import argparse
import itertools
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import jaxnas as jn
from jaxnas.analysis.several import overall
from jaxnas.ranks import spearman
from jaxnas.report import tables
from jaxnas.report.comparison_files import SUMMARY_FILE
from jaxnas.report.figures import gallery
from jaxnas.report.latex import latex_escaped
from jaxnas.report.sentences import shown_points
from jaxnas.tables.shipped import shipped_ids
from jaxnas.tables.table import Table


@dataclass(frozen=True)
class Config:
    """What is compared, on which tables; the second objective of the comparisons by two.

    `strategies` are those with one objective, as of `jaxnas compare`; None for its default ones.
    """

    benchmarks: tuple[str, ...] = tuple(shipped_ids())
    strategies: str | None = None
    second_objective: str = "flops"
    num_runs: int = 1000
    num_trials: int = 300
    seed: int = 0
    out: Path = Path("results/paper_figures")


CONFIG = Config()
HEADING = ("| file | what it shows |", "|---|---|")


def compare(config: Config, source: str, objective: str) -> dict:
    """Returns the dictionary of `summary.json` of a comparison."""
    comparison = jn.compare(
        config.strategies if objective == "accuracy" else None,
        source,
        num_trials=config.num_trials,
        num_runs=config.num_runs,
        seed=config.seed,
        objective=objective,
        command="python experiments/paper/figures.py",
    )
    return comparison.result()


def write(folder: Path, result: dict) -> list[str]:
    """Returns a line of the index for each figure and table of a result, after writing them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY_FILE).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    shown = gallery.figures_of(result)
    gallery.write_figures(folder, result, shown, pdf=True)
    tables.write_tables(folder, result, shown_points(result))
    lines = ["| table.tex, .csv | Regret with its 95 % interval, test and validation score, and mean rank. |"]
    if "fronts" in result:
        lines += ["| fronts.tex, .csv | Hypervolume with its 95 % interval, and IGD+. |"]
    return [*_index_of(shown), *lines, f"| {SUMMARY_FILE} | All numbers that the figures and tables show. |"]


def write_overview(out: Path, results: list[dict]) -> list[str]:
    """Writes what is over all tables: ranks of strategies, landscapes side by side, rank correlations of tables.

    Returns lines of the index.
    """
    lines = ["| landscapes.tex, .csv | The landscapes of all tables side by side. |"]
    (out / "landscapes.tex").write_text(landscape_latex(results), encoding="utf-8")
    (out / "landscapes.csv").write_text(tables.csv_text(landscape_rows(results)))
    if len(results) > 1:
        over_all = {"overall": overall(results)}
        shown = gallery.overall_figures_of(over_all)
        gallery.write_figures(out, over_all, shown, pdf=True)
        lines += _index_of(shown)
    rows = correlations([Table.read(result["benchmark"]) for result in results])
    if rows:
        (out / "table_correlations.csv").write_text(tables.csv_text(rows))
        lines += ["| table_correlations.csv | Spearman's correlation of mean scores between tables of one space. |"]
    return ["## all tables", "", *HEADING, *lines, ""]


def landscape_rows(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns a row for the landscape of each result, of numbers as they stand under its key `landscape`.

    Keys: `benchmark`, `architectures`, `classes`, `local_optima`, `global_basin`, `distance_correlation`,
    `correlation_length`, `equal_neighbors`, `neighbors_within_noise`, `intraclass_correlation`.
    """
    rows = []
    for result in results:
        found = result["landscape"]
        row = {"benchmark": result["benchmark"], "architectures": found["num_architectures"]}
        row |= {"classes": found["num_classes"], "local_optima": found["optima"]["num_local"]}
        row |= {"global_basin": found["optima"]["num_global_found_by"]}
        row |= {"distance_correlation": found["fitness_distance"]["correlation"]}
        row |= {"correlation_length": found["autocorrelation"]["correlation_length"]}
        row |= {"equal_neighbors": found["neutrality"]["share_equal_class"]}
        row |= {"neighbors_within_noise": found["neutrality"]["share_within_noise"]}
        rows.append(row | {"intraclass_correlation": (found["noise"] or {}).get("intraclass_correlation")})
    return rows


def landscape_latex(results: list[dict[str, Any]]) -> str:
    """Returns the table of the landscapes of results as LaTeX, those of `landscape_rows`; no value is a dash."""
    lines = [
        [latex_escaped(_text(value)) if key == "benchmark" else _text(value) for key, value in row.items()]
        for row in landscape_rows(results)
    ]
    headings = ["benchmark", "architectures", "classes", "local optima", "global basin", "distance corr."]
    headings += ["corr. length", "equal neighbors", "within noise", "intraclass corr."]
    return tables.booktabs([f"landscapes of {len(results)} tables, by mean validation score"], headings, lines)


def _text(value: float | str | None) -> str:
    """Returns a value as a cell shows it."""
    if value is None:
        return "--"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _index_of(shown: dict) -> list[str]:
    return [f"| {name}.pdf, .svg | {each.title}. {each.caption} |" for name, each in shown.items()]


def correlations(read: list[Table]) -> list[dict]:
    """Returns the rank correlations, on validation and test, of each pair of tables that are of one space."""
    return [
        {"first": first.id, "second": second.id}
        | {split: spearman(*(_scores(table, split) for table in (first, second))) for split in ("validation", "test")}
        for first, second in itertools.combinations(read, 2)
        if first.manifest["space"] == second.manifest["space"]
    ]


def _scores(table: Table, split: str) -> np.ndarray:
    """Returns the mean score of each architecture over seeds at the last fidelity, float[A]."""
    return table.means(split)[table.class_of, -1]


def main(config: Config = CONFIG) -> None:
    """Writes all figures and tables, and the index."""
    started = time.perf_counter()
    config.out.mkdir(parents=True, exist_ok=True)
    index, landscapes = ["# Figures and tables", ""], []
    for source in config.benchmarks:
        for text, part in (("accuracy", ""), (f"accuracy,{config.second_objective}", "two-objectives")):
            result = compare(config, source, text)
            landscapes += [result] if "landscape" in result else []
            folder = Path(result["benchmark"], part)
            index += [f"## {folder}", f"{result['num_runs']} runs of {result['num_trials']} trials, by {text},"]
            index += [f"seed {result['seed']}; content hash {result['content_hash']}.", ""]
            index += [*HEADING, *write(config.out / folder, result), ""]
            print(f"{folder}: {time.perf_counter() - started:.0f} s")
    index += write_overview(config.out, landscapes)
    (config.out / "index.md").write_text("\n".join(index))
    print(f"{config.out / 'index.md'}: {time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=CONFIG.num_runs)
    parser.add_argument("--strategies", help="of the comparisons with one objective, as of jaxnas compare")
    parser.add_argument("--out", type=Path, default=CONFIG.out)
    options = parser.parse_args()
    main(replace(CONFIG, num_runs=options.runs, strategies=options.strategies, out=options.out))
