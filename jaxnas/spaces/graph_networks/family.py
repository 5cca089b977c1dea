"""Graph networks as a kind of network: how they are initialized, applied, trained and sized."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.graph_networks import network
from jaxnas.spaces.graph_networks.network import AROUND, IN_LAYER, OF_OPERATION, GraphNetwork, GraphStates
from jaxnas.spaces.graph_networks.space import NUM_LAYERS, SKIP, GraphNetworkSpace
from jaxnas.spaces.layers.blocks import Seen
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.graphs import num_features
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Family, Kernels, Size, Variables
from jaxnas.training.loop import sequential_plan
from jaxnas.training.taps import Tap


def init(space: GraphNetworkSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays, which do not depend on the architecture: kernels of variance 2 / fan-in."""
    shapes = _shapes(config, spec)
    keys = jax.random.split(key, len(shapes))
    made = {name: _made(name, shape, own) for (name, shape), own in zip(shapes.items(), keys, strict=True)}
    return Variables({**{name: made[name] for name in AROUND}, "layers": {name: made[name] for name in IN_LAYER}})


def _shapes(config: TrainConfig, spec: TaskSpec) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of all arrays, of those in layers with an axis of layers."""
    width = config.network.width
    own = {name: (width, width) if name.endswith("kernel") else (width,) for name in IN_LAYER}
    return {
        **{name: (NUM_LAYERS, *shape) for name, shape in own.items()},
        "input_kernel": (num_features(spec.shape), width),
        "input_offset": (width,),
        "head_kernel": (2 * width, spec.num_outputs),
        "head_offset": (spec.num_outputs,),
    }


def _made(name: str, shape: tuple[int, ...], key: jax.Array) -> jax.Array:
    if name.endswith("offset"):
        return jnp.zeros(shape)
    deviation = math.sqrt((1 if name == "head_kernel" else 2) / shape[name in IN_LAYER])
    return deviation * jax.random.normal(key, shape)


def apply(
    space: GraphNetworkSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    *,
    mode: str,
) -> Applied:
    """Returns the outputs [N, K] of graphs [N, A, F + A]."""
    return Applied(network.outputs(space, network.decided(space, arch), variables.parameters, inputs))


def tapped(
    space: GraphNetworkSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    tap: Tap,
    *,
    mode: str,
) -> tuple[jax.Array, Any]:
    """Returns the outputs of `apply`, and what a tap found; blocks are what enters the layers, and each of them."""
    seen = Seen(tap, len(inputs))
    return network.outputs(space, network.decided(space, arch), variables.parameters, inputs, seen), seen.statistics


def kernels(space: GraphNetworkSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels of the architecture: of the input 0, of the head 1, then layer by layer."""
    shapes = _shapes(config, spec)
    names = [name for name in IN_LAYER if name.endswith("kernel")]
    uses = jnp.asarray([[name in OF_OPERATION[each] for name in names] for each in space.operations])[arch[1:]]
    numbers = {name: jnp.full(shape, -1, jnp.int32) for name, shape in shapes.items()}
    numbers |= {"input_kernel": numbers["input_kernel"] + 1, "head_kernel": numbers["head_kernel"] + 2}
    for place, name in enumerate(names):
        own = 2 + place + len(names) * jnp.arange(NUM_LAYERS)
        numbers[name] = jnp.broadcast_to(jnp.where(uses[:, place], own, -1)[:, None, None], shapes[name])
    layer = {**{name: numbers[name] for name in AROUND}, "layers": {name: numbers[name] for name in IN_LAYER}}
    live = jax.tree.map(lambda each: (each >= 0).astype(jnp.float32), layer)
    return Kernels(live, layer, 2 + NUM_LAYERS * len(names))


def module(
    space: GraphNetworkSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> GraphNetwork:
    """Returns the network of an architecture with the arrays of a training of it, or with those it starts from."""
    if variables is None:
        variables = init(space, config, spec, jnp.asarray(arch), jax.random.key(0))
    arrays, layers = {name: variables.parameters[name] for name in AROUND}, variables.parameters["layers"]
    arrays["layers"] = [
        {name: layers[name][number] for name in OF_OPERATION[space.operations[operation]]}
        for number, operation in enumerate(arch[1:])
    ]
    return GraphNetwork(space, spec, arch, arrays)


def size(space: GraphNetworkSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...]) -> Size:
    """Returns the `Size` of the network of an architecture for a graph of the most nodes; all pairs of them count."""
    shapes, (nodes, _) = _shapes(config, spec), spec.shape
    names = [space.operations[int(each)] for each in arch[1:]]
    arrays = [*AROUND, *(name for operation in names for name in OF_OPERATION[operation])]
    parameters = sum(math.prod(shapes[name][name in IN_LAYER :]) for name in arrays)
    head = sum(math.prod(shapes[name]) for name in AROUND[2:])
    products = sum(_NUM_PRODUCTS[name] for name in names) * nodes * nodes * config.network.width
    return Size(parameters, nodes * (parameters - head) + head + products)


_NUM_PRODUCTS = {"cheb": 2, "fc": 0, SKIP: 0, **dict.fromkeys(("gat", "gcn", "gin", "sage", "arma", "graph"), 1)}
"""Products of states with a matrix of all pairs of nodes."""

FAMILY = Family(
    config=TrainConfig(
        num_epochs=20,
        batch_size=32,
        learning_rate=3e-3,
        weight_decay=0.0,
        network=GraphStates(),
        optimizer="adam",
        clip=1.0,
    ),
    inputs=("graphs",),
    init=init,
    apply=apply,
    kernels=kernels,
    module=module,
    size=size,
    plans={"sequential": sequential_plan("graph-networks-sequential-1", init, apply)},
    tapped=tapped,
    goals=("class", "value"),
)
