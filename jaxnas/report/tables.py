"""Tables of a comparison: a data frame, LaTeX (package booktabs) and CSV.

All show numbers as `units` does, proportions in percent; the headings of CSV name the unit.
"""

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnas.analysis.results import Settings, summarize
from jaxnas.analysis.statistics import LEVEL
from jaxnas.benchmarks.base import Benchmark
from jaxnas.checks import printable
from jaxnas.report import units
from jaxnas.report.latex import latex_escaped, one_line
from jaxnas.report.sentences import (
    compared_mean,
    difference_text,
    difference_unit,
    measures_text,
    note_texts,
    ranked,
    ranked_by_front,
    verdicts,
)
from jaxnas.simulation.trials import Trials
from jaxnas.tasks.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""


def summary(trials: dict[str, Trials], bench: Benchmark, settings: Settings | None = None) -> "pd.DataFrame":
    """Returns a pandas frame with a row for each strategy, best first; proportions are in percent.

    Columns: `regret` after the last trial on test (searches saw validation only), `low` and `high`, its 95 %
    bootstrap interval over runs; `test` and `validation`, the mean scores of the architectures found; `rank`, the mean
    rank.
    """
    import pandas as pd

    metric = bench.metric
    rows = {}
    for name, numbers in ranked(summarize(trials, bench, settings)):
        ends = {"regret": "regret_mean", "low": "regret_ci_low", "high": "regret_ci_high"}
        row = {column: units.gap(numbers[key][-1], metric) for column, key in ends.items()}
        row |= {split: units.shown(numbers[f"final_{split}_mean"], metric) for split in ("test", "validation")}
        rows[name] = {column: units.rounded(value, metric) for column, value in row.items()}
        rows[name]["rank"] = round(numbers["mean_rank"], 2)
    return pd.DataFrame.from_dict(rows, orient="index")


def headline(result: dict[str, Any], points: list[int]) -> list[dict[str, Any]]:
    """Returns a row for each strategy, best mean rank first: the headline table, as in `summary.json`.

    Keys: `strategy`, `runs`; `regret_after_<point>` for each of the numbers of trials `points`, with its 95 % interval
    `..._low` and `..._high`; `test` and its standard deviation over runs `test_std`, `validation`,
    if known `validation_regret`, `mean_rank`.
    """
    rows = []
    for name, numbers in ranked(result):
        row = {"strategy": name, "runs": numbers.get("num_runs", result["num_runs"])}
        for point in points:
            for suffix, key in (("", "mean"), ("_low", "ci_low"), ("_high", "ci_high")):
                row[f"regret_after_{point}{suffix}"] = numbers[f"regret_{key}"][point - 1]
        row["test"], row["test_std"] = numbers["final_test_mean"], numbers["final_test_std"]
        known = {"validation_regret": numbers.get("validation_regret_mean"), "mean_rank": numbers["mean_rank"]}
        row |= {"validation": numbers["final_validation_mean"]} | known
        rows.append({key: value for key, value in row.items() if value is not None})
    return rows


def headline_csv(result: dict[str, Any], points: list[int]) -> str:
    """Returns the headline table as CSV, in the units that its headings name."""
    metric = units.metric_of(result)
    return csv_text(
        [
            {key: value for each in row.items() for key, value in [_in_units(*each, metric)]}
            for row in headline(result, points)
        ]
    )


def headline_latex(result: dict[str, Any], points: list[int]) -> str:
    """Returns the headline table as LaTeX: regrets with their 95 % intervals, test, validation, mean rank.

    Names are escaped. The lowest mean regret of each column is bold. If the result has tests of pairs, an asterisk
    is at the last regret of each strategy that they separate at 5 % (Holm) from the one of the best mean rank.
    """
    rows, metric = headline(result, points), units.metric_of(result)
    lowest = {point: min(row[f"regret_after_{point}"] for row in rows) for point in points}
    separated = {name for name, verdict in verdicts(result).items() if verdict["separated"]}
    lines = []
    for row in rows:
        cells = [latex_escaped(row["strategy"])]
        for point in points:
            key = f"regret_after_{point}"
            mark = "$^{*}$" if point == points[-1] and row["strategy"] in separated else ""
            cells.append(_regret(row, key, row[key] == lowest[point], metric) + mark)
        spread = units.gap_text(row["test_std"], metric, 2)
        cells.append(rf"{units.score_text(row['test'], metric)} $\pm$ {spread}")
        cells += [units.score_text(row["validation"], metric), f"{row['mean_rank']:.2f}"]
        lines.append(cells)
    splits = [latex_escaped(units.labeled(split, units.unit(metric))) for split in ("test", "validation")]
    headings = ["strategy", *(f"regret after {point}" for point in points), *splits, "rank"]
    in_units = f" in {units.gap_unit(metric)}" if units.gap_unit(metric) else ""
    notes = [
        _source(result),
        f"test regret{in_units}, with 95 % bootstrap intervals over runs; bold: lowest of a column",
    ]
    if separated:
        notes.append("*: separated at 5 % (Holm) from the strategy of the best mean rank, the first row")
    notes += note_texts(result)
    return booktabs(notes, headings, lines)


def front_rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns a row for each strategy of a comparison by two objectives, most hypervolume first.

    Keys: `strategy`; `hypervolume` relative to the true front's after the last trial, with its 95 % interval
    `hypervolume_low` and `hypervolume_high`; `igd_plus`.
    """
    rows = []
    for name, numbers in ranked_by_front(result):
        low, mean, high = (numbers[f"hypervolume_{key}"][-1] for key in ("ci_low", "mean", "ci_high"))
        volume = {"hypervolume": mean, "hypervolume_low": low, "hypervolume_high": high}
        rows.append({"strategy": name, **volume, "igd_plus": numbers["distance_mean"][-1]})
    return rows


def front_latex(result: dict[str, Any]) -> str:
    """Returns the table of fronts as LaTeX: hypervolume with its 95 % interval, and IGD+."""
    lines = [
        [latex_escaped(row["strategy"]), _volume(row, number == 0), f"{row['igd_plus']:.4f}"]
        for number, row in enumerate(front_rows(result))
    ]
    objectives = f"test {units.metric_of(result).name} and {result['fronts']['size']}"
    note = f"{objectives}; hypervolume in percent of the true front's"
    return booktabs([_source(result), note], ["strategy", r"hypervolume (\%)", "IGD+"], lines)


def front_csv(result: dict[str, Any]) -> str:
    """Returns the table of fronts as CSV: hypervolume in percent of the true front's with its 95 % interval, IGD+."""
    rows = []
    for row in front_rows(result):
        volumes = {
            f"hypervolume{end} (%)": _rounded(units.percent(row[f"hypervolume{end}"])) for end in ("", "_low", "_high")
        }
        rows.append({"strategy": row["strategy"], **volumes, "igd_plus": row["igd_plus"]})
    return csv_text(rows)


def rank_rows(overall: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns a row for each strategy of a comparison on several tables, best first: its average rank, its ranks."""
    order = sorted(range(len(overall["strategies"])), key=lambda number: overall["average_rank"][number])
    return [
        {"strategy": overall["strategies"][number], "average rank": overall["average_rank"][number]}
        | {name: ranks[number] for name, ranks in zip(overall["benchmarks"], overall["mean_ranks"], strict=True)}
        for number in order
    ]


def rank_latex(overall: dict[str, Any]) -> str:
    """Returns the table of ranks over several tables as LaTeX."""
    rows = rank_rows(overall)
    lines = [[latex_escaped(row["strategy"]), *(f"{row[key]:.2f}" for key in list(row)[1:])] for row in rows]
    notes = ["ranks of the mean final regret on each table, 1 is best"]
    if overall["critical_difference"] is not None:
        level = f"{units.percent(overall.get('level', LEVEL)):g} %"
        difference = f"{overall['critical_difference']:.2f}"
        notes.append(f"average ranks that differ by less than {difference} are not separated at {level} (Nemenyi)")
    return booktabs(notes, [latex_escaped(key) for key in rows[0]], lines)


def table_cells(results: list[dict[str, Any]]) -> list[tuple[str, list[tuple[str, str, bool]], float]]:
    """Returns a row for each strategy of a comparison on several tables: its name, cells and average rank, best first.

    A cell is the compared mean on a table, its standard error over runs, and whether no mean
    on that table is lower.
    """
    overall, rows = results[0]["overall"], []
    lowest = [min(map(compared_mean, result["strategies"].values())) for result in results]
    for rank, name in sorted(zip(overall["average_rank"], overall["strategies"], strict=True)):
        cells = []
        for result, least in zip(results, lowest, strict=True):
            numbers = result["strategies"][name]
            mean, error = compared_mean(numbers), numbers.get("compared_se")
            texts = ["" if value is None else difference_text(result, value) for value in (mean, error)]
            cells.append((texts[0], texts[1], mean == least))
        rows.append((name, cells, rank))
    return rows


def table_headings(results: list[dict[str, Any]]) -> list[str]:
    """Returns the name of each table with the unit of its numbers."""
    return [units.labeled(result["benchmark"], difference_unit(result)) for result in results]


def by_table_latex(results: list[dict[str, Any]]) -> str:
    """Returns strategies by tables as LaTeX: mean and standard error of the compared measure, the lowest bold."""
    lines = []
    for name, cells, rank in table_cells(results):
        means = [rf"\textbf{{{mean}}}" if is_best else mean for mean, _, is_best in cells]
        errors = [rf" {{\scriptsize $\pm$ {error}}}" if error else "" for _, error, _ in cells]
        lines.append([latex_escaped(name), *map("".join, zip(means, errors, strict=True)), f"{rank:.2f}"])
    notes = [_source(result) for result in results]
    notes.append(f"mean {measures_text(results)}, with its standard error over runs; bold: lowest of a column")
    return booktabs(notes, ["strategy", *map(latex_escaped, table_headings(results)), "average rank"], lines)


def by_table_csv(results: list[dict[str, Any]]) -> str:
    """Returns the same table as CSV, with a column for each mean and each standard error."""
    headings = table_headings(results)
    rows = []
    for name, cells, rank in table_cells(results):
        row: dict[str, Any] = {"strategy": name}
        for heading, (mean, error, _) in zip(headings, cells, strict=True):
            row |= {heading: float(mean), f"standard error, {heading}": error and float(error)}
        rows.append(row | {"average rank": rank})
    return csv_text(rows)


def csv_text(rows: list[dict[str, Any]]) -> str:
    """Returns rows of equal keys as CSV with a heading. A spreadsheet takes no text in it for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([csv_cell(key) for key in rows[0]])
    writer.writerows([[csv_cell(value) for value in row.values()] for row in rows])
    return text.getvalue()


def csv_cell(value: Any) -> Any:
    """Returns a value as CSV holds it: a string that would be a formula has an apostrophe before it."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text[:1] in ("\t", "\r") else text


def write_tables(folder: str | os.PathLike, result: dict[str, Any], points: list[int]) -> None:
    """Writes table.tex and table.csv into a folder, and with two objectives fronts.tex and fronts.csv.

    `points` are the numbers of trials that regret is shown after.
    """
    texts = {"table.tex": headline_latex(result, points), "table.csv": headline_csv(result, points)}
    if "fronts" in result:
        texts |= {"fronts.tex": front_latex(result), "fronts.csv": front_csv(result)}
    _write(folder, texts)


def write_overall_tables(folder: str | os.PathLike, results: list[dict[str, Any]]) -> None:
    """Writes the tables over several results into a folder as LaTeX and CSV: by_table.* and ranks.*."""
    ranks = results[0]["overall"]
    texts = {"by_table.tex": by_table_latex(results), "by_table.csv": by_table_csv(results)}
    _write(folder, texts | {"ranks.tex": rank_latex(ranks), "ranks.csv": csv_text(rank_rows(ranks))})


def _write(folder: str | os.PathLike, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (Path(folder) / name).write_text(text, encoding="utf-8")


def _in_units(key: str, value: Any, metric: Metric) -> tuple[str, Any]:
    """Returns the heading and the value of a cell of CSV in the unit that pages show it in."""
    if key in ("test", "validation"):
        return units.labeled(key, units.unit(metric)), _rounded(units.shown(value, metric))
    if key.startswith("regret") or key in ("test_std", "validation_regret"):
        return units.labeled(key, units.gap_unit(metric)), _rounded(units.gap(value, metric))
    return key, value


def _rounded(value: float) -> float:
    """Returns a number without the last digits, which are not of the scores but of the multiplication by 100."""
    return float(f"{value:.9g}")


def _regret(row: dict[str, Any], key: str, is_bold: bool, metric: Metric) -> str:
    return _interval([units.gap_text(row[key + end], metric) for end in ("", "_low", "_high")], is_bold)


def _volume(row: dict[str, Any], is_bold: bool) -> str:
    return _interval([units.percent_text(row["hypervolume" + end]) for end in ("", "_low", "_high")], is_bold)


def _interval(texts: list[str], is_bold: bool) -> str:
    mean, low, high = texts
    mean = rf"\textbf{{{mean}}}" if is_bold else mean
    return rf"{mean} {{\scriptsize [{low}, {high}]}}"


def _source(result: dict[str, Any]) -> str:
    runs = f"{result['num_runs']} runs of {result['num_trials']} trials, seed {result['seed']}"
    return f"{result['benchmark']}, {runs}; content hash {result.get('content_hash', 'unknown')}"


def booktabs(notes: list[str], headings: list[str], lines: list[list[str]]) -> str:
    """Returns a table as LaTeX, with the notes as comments before it; cells are LaTeX already."""
    heading, *rows = (" & ".join(cells) + r" \\" for cells in (headings, *lines))
    comments = [f"% {one_line(note)}" for note in (*notes, r"needs \usepackage{booktabs}")]
    begin = rf"\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}"
    parts = (*comments, begin, r"\toprule", heading, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}")
    return "\n".join(parts) + "\n"
