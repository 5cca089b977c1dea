"""A kind of network of forty numbers, for exact checks of proxies: a layer, a block that may be a skip, and outputs."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Decision
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Family, Kernels, Size, Variables
from jaxnas.training.loop import sequential_plan
from jaxnas.training.taps import BLOCK, FEATURES, LINEAR, OUTPUT, RECTIFIER, nothing, total

WIDTH = 4


@dataclass(frozen=True)
class TinySpace(Space):
    """Whether the block is a layer or passes its input on: two architectures."""

    name: str = "tiny"
    decisions: tuple[Decision, ...] = (Decision("block", ("layer", "skip")),)
    family: ClassVar[str] = "helpers.tiny_kind:FAMILY"


def init(space, config, spec, arch, key):
    keys = jax.random.split(key, 3)
    shapes = {"first": (spec.shape[0], WIDTH), "inner": (WIDTH, WIDTH), "last": (WIDTH, spec.num_outputs)}
    drawn = {name: jax.random.normal(key, shape) for key, (name, shape) in zip(keys, shapes.items(), strict=True)}
    return Variables(drawn | {"bias": jnp.zeros(WIDTH)})


def tapped(space, config, spec, arch, variables, inputs, tap, *, mode):
    weights, statistics = variables.parameters, nothing(tap, inputs.T)

    def seen(kind, number, x):
        nonlocal statistics
        x, found = tap(kind, number, x.T[:, None, None], None)
        statistics = total(statistics, found)
        return x[:, 0, 0].T

    x = seen(LINEAR, 0, inputs @ weights["first"]) + weights["bias"]
    x = seen(BLOCK, 0, jax.nn.relu(seen(RECTIFIER, 0, x)))
    y = jnp.where(arch[0] == 1, x, jnp.where(arch[0] == 1, 0, 1) * seen(LINEAR, 1, x @ weights["inner"]))
    x = seen(FEATURES, 0, seen(BLOCK, 1, y))
    return seen(LINEAR, OUTPUT, x @ weights["last"]), statistics


def apply(space, config, spec, arch, variables, inputs, *, mode):
    return Applied(
        tapped(space, config, spec, arch, variables, inputs, lambda kind, number, x, live: (x, ()), mode=mode)[0]
    )


def kernels(space, config, spec, arch):
    variables = jax.eval_shape(lambda key: init(space, config, spec, arch, key), jax.random.key(0)).parameters
    present = {"first": 1, "inner": jnp.where(arch[0] == 1, 0, 1), "last": 1, "bias": 0}
    numbers = {"first": 0, "inner": jnp.where(arch[0] == 1, -1, 1), "last": 2, "bias": -1}
    live = {name: jnp.full(each.shape, present[name], jnp.float32) for name, each in variables.items()}
    return Kernels(live, {name: jnp.full(each.shape, numbers[name]) for name, each in variables.items()}, 3)


def size(space, config, spec, arch):
    count = spec.shape[0] * WIDTH + (arch[0] == 0) * WIDTH**2 + WIDTH * spec.num_outputs
    return Size(count + WIDTH, count)


FAMILY = Family(
    config=TrainConfig(num_epochs=1, batch_size=8),
    inputs=("vectors",),
    init=init,
    apply=apply,
    kernels=kernels,
    module=None,
    size=size,
    plans={"sequential": sequential_plan("tiny-1", init, apply)},
    tapped=tapped,
)
TINY_KIND = TinySpace()
