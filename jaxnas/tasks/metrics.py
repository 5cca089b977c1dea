"""What scores measure: name, unit and direction. Needs no JAX, since tables name their metric."""

from typing import NamedTuple


class Metric(NamedTuple):
    """What a score measures.

    Attributes:
        name: `"accuracy"`, ...
        unit: of the stored values: `"proportion"`, `"percent"`, `"nats"`, ...
        better: 1 where a larger value is better, -1 where a smaller one is.
    """

    name: str
    unit: str
    better: int = 1


ACCURACY = Metric("accuracy", "proportion")
