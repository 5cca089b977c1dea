"""Ranks all predictors on all shipped tables, by evaluation on other classes: the table of docs/predictors.md.

Claim: with 100 trained architectures of `nb201-cifar10-v1`, `gp_wl` ranks others with a tau-b of 0.73 by the protocol
of most papers (`jaxnas predict --isomorphs`), against 0.65 of 12 epochs of training each; of different classes, 0.68.
Command: python experiments/studies/predictors.py (`--tables ID,..`, `--predictors a,b`, `--train N,..`,
`--repetitions R`).
Each table's result is kept in `--folder` (default predictors-results) and not computed again.
Run time: about 12 minutes of one core.
Output: a Markdown table for each number of trained architectures, the order of predictors with tests for each table,
and as the last line a JSON object with tau of each predictor on each table.
Page: docs/predictors.md
"""

import argparse
import json
from pathlib import Path

from jaxnas.cli.main import main
from jaxnas.report.prediction import notes
from jaxnas.tables.format import read_manifest
from jaxnas.tables.shipped import find, shipped_ids


def score_tables() -> list[str]:
    """Returns the shipped tables that hold scores."""
    return [name for name in shipped_ids() if read_manifest(find(name)).get("kind", "scores") == "scores"]


def result_of(table: str, options: argparse.Namespace) -> dict:
    """Returns the result of `jaxnas predict`, from the folder where it is there."""
    folder = Path(options.folder) / table
    if not (folder / "prediction.json").is_file():
        arguments = ["predict", table, "--repetitions", str(options.repetitions), "--train", options.train]
        arguments += ["--out", str(folder)]
        if main([*arguments, "--predictors", options.predictors]):
            raise SystemExit(f"Expected a result of {table}, got none.")
    return json.loads((folder / "prediction.json").read_text())


def markdown(results: dict[str, dict], num_train: int) -> str:
    """Returns tau-b of each predictor on each table, with half the width of its 95 % interval."""
    names = list(dict.fromkeys(name for result in results.values() for name in result["predictors"]))
    lines = [f"| predictor, {num_train} trained | " + " | ".join(f"`{table}`" for table in results) + " |"]
    lines.append("|---" * (len(results) + 1) + "|")
    for name in names:
        cells = [cell(result, name, num_train) for result in results.values()]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    ceilings = [f"{result['ceiling']['mean']:.3f}" if result["ceiling"] else "" for result in results.values()]
    return "\n".join([*lines, "| one run, mean of the others | " + " | ".join(ceilings) + " |"])


def cell(result: dict, name: str, num_train: int) -> str:
    """Returns the tau of a predictor as text; empty where the table has not what it needs."""
    for each in result["evaluations"]:
        if each["predictor"] == name and each["num_train"] in (0, num_train) and each["tau"]:
            half = (each["tau"]["ci_high"] - each["tau"]["ci_low"]) / 2
            return f"{each['tau']['mean']:.3f} ± {half:.3f}"
    return ""


def run() -> None:
    """Evaluates, prints tables, tests and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default=",".join(score_tables()))
    parser.add_argument("--predictors", default="all")
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--train", default="30,100,300")
    parser.add_argument("--folder", default="predictors-results")
    options = parser.parse_args()
    results = {table: result_of(table, options) for table in options.tables.split(",")}
    for num_train in map(int, options.train.split(",")):
        print(markdown(results, num_train), end="\n\n")
    for table, result in results.items():
        print(f"{table}: {notes(result)[-1]}\n")
    taus = {
        table: {
            f"{each['predictor']} {each['num_train']}": round(each["tau"]["mean"], 4)
            for each in result["evaluations"]
            if each["tau"]
        }
        for table, result in results.items()
    }
    print(json.dumps({"tau": taus}))


if __name__ == "__main__":
    run()
