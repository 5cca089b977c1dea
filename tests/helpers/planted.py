"""Supernets whose loss grows with a known cost of the choices, and with nothing else: what methods must find."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Decision
from jaxnas.tasks.base import Split, Task
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Family, Shared, Size

COSTS = ((0.5, -1, 0, 1), (-1, 1, 0.5, 0), (0, 0.5, 1, -1))
BEST = np.argmin(COSTS, axis=1)
PATTERN, NUMBER = (1.0, -1.0), (1.0,)


@dataclass(frozen=True)
class PlantedSpace(Space):
    """Three decisions with four choices, which could be widths.

    The output of a decision is a feature map of two pixels, its choice's cost times `pattern`; what is summed over
    decisions is read along the pattern. Two things make it fair to every method. Zeros, which are what a choice that
    is not taken or was removed gives, are neither good nor bad: each decision has choices that help, one that changes
    nothing and ones that harm. And the pattern's sum is zero, so that a constant added to a map changes nothing, as in
    a network of which each map is normalized. With `shifted` costs or the pattern `NUMBER`, of one pixel, one of the
    two does not hold.
    """

    name: str = "planted"
    decisions: tuple[Decision, ...] = tuple(Decision(name, (1, 2, 3, 4)) for name in "abc")
    costs: tuple[tuple[float, ...], ...] = COSTS
    pattern: tuple[float, ...] = PATTERN
    family: ClassVar[str] = "planted:FAMILY"


def shifted(amount: float, pattern: tuple[float, ...] = PATTERN) -> PlantedSpace:
    """Returns the planted space with a number added to all costs."""
    return PlantedSpace(costs=tuple(tuple(cost + amount for cost in row) for row in COSTS), pattern=pattern)


def _logits(space, parameters, outputs, inputs):
    """Returns the logits of outputs [E, P] of the decisions."""
    pattern = jnp.asarray(space.pattern)
    margin = inputs[:, 0] - outputs.sum(0) @ pattern / (pattern @ pattern)
    return jnp.stack([margin, jnp.zeros_like(margin)], axis=1) + 0 * parameters["w"]


def init(space, config, spec, key, partial=1):
    return {"w": jnp.zeros(2)}


def path(space, config, spec, parameters, arch, inputs, gates=None):
    costs = jnp.asarray(space.costs)[jnp.arange(3), arch]
    outputs = costs[:, None] * jnp.asarray(space.pattern)
    if gates is not None:
        outputs = gates.scale[:, None] * outputs + gates.offset[:, None]
    return _logits(space, parameters, outputs, inputs)


def mixture(space, config, spec, parameters, weights, inputs, partial=1):
    costs = (weights * jnp.asarray(space.costs)).sum(1)
    return _logits(space, parameters, costs[:, None] * jnp.asarray(space.pattern), inputs)


def one(*arguments, **options):
    return {"w": np.float32(1)}


def flops(space, config, spec):
    return 1.0, np.ones((3, 4))


FAMILY = Family(
    config=TrainConfig(num_epochs=1, batch_size=32),
    inputs=("vectors",),
    init=None,
    apply=None,
    kernels=None,
    module=None,
    size=lambda space, config, spec, arch: Size(1, 13),
    plans={},
    shared=Shared(init, path, mixture, one, one, flops),
)
PLANTED = PlantedSpace()


def planted_task() -> Task:
    """Returns a task of one feature, spread evenly, so that scores tell costs apart."""
    inputs = np.random.RandomState(0).permutation(np.linspace(-4, 4, 2048)).astype(np.float32)[None, :, None]
    split = Split(inputs, np.zeros(2048, np.int32))
    return Task("spread", split, split, split, 2, "made by the tests")
