"""What scores measure: name, unit and direction. Needs no JAX, since tables name their metric."""

from typing import NamedTuple


class Metric(NamedTuple):
    """What a score measures.

    Attributes:
        name: `"accuracy"`, ...
        unit: of the stored values: `"proportion"`, `"percent"`, `"nats"`, ...; empty where there is none.
        better: 1 where a larger value is better, -1 where a smaller one is.
    """

    name: str
    unit: str
    better: int = 1


ACCURACY = Metric("accuracy", "proportion")
TAG_ACCURACY = Metric("tag accuracy", "proportion")
"""The share of all steps, padding left out, whose tag is the most probable one."""
CROSS_ENTROPY = Metric("cross entropy", "nats", -1)
"""The mean negative log-likelihood of a step; the perplexity is its exponential."""
R2 = Metric("R2", "")
"""The share of the labels' variance that is explained: 1 less the squared errors over those of the labels' mean."""
