"""A kind of network of forty numbers, for exact checks: a layer, a block that may be a skip, and outputs."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

import jaxnas as jn
from jaxnas.training import networks
from jaxnas.training.recorder import BLOCK, FEATURES, LINEAR, OUTPUT, RECTIFIER, SILENT

WIDTH = 4


@dataclass(frozen=True)
class TinySpace(jn.Space):
    name: str = "tiny"
    decisions: tuple[jn.Decision, ...] = (jn.Decision("block", ("layer", "skip")),)
    networks = "helpers.tiny_kind:TinyNetworks"


class TinyNetworks(networks.ScoredNetworks, networks.SharedNetworks):
    inputs, default = ("vectors",), jn.TrainConfig(num_epochs=1, batch_size=8)
    plans = {"sequential": jn.kinds.sequential_plan("tiny-1")}  # noqa: RUF012

    def init(self, key, arch=None):
        keys, features, outputs = jax.random.split(key, 3), self.spec.shape[0], self.spec.num_outputs
        shapes = {"first": (features, WIDTH), "inner": (WIDTH, WIDTH), "last": (WIDTH, outputs)}
        drawn = {name: jax.random.normal(key, shape) for key, (name, shape) in zip(keys, shapes.items(), strict=True)}
        return networks.Variables(drawn | {"bias": jnp.zeros(WIDTH)})

    def apply(self, variables, choice, inputs, *, mode, recorder=SILENT):
        weights, is_layer = variables.parameters, jnp.where(choice[0] == 1, 0, 1)
        x = recorder.rows(LINEAR, inputs @ weights["first"], 0) + weights["bias"]
        x = recorder.rows(BLOCK, jax.nn.relu(recorder.rows(RECTIFIER, x, 0)), 0)
        y = jnp.where(choice[0] == 1, x, is_layer * recorder.rows(LINEAR, x @ weights["inner"], 1))
        x = recorder.rows(FEATURES, recorder.rows(BLOCK, y, 1), 0)
        return networks.Applied(recorder.rows(LINEAR, x @ weights["last"], OUTPUT))

    def module(self, arch, variables):
        return networks.AppliedNetwork(self, arch, variables)

    def size(self, arch):
        count = self.spec.shape[0] * WIDTH + (arch[0] == 0) * WIDTH**2 + WIDTH * self.spec.num_outputs
        return networks.Size(count + WIDTH, count)

    def kernels(self, arch):
        numbers = {"first": 0, "inner": jnp.where(arch[0] == 1, -1, 1), "last": 2, "bias": -1}
        shapes = jax.eval_shape(self.init, jax.random.key(0)).parameters
        layer = {name: jnp.full(shape.shape, numbers[name]) for name, shape in shapes.items()}
        return networks.Kernels(jax.tree.map(lambda each: (each >= 0).astype(jnp.float32), layer), layer, 3)

    def trained(self):
        return dict.fromkeys(("first", "inner", "last", "bias"), jnp.float32(1))

    def used(self, arch):
        return {**self.trained(), "inner": jnp.where(arch[0] == 1, 0.0, 1.0)}


TINY_KIND = TinySpace()
