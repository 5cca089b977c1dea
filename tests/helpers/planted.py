"""Supernets whose loss grows with a known cost of the choices, and with nothing else: what methods must find."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Decision
from jaxnas.tasks.base import Split, Task
from jaxnas.training.config import TrainConfig
from jaxnas.training.networks import Applied, Gated, MixedNetworks, Size, Variables
from jaxnas.training.recorder import SILENT

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
    networks: ClassVar[str] = "helpers.planted:PlantedNetworks"


def shifted(amount: float, pattern: tuple[float, ...] = PATTERN) -> PlantedSpace:
    """Returns the planted space with a number added to all costs."""
    return PlantedSpace(costs=tuple(tuple(cost + amount for cost in row) for row in COSTS), pattern=pattern)


class PlantedNetworks(MixedNetworks):
    inputs, default = ("vectors",), TrainConfig(num_epochs=1, batch_size=32)
    plans: ClassVar = {}

    def init(self, key, arch=None):
        return Variables({"w": jnp.zeros(2)})

    def apply(self, variables, choice, inputs, *, mode, recorder=SILENT):
        """Returns the logits of the outputs [E, P] of the decisions."""
        pattern, costs = jnp.asarray(self.space.pattern), jnp.asarray(self.space.costs)
        gated = choice if isinstance(choice, Gated) else Gated(choice)
        if gated.arch.ndim == 2:
            outputs = (choice * costs).sum(1)[:, None] * pattern
        else:
            outputs = costs[jnp.arange(3), gated.arch][:, None] * pattern
        if gated.scale is not None:
            outputs = gated.scale[:, None] * outputs + gated.offset[:, None]
        margin = inputs[:, 0] - outputs.sum(0) @ pattern / (pattern @ pattern)
        return Applied(jnp.stack([margin, jnp.zeros_like(margin)], axis=1) + 0 * variables.parameters["w"])

    def module(self, arch, variables):
        raise NotImplementedError

    def size(self, arch):
        return Size(1, 13)

    def trained(self):
        return {"w": np.float32(1)}

    def used(self, arch):
        return {"w": np.float32(1)}

    def flops(self):
        return 1.0, np.ones((3, 4))


PLANTED = PlantedSpace()


def planted_task() -> Task:
    """Returns a task of one feature, spread evenly, so that scores tell costs apart."""
    inputs = np.random.RandomState(0).permutation(np.linspace(-4, 4, 2048)).astype(np.float32)[None, :, None]
    split = Split(inputs, np.zeros(2048, np.int32))
    return Task("spread", split, split, split, 2, "made by the tests")
