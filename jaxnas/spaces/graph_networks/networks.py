"""Graph networks as a kind of network: how they are initialized, applied, trained and sized."""

import math
from typing import ClassVar, final

import jax
import jax.numpy as jnp

from jaxnas.spaces.graph_networks import network
from jaxnas.spaces.graph_networks.network import AROUND, IN_LAYER, OF_OPERATION, GraphNetwork, GraphStates
from jaxnas.spaces.graph_networks.space import NUM_LAYERS, SKIP, GraphNetworkSpace
from jaxnas.tasks.graphs import num_features
from jaxnas.training.config import TrainConfig
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied, Kernels, ScoredNetworks, Size, Variables
from jaxnas.training.recorder import SILENT, Recorder

_NUM_PRODUCTS = {"cheb": 2, "fc": 0, SKIP: 0, **dict.fromkeys(("gat", "gcn", "gin", "sage", "arma", "graph"), 1)}
"""Products of states with a matrix of all pairs of nodes."""


@final
class GraphNetworks(ScoredNetworks):
    """The networks of a space of graph networks."""

    space: GraphNetworkSpace
    inputs = ("graphs",)
    goals = ("class", "value")
    default = TrainConfig(
        num_epochs=20,
        batch_size=32,
        learning_rate=3e-3,
        weight_decay=0.0,
        network=GraphStates(),
        optimizer="adam",
        clip=1.0,
    )
    plans: ClassVar = {"sequential": sequential_plan("graph-networks-sequential-1")}

    def init(self, key: jax.Array, arch: jax.Array) -> Variables:
        """Returns the initial arrays, which do not depend on the architecture: kernels of variance 2 / fan-in."""
        shapes = self._shapes()
        keys = jax.random.split(key, len(shapes))
        made = {name: _made(name, shape, own) for (name, shape), own in zip(shapes.items(), keys, strict=True)}
        return Variables({**{name: made[name] for name in AROUND}, "layers": {name: made[name] for name in IN_LAYER}})

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the shapes of all arrays, of those in layers with an axis of layers."""
        width = self.config.network.width
        own = {name: (width, width) if name.endswith("kernel") else (width,) for name in IN_LAYER}
        return {
            **{name: (NUM_LAYERS, *shape) for name, shape in own.items()},
            "input_kernel": (num_features(self.spec.shape), width),
            "input_offset": (width,),
            "head_kernel": (2 * width, self.spec.num_outputs),
            "head_offset": (self.spec.num_outputs,),
        }

    def apply(
        self, variables: Variables, choice: jax.Array, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the outputs [N, K] of graphs [N, A, F + A]; blocks are the input of the layers, and each layer."""
        decided = network.decided(self.space, choice)
        return Applied(network.outputs(self.space, decided, variables.parameters, inputs, recorder))

    def module(self, arch: tuple[int, ...], variables: Variables) -> GraphNetwork:
        arrays, layers = {name: variables.parameters[name] for name in AROUND}, variables.parameters["layers"]
        arrays["layers"] = [
            {name: layers[name][number] for name in OF_OPERATION[self.space.operations[operation]]}
            for number, operation in enumerate(arch[1:])
        ]
        return GraphNetwork(self.space, self.spec, arch, arrays)

    def size(self, arch: tuple[int, ...]) -> Size:
        """Returns the `Size` of a network for a graph of the most nodes; all pairs of them count."""
        shapes, (nodes, _) = self._shapes(), self.spec.shape
        names = [self.space.operations[int(each)] for each in arch[1:]]
        arrays = [*AROUND, *(name for operation in names for name in OF_OPERATION[operation])]
        parameters = sum(math.prod(shapes[name][name in IN_LAYER :]) for name in arrays)
        head = sum(math.prod(shapes[name]) for name in AROUND[2:])
        products = sum(_NUM_PRODUCTS[name] for name in names) * nodes * nodes * self.config.network.width
        return Size(parameters, nodes * (parameters - head) + head + products)

    def kernels(self, arch: jax.Array) -> Kernels:
        """Returns which parameters are kernels: of the input 0, of the head 1, then layer by layer."""
        shapes = self._shapes()
        names = [name for name in IN_LAYER if name.endswith("kernel")]
        of_operation = [[name in OF_OPERATION[each] for name in names] for each in self.space.operations]
        uses = jnp.asarray(of_operation)[arch[1:]]
        numbers = {name: jnp.full(shape, -1, jnp.int32) for name, shape in shapes.items()}
        numbers |= {"input_kernel": numbers["input_kernel"] + 1, "head_kernel": numbers["head_kernel"] + 2}
        for place, name in enumerate(names):
            own = 2 + place + len(names) * jnp.arange(NUM_LAYERS)
            numbers[name] = jnp.broadcast_to(jnp.where(uses[:, place], own, -1)[:, None, None], shapes[name])
        layer = {**{name: numbers[name] for name in AROUND}, "layers": {name: numbers[name] for name in IN_LAYER}}
        live = jax.tree.map(lambda each: (each >= 0).astype(jnp.float32), layer)
        return Kernels(live, layer, 2 + NUM_LAYERS * len(names))


def _made(name: str, shape: tuple[int, ...], key: jax.Array) -> jax.Array:
    if name.endswith("offset"):
        return jnp.zeros(shape)
    deviation = math.sqrt((1 if name == "head_kernel" else 2) / shape[name in IN_LAYER])
    return deviation * jax.random.normal(key, shape)
