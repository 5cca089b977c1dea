"""Computes the mean test error of searches on NAS-Bench-101 after 150 evaluations.

Claim: local search and BANANAS find better architectures than evolution, and evolution than random search.
Command: jaxnas reproduce nasbench101_search --table FOLDER, with the table that `jaxnas import nb101 FILE` made
Run time: a minute of CPU.
Output: mean test error, in percent, of the choices of 200 searches, and standard errors.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jaxnas as jn
from jaxnas.evidence.figures import Figure, Result
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Strategy
from jaxnas.tables.published.nasbench101 import SHA256

NUM_RUNS, NUM_TRIALS = 200, 150
SOURCE = "Scientific Reports 2025, s41598-025-94187-8, table 1, which reprints the results of BANANAS"
TOLERANCE = 0.03
STRATEGIES: dict[str, tuple[float, Callable[[Space], Strategy]]] = {
    "random search": (6.341, lambda space: jn.random_search(space)),
    "regularized evolution": (6.109, lambda space: jn.regularized_evolution(space, population_size=30, sample_size=10)),
    "local search": (5.932, lambda space: jn.local_search(space)),
    "BANANAS": (5.923, lambda space: jn.bananas(space)),
}
"""The published error, and the strategy."""
NOT_OFFICIAL = "The table was not made of an official file (by its SHA-256), so that its errors are others."


def figures(tables: Mapping[str, Path]) -> Sequence[Figure]:
    """Returns the mean test error of each strategy."""
    bench = jn.load(tables["nb101-cifar10"])
    files = bench.table.manifest.get("source", {}).get("files", {})
    note = "" if set(files.values()) & set(SHA256) else NOT_OFFICIAL
    found = []
    for name, (published, strategy) in STRATEGIES.items():
        trials = jn.run(strategy(bench.space), bench, num_trials=NUM_TRIALS, num_runs=NUM_RUNS)
        assert bench.held_out.optimum is not None  # a complete table has one
        errors = 100 * (1 - bench.held_out.optimum + jn.regret(trials, bench)[:, -1])
        error = float(errors.std(ddof=1) / NUM_RUNS**0.5)
        mean = float(errors.mean())
        found.append(Figure(f"{name}, test error", published, mean, error, error, TOLERANCE, 3, SOURCE, note))
    return found


RESULT = Result(
    "Search on NAS-Bench-101, 150 evaluations",
    ("white2021bananas", "ying2019nasbench101"),
    SOURCE,
    "200 runs of 150 evaluations, each of the validation accuracy of one of three trainings after 108 epochs; reported "
    "is the mean test error of the best. The paper gives no spread: ours stands for both.",
    ("nb101-cifar10",),
    figures,
)
