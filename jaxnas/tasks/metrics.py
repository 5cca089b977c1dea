"""Metrics of scores: name, unit and direction. Needs no JAX, since tables name their metric."""

from typing import NamedTuple


class Metric(NamedTuple):
    """The metric of a score.

    Attributes:
        name: `"accuracy"`, ...
        unit: the unit of the stored values: `"proportion"`, `"percent"`, `"nats"`, ...; empty without a unit.
        better: 1 if larger values are better, -1 if smaller ones are.
    """

    name: str
    unit: str
    better: int = 1


ACCURACY = Metric("accuracy", "proportion")
TAG_ACCURACY = Metric("tag accuracy", "proportion")
"""The share of all steps, without padding, whose tag is the most probable one."""
CROSS_ENTROPY = Metric("cross entropy", "nats", -1)
"""The mean negative log-likelihood of a step; the perplexity is its exponential."""
R2 = Metric("R2", "")
"""The explained share of the labels' variance: 1 - (squared errors) / (squared errors of the labels' mean)."""
