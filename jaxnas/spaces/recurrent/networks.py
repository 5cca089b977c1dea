"""Recurrent cells as a kind of network: how they are initialized, applied, trained and sized."""

from dataclasses import replace
from typing import ClassVar, final

import jax
import jax.numpy as jnp

from jaxnas.spaces.layers.steps import num_features
from jaxnas.spaces.recurrent import network
from jaxnas.spaces.recurrent.network import Arrays, Recurrence, RecurrentNetwork
from jaxnas.spaces.recurrent.space import RecurrentSpace
from jaxnas.tasks.goals import GOALS
from jaxnas.training.config import TrainConfig
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied, Kernels, Networks, ScoredNetworks, Size, Variables
from jaxnas.training.recorder import SILENT, Recorder

LARGEST_UNGATED = 4
"""The most nodes of a space whose cells have no gates by default."""


class RecurrentNetworks(ScoredNetworks):
    """The networks of a space of recurrent cells; `default` determines whether they have gates."""

    space: RecurrentSpace
    inputs = ("sequences", "tokens")
    goals = ("class", "tags", "next", "value")
    plans: ClassVar = {"sequential": sequential_plan("select-sequential-1")}
    baselines = "jaxnas.spaces.recurrent.baselines:BASELINE_CELLS"

    def init(self, key: jax.Array, arch: jax.Array) -> Variables:
        """Returns the initial arrays, which do not depend on the architecture."""
        return Variables(network.make_arrays(self.space.num_nodes, self.config.network, self.spec, key))

    def apply(
        self, variables: Variables, choice: jax.Array, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the outputs [N, K], or [N, T, K] with one a step, of inputs [N, T, F] or tokens [N, T].

        A place is one for all steps, whose statistics are added up. Blocks are the projected inputs and the cell's
        outputs; the input of any activation function counts as a rectifier's.
        """
        return Applied(network.outputs(self.config.network, self.spec, choice, variables.parameters, inputs, recorder))

    def module(self, arch: tuple[int, ...], variables: Variables) -> RecurrentNetwork:
        return RecurrentNetwork(self.config.network, self.spec, arch, variables.parameters)

    def size(self, arch: tuple[int, ...]) -> Size:
        """Returns the `Size` of a network, which is the same for all architectures of a space."""
        recurrence: Recurrence = self.config.network
        width, mapped = recurrence.width, recurrence.width * (2 if recurrence.gate else 1)
        step = (num_features(self.spec) + 1) * mapped + (1 + self.space.num_nodes) * width * mapped
        head = (width + 1) * self.spec.num_outputs
        num_steps = self.spec.shape[0]
        num_heads = num_steps if GOALS[self.spec.goal].each_step else 1
        return Size(step + head, num_steps * step + num_heads * head)

    def kernels(self, arch: jax.Array) -> Kernels:
        """Returns which parameters are kernels: of the inputs 0, the last output 1, the nodes 2, ..., the head."""
        shapes = jax.eval_shape(self.init, jax.random.key(0), arch).parameters
        last = self.space.num_nodes + 2
        nodes = jnp.arange(2, last, dtype=jnp.int32)[:, None, None]
        layers = Arrays(*(jnp.asarray(each, jnp.int32) for each in (0, 1, -1, 0, last, -1)))._replace(nodes=nodes)
        layer = Arrays(*(jnp.broadcast_to(each, shape.shape) for each, shape in zip(layers, shapes, strict=True)))
        return Kernels(jax.tree.map(lambda each: (each >= 0).astype(jnp.float32), layer), layer, last + 1)


@final
class UngatedNetworks(RecurrentNetworks):
    """Recurrent networks without gates by default."""

    default = TrainConfig(
        num_epochs=20,
        batch_size=64,
        learning_rate=1e-2,
        weight_decay=0.0,
        network=Recurrence(),
        optimizer="adam",
        clip=1.0,
    )


@final
class GatedNetworks(RecurrentNetworks):
    """Recurrent networks with gates by default."""

    default = replace(UngatedNetworks.default, network=Recurrence(gate=True))


def recurrent_networks(space: RecurrentSpace) -> type[Networks]:
    """Returns the class of the networks of a space: with gates by default if cells have five nodes or more.

    In a cell of n nodes a step composes up to n + 1 maps; a gate of each, as in ENAS and DARTS, lets states pass them.
    Small spaces, which tables hold whole, have none, as gates make cells alike.
    """
    return UngatedNetworks if space.num_nodes <= LARGEST_UNGATED else GatedNetworks
