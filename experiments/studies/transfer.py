"""How much earlier tasks help: strategies with source tables and their baselines, in every direction.

For each target and its sources: regularized evolution cold, begun with the sources' portfolio of 20, and guided by
their ranks; the ensemble of sources; the sources' ranking without any search; the largest networks first. Regret after
20, 50, 100 and 300 trials, of the incumbent by single runs and of the confirmed one (the best 5 evaluated once more).

Claim: docs/transfer.md: after 20 and 50 trials sources beat a cold search in every direction, with separate 95 %
intervals; after 300 trials the gain is smaller or gone; and the largest networks first, without any source, are a
baseline that is as good on most targets.
Command: python experiments/studies/transfer.py [--runs 300] [--targets ID,ID,..]
Run time: three to six minutes on two cores.
Output: a Markdown table a target and its sources, in points of accuracy with 95 % intervals over runs. Last line: a
JSON object with the figures.
Page: docs/transfer.md
"""

import argparse
import json

import numpy as np

import jaxnas as jn
from jaxnas.analysis.statistics import mean_interval
from jaxnas.search.transfer.protocol import transfer_entries
from jaxnas.search.transfer.sources import described_sources
from jaxnas.tables.table import Table

PUBLISHED = ("nb201-cifar10-v1", "nb201-cifar100-v1", "nb201-imagenet16-120-v1")
OWN = ("nb201-mnist5k-v1", "nb201-shifted-digits-v1")
POINTS = (20, 50, 100, 300)
CONFIRM = (5, 1)
SLOW = {"rank_weighted": (30, 100)}
"""Runs and trials of strategies that compute for long."""


def directions(targets: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Returns targets with their sources: each other table of the same origin alone, and all of them together."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for target in targets:
        family = PUBLISHED if target in PUBLISHED else OWN
        others = tuple(name for name in family if name != target)
        found += [(target, (name,)) for name in others]
        found += [(target, others)] if len(others) > 1 else []
    return found + [("nb201-cifar10-v1", ("nb201-mnist5k-v1",))] * ("nb201-cifar10-v1" in targets)


def regrets(target: str, sources: tuple[str, ...], num_runs: int) -> dict:
    """Returns the regret of each strategy after some trials, plain and confirmed: [mean, low, high] by points."""
    bench = jn.load(target)
    found = {}
    entries = {"regularized_evolution": jn.regularized_evolution}
    for name, strategy in transfer_entries(entries, bench, sources).items():
        runs, longest = SLOW.get(name, (num_runs, POINTS[-1]))
        trials = jn.run(strategy, bench, num_trials=longest, num_runs=min(runs, num_runs))
        values = {"plain": jn.regret(trials, bench), "confirmed": jn.regret(trials, bench, confirm=CONFIRM)}
        found[name] = {kind: at_points(each) for kind, each in values.items()}
    return found


def at_points(values: np.ndarray) -> dict[int, list[float]]:
    """Returns mean, low and high of regrets [runs, T] after numbers of trials, in points."""
    low, high = mean_interval(values)
    ends = (values.mean(0), low, high)
    return {point: [100 * float(each[point - 1]) for each in ends] for point in POINTS if point <= values.shape[1]}


def cell(found: dict[int, list[float]], point: int) -> str:
    """Returns a mean with its interval as a cell of a table."""
    if point not in found:
        return ""
    mean, low, high = found[point]
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    """Prints a table for each direction, and all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--targets", default=",".join((*OWN, *PUBLISHED)))
    options = parser.parse_args()
    figures = []
    for target, sources in directions(options.targets.split(",")):
        tables = [Table.read(name) for name in sources]
        correlations = [each["spearman"] for each in described_sources(tables, jn.load(target))]
        named = ", ".join(f"{name} ({value:.3f})" for name, value in zip(sources, correlations, strict=True))
        print(f"\n### {named} to {target}\n")
        found = regrets(target, sources, options.runs)
        for kind in ("plain", "confirmed"):
            print(f"| {kind} | " + " | ".join(f"@{point}" for point in POINTS) + " |")
            print("|" + "---|" * (len(POINTS) + 1))
            for name, each in found.items():
                print(f"| `{name}` | " + " | ".join(cell(each[kind], point) for point in POINTS) + " |", flush=True)
            print()
        figures.append({"target": target, "sources": sources, "spearman": correlations, "regret": found})
    print(json.dumps({"confirm": CONFIRM, "runs": options.runs, "directions": figures}))


if __name__ == "__main__":
    main()
