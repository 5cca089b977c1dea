"""Tables of a comparison for papers: LaTeX (package booktabs) and CSV.

Every function takes the dictionary of `summary.json`. CSV holds fractions as there, LaTeX percent.
"""

import csv
import io
import os
from pathlib import Path

from jaxnas.analysis.pairs import not_separated_from

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def headline(result: dict, points: list[int]) -> list[dict]:
    """Returns a row for each strategy, best mean rank first: what the headline table holds, fractions.

    Keys: `strategy`, `runs`; `regret_after_<point>` for each of the numbers of trials `points`, with its 95 % interval
    `..._low` and `..._high`; `test` and its standard deviation over runs `test_std`, `validation`, `mean_rank`.
    """
    rows = []
    for name, numbers in sorted(result["strategies"].items(), key=lambda item: item[1]["mean_rank"]):
        row = {"strategy": name, "runs": numbers.get("num_runs", result["num_runs"])}
        for point in points:
            for suffix, key in (("", "mean"), ("_low", "ci_low"), ("_high", "ci_high")):
                row[f"regret_after_{point}{suffix}"] = numbers[f"regret_{key}"][point - 1]
        row["test"], row["test_std"] = numbers["final_test_mean"], numbers["final_test_std"]
        rows.append(row | {"validation": numbers["final_validation_mean"], "mean_rank": numbers["mean_rank"]})
    return rows


def headline_latex(result: dict, points: list[int]) -> str:
    """Returns the headline table as LaTeX: regrets with their 95 % intervals, test, validation, mean rank.

    Names are escaped. The lowest mean regret of each column is bold; where the result has tests of pairs, the last
    regrets that they do not separate from it at 5 % (Holm) are bold too.
    """
    rows = headline(result, points)
    bold = {point: {min(rows, key=lambda row: row[f"regret_after_{point}"])["strategy"]} for point in points}
    bold[points[-1]] |= {*not_separated_from(*bold[points[-1]], result.get("pairwise", []))}
    lines = []
    for row in rows:
        cells = [latex_escaped(row["strategy"])]
        cells += [_interval(row, f"regret_after_{point}", row["strategy"] in bold[point], 3) for point in points]
        cells.append(rf"{100 * row['test']:.2f} $\pm$ {100 * row['test_std']:.2f}")
        cells += [f"{100 * row['validation']:.2f}", f"{row['mean_rank']:.2f}"]
        lines.append(cells)
    headings = ["strategy", *(f"regret after {point}" for point in points), r"test (\%)", r"validation (\%)", "rank"]
    note = "test regret in percentage points, with 95 % bootstrap intervals over runs"
    return _latex([_source(result), note], headings, lines)


def front_rows(result: dict) -> list[dict]:
    """Returns a row for each strategy of a comparison by two objectives, most hypervolume first.

    Keys: `strategy`; `hypervolume` relative to the true front's after the last trial, with its 95 % interval
    `hypervolume_low` and `hypervolume_high`; `igd_plus`.
    """
    rows = []
    for name, numbers in result["fronts"]["strategies"].items():
        low, mean, high = (numbers[f"hypervolume_{key}"][-1] for key in ("ci_low", "mean", "ci_high"))
        volume = {"hypervolume": mean, "hypervolume_low": low, "hypervolume_high": high}
        rows.append({"strategy": name, **volume, "igd_plus": numbers["distance_mean"][-1]})
    return sorted(rows, key=lambda row: -row["hypervolume"])


def front_latex(result: dict) -> str:
    """Returns the table of fronts as LaTeX: hypervolume with its 95 % interval, and IGD+."""
    lines = [
        [latex_escaped(row["strategy"]), _interval(row, "hypervolume", number == 0, 2), f"{row['igd_plus']:.4f}"]
        for number, row in enumerate(front_rows(result))
    ]
    note = f"test accuracy and {result['fronts']['size']}; hypervolume in percent of the true front's"
    return _latex([_source(result), note], ["strategy", r"hypervolume (\%)", "IGD+"], lines)


def landscape_rows(results: list[dict]) -> list[dict]:
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


def landscape_latex(results: list[dict]) -> str:
    """Returns the table of the landscapes of results as LaTeX, those of `landscape_rows`; no value is a dash."""
    lines = [
        [latex_escaped(_text(value)) if key == "benchmark" else _text(value) for key, value in row.items()]
        for row in landscape_rows(results)
    ]
    headings = ["benchmark", "architectures", "classes", "local optima", "global basin", "distance corr."]
    headings += ["corr. length", "equal neighbours", "within noise", "intraclass corr."]
    return _latex([f"landscapes of {len(results)} tables, by mean validation score"], headings, lines)


def csv_text(rows: list[dict]) -> str:
    """Returns rows of equal keys as CSV with a heading."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_tables(folder: str | os.PathLike, result: dict, points: list[int]) -> None:
    """Writes table.tex and table.csv into a folder, and with two objectives fronts.tex and fronts.csv.

    `points` are the numbers of trials that regret is shown after.
    """
    texts = {"table.tex": headline_latex(result, points), "table.csv": csv_text(headline(result, points))}
    if "fronts" in result:
        texts |= {"fronts.tex": front_latex(result), "fronts.csv": csv_text(front_rows(result))}
    for name, text in texts.items():
        (Path(folder) / name).write_text(text)


def latex_escaped(text: str) -> str:
    """Returns a text with what LaTeX would take for commands escaped."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def _interval(row: dict, key: str, is_bold: bool, decimals: int) -> str:
    mean, low, high = (f"{100 * row[key + part]:.{decimals}f}" for part in ("", "_low", "_high"))
    mean = rf"\textbf{{{mean}}}" if is_bold else mean
    return rf"{mean} {{\scriptsize [{low}, {high}]}}"


def _text(value) -> str:
    """Returns a value as a cell shows it."""
    if value is None:
        return "--"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _source(result: dict) -> str:
    runs = f"{result['num_runs']} runs of {result['num_trials']} trials, seed {result['seed']}"
    return f"{result['benchmark']}, {runs}; content hash {result.get('content_hash', 'unknown')}"


def _latex(notes: list[str], headings: list[str], lines: list[list[str]]) -> str:
    heading, *rows = (" & ".join(cells) + r" \\" for cells in (headings, *lines))
    comments = [f"% {note}" for note in (*notes, r"needs \usepackage{booktabs}")]
    begin = rf"\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}"
    parts = (*comments, begin, r"\toprule", heading, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}")
    return "\n".join(parts) + "\n"
