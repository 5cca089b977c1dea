"""Strategies on every table that ships, for the pages of results and of strategies.

Claim: none; the pages of results on the site are made from the output of this script.
Command: python experiments/studies/all_tables.py (resumes when run again; `--strategies all --runs 50`
for all of the catalog)
Run time: three minutes of processor time for the eight fast ones, an hour for all (2-core Intel Xeon, KVM).
Output: docs/results/all_tables.json, for each table the optimum, how validation selects, and for each strategy its
regret after 10, 30 and 100 trials, its rank, and the number that it is compared by. The last line printed is a JSON
object with the number of tables.
Page: docs/results/index.md

A strategy with lower fidelities is compared at equal cost, all others by regret after the last trial.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jaxnas as jn
from jaxnas.files import replace_file
from jaxnas.tables.shipped import shipped_ids

OUT = Path("docs/results/all_tables.json")
TRIALS = (10, 30, 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--strategies", default="default")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    found = json.loads(options.out.read_text()) if options.out.exists() else {}
    for table in shipped_ids():
        if table not in found:
            found[table] = measured(table, options)
            replace_file(options.out, (json.dumps(found, indent=1) + "\n").encode())
            print(table, flush=True)
    print(json.dumps({"tables": len(found)}))


def measured(table: str, options: argparse.Namespace) -> dict[str, Any]:
    """Returns what the comparison of strategies on a table shows, in numbers."""
    result = jn.compare(options.strategies, table, num_trials=TRIALS[-1], num_runs=options.runs).result()
    return {
        "content_hash": result["content_hash"],
        "metric": result["metric"],
        "num_trials": result["num_trials"],
        "optimum": result["optimum"],
        "selection": result["selection"],
        "best": {key: result["cells"][0][key] for key in ("architecture", "validation", "test")},
        "strategies": {name: numbers_of(each) for name, each in result["strategies"].items()},
    }


def numbers_of(strategy: dict[str, Any]) -> dict[str, Any]:
    """Returns the numbers of a strategy that pages show."""
    ends = {"mean": "regret_mean", "low": "regret_ci_low", "high": "regret_ci_high"}
    regret = {str(count): {end: strategy[key][count - 1] for end, key in ends.items()} for count in TRIALS}
    compared = {key: strategy.get(key) for key in ("num_runs", "mean_rank", "compared_mean", "compared_se")}
    return {"regret": regret, **compared, "note": strategy["note"]}


if __name__ == "__main__":
    main()
