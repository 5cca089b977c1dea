"""Makes a complete set of figures and tables for a paper from the tables that ship.

Claim: every figure and table of a comparison, and of the landscapes of the tables, comes from one command.
Command: python experiments/paper_figures.py (`--runs 50` for a quick look, `--out FOLDER`)
Run time: about RUNTIME on two cores.
Output: in results/paper_figures a folder for each table with the comparison of strategies with one objective and the
landscape, and `two-objectives` in it; figures as PDF and SVG, tables as LaTeX (booktabs) and CSV; the rank correlations
between tables of one space; `index.md`, which says what each file shows and how its numbers were made.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

from jaxnas import comparison, simulation
from jaxnas.analysis.landscape import table_correlation
from jaxnas.benchmark import strategy_for
from jaxnas.report import gallery, tables
from jaxnas.report.write import SUMMARY_FILE, shown_points
from jaxnas.table import Table, shipped_ids


@dataclass(frozen=True)
class Config:
    """What is compared, on which tables; the second objective of the comparisons by two."""

    benchmarks: tuple[str, ...] = tuple(shipped_ids())
    second_objective: str = "flops"
    runs: int = 1000
    trials: int = 300
    seed: int = 0
    out: Path = Path("results/paper_figures")


CONFIG = Config()


def compare(config: Config, source: str, objective: comparison.Objective) -> dict:
    """Returns the dictionary of `summary.json` of the default strategies for an objective."""
    bench = comparison.bench_of(source, objective)
    factories = comparison.factories_of(None, objective)
    size = objective.size or "parameters"
    strategies = {name: strategy_for(factory, bench, size) for name, factory in factories.items()}
    trials = {
        name: simulation.run(strategy, bench, num_trials=config.trials, num_runs=config.runs, seed=config.seed)
        for name, strategy in strategies.items()
    }
    result = comparison.result_of(config, objective, bench, strategies, trials)
    return result | {"command": "python experiments/paper_figures.py"}


def write(folder: Path, result: dict) -> list[str]:
    """Writes the figures and tables of a result, and returns a line of the index for each."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY_FILE).write_text(json.dumps(result, indent=1) + "\n")
    shown = gallery.figures_of(result)
    gallery.write_figures(folder, result, shown)
    tables.write_tables(folder, result, shown_points(result))
    lines = [f"| {name}.pdf, .svg | {each.title}. {each.caption} |" for name, each in shown.items()]
    lines += ["| table.tex, .csv | Regret with its 95 % interval, test and validation score, and mean rank. |"]
    if "fronts" in result:
        lines += ["| fronts.tex, .csv | Hypervolume with its 95 % interval, and IGD+. |"]
    return [*lines, f"| {SUMMARY_FILE} | All numbers that the figures and tables show. |"]


def write_correlations(config: Config) -> list[str]:
    """Writes the rank correlations between tables of one space, and returns the lines of the index."""
    read = [Table.read(source) for source in config.benchmarks]
    rows = [
        {"first": first.id, "second": second.id}
        | {split: table_correlation(first, second, split) for split in ("validation", "test")}
        for number, first in enumerate(read)
        for second in read[number + 1 :]
        if first.manifest["space"] == second.manifest["space"]
    ]
    if not rows:
        return []
    (config.out / "table_correlations.csv").write_text(tables.csv_text(rows))
    caption = (
        "Spearman's correlation between tables of one space, over architectures, of mean scores at the last epoch."
    )
    return ["| file | what it shows |", "|---|---|", f"| table_correlations.csv | {caption} |", ""]


def main(config: Config = CONFIG) -> None:
    """Writes all figures and tables, and the index."""
    started = time.perf_counter()
    config.out.mkdir(parents=True, exist_ok=True)
    index = ["# Figures and tables", ""]
    for source in config.benchmarks:
        for text, part in (("accuracy", ""), (f"accuracy,{config.second_objective}", "two-objectives")):
            result = compare(config, source, comparison.objective_of(text))
            folder = Path(result["benchmark"], part)
            index += [f"## {folder}", f"{result['num_runs']} runs of {result['num_trials']} trials, by {text},"]
            index += [f"seed {result['seed']}; content hash {result['content_hash']}.", ""]
            index += ["| file | what it shows |", "|---|---|", *write(config.out / folder, result), ""]
            print(f"{folder}: {time.perf_counter() - started:.0f} s")
    index += write_correlations(config)
    (config.out / "index.md").write_text("\n".join(index))
    print(f"{config.out / 'index.md'}: {time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=CONFIG.runs)
    parser.add_argument("--out", type=Path, default=CONFIG.out)
    options = parser.parse_args()
    main(replace(CONFIG, runs=options.runs, out=options.out))
