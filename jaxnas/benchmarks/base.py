"""Benchmarks: what a search may ask (`query`), and what only the analysis reads (`test_scores`, `optimum`).

A benchmark has `space`, `fidelities` (epochs, ascending), `query(query, key) -> Observation`, `jittable`,
`test_scores(archs)` and `optimum`.
"""

import functools
import sys
import warnings

import numpy as np

SIZES = ("parameters", "flops")
READERS_OF_TEST_SCORES = ("jaxnas.analysis", "jaxnas.report", "jaxnas.benchmarks")


def warn_outside_analysis() -> None:
    """Warns, once in a process, where the caller's caller is not a part of jaxnas that reports by test scores."""
    if not sys._getframe(2).f_globals.get("__name__", "").startswith(READERS_OF_TEST_SCORES):
        _warn_of_test_scores()


@functools.cache
def _warn_of_test_scores() -> None:
    warnings.warn(
        "Test scores are there to report by: a search or a choice that has seen them promises more than it holds. "
        "Choose by what queries answer; report by jn.regret, jn.summary or jn.to_frame, which read them for you.",
        stacklevel=4,
    )


def price_list(bench) -> np.ndarray:
    """Returns the cost of each fidelity when nothing has been paid yet, float32[F]."""
    return np.asarray(bench.fidelities, np.float32)
