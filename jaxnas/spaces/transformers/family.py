"""Transformers as a kind of network: how they are initialized, applied, trained and sized.

All architectures are computed at the largest sizes, where masks keep what lies beyond an architecture's own at 0.
Absent layers and other mixers do not run.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces.layers.blocks import Seen
from jaxnas.spaces.transformers import network
from jaxnas.spaces.transformers.network import AROUND, IN_LAYER, TAPS, Decided, Layer, TransformerNetwork, is_used
from jaxnas.spaces.transformers.space import TransformerSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Applied, Family, Kernels, Size, Variables
from jaxnas.training.loop import sequential_plan
from jaxnas.training.taps import Tap

POSITION_DEVIATION = 0.1


def init(space: TransformerSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays: kernels of variance 1 / fan-in, that of the architecture's sizes, 0 beyond them."""
    choice, sizes = network.decided(space, arch), network.sizes_of(space, spec)
    around = _made(AROUND, sizes, spec, choice.width, choice.layers[0], jax.random.fold_in(key, 0))
    layers = [
        _made(IN_LAYER, sizes, spec, choice.width, layer, jax.random.fold_in(key, number))
        for number, layer in enumerate(choice.layers, 1)
    ]
    return Variables({**around, "layers": layers})


def _made(
    axes: dict[str, tuple[str, ...]], sizes: dict[str, int], spec: TaskSpec, width: Any, layer: Layer, key: jax.Array
) -> dict[str, jax.Array]:
    own = _own_sizes(sizes, width, layer)
    found = {}
    for number, (name, kinds) in enumerate(axes.items()):
        shape = tuple(sizes[kind] for kind in kinds)
        if name.endswith(("kernel", "positions")):
            is_token = name == "input_kernel" and spec.kind == "tokens"  # of which one is not 0
            by_inputs = 1 / jnp.sqrt(1 if is_token else own[kinds[0]])
            deviation = POSITION_DEVIATION if name == "positions" else by_inputs
            noise = jax.random.normal(jax.random.fold_in(key, number), (math.prod(shape),)).reshape(shape)
            found[name] = jnp.where(_live(kinds, sizes, own), deviation * noise, 0)
        else:
            found[name] = jnp.full(shape, name.endswith("scale"), jnp.float32)
    return found


def _own_sizes(sizes: dict[str, int], width: Any, layer: Layer) -> dict[str, Any]:
    return {**sizes, "width": width, "heads": layer.heads, "hidden": layer.hidden}


def _live(kinds: tuple[str, ...], sizes: dict[str, int], own: dict[str, Any]) -> jax.Array:
    """Returns which numbers of an array are the architecture's own, of the shape of the array."""
    masks = [jnp.arange(sizes[kind]) < own[kind] for kind in kinds]
    return masks[0] if len(masks) == 1 else masks[0][:, None] & masks[1]


def apply(
    space: TransformerSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    *,
    mode: str,
) -> Applied:
    """Returns the outputs [N, K], or [N, T, K] where the goal has one a step, of inputs [N, T, F] or tokens [N, T]."""
    choice = network.decided(space, arch)
    return Applied(network.outputs(space, spec, choice, variables.parameters, inputs, mode=mode))


def tapped(
    space: TransformerSpace,
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
    seen, choice = Seen(tap, len(inputs)), network.decided(space, arch)
    return network.outputs(space, spec, choice, variables.parameters, inputs, seen, mode), seen.statistics


def kernels(space: TransformerSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels of the architecture: of the input 0, of the head 1, then layer by layer."""
    choice, sizes = network.decided(space, arch), network.sizes_of(space, spec)
    live: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    count = 0

    def add(lives: dict, layers: dict, name: str, kinds: tuple[str, ...], layer: Layer, present: Any) -> None:
        nonlocal count
        mask = jnp.zeros(tuple(sizes[kind] for kind in kinds), bool)
        if name.endswith("kernel"):
            mask = _live(kinds, sizes, _own_sizes(sizes, choice.width, layer)) & present
            count += 1
        lives[name] = mask.astype(jnp.float32)
        layers[name] = jnp.where(mask, count - 1, -1).astype(jnp.int32)

    for name, kinds in AROUND.items():
        add(live, numbers, name, kinds, choice.layers[0], True)
    live["layers"], numbers["layers"] = [], []
    for number, layer in enumerate(choice.layers):
        lives: dict[str, jax.Array] = {}
        layers: dict[str, jax.Array] = {}
        for name, kinds in IN_LAYER.items():
            uses = jnp.asarray([is_used(name, mixer) for mixer in space.mixers])[layer.mixer]
            add(lives, layers, name, kinds, layer, uses & (number < choice.depth))
        live["layers"].append(lives)
        numbers["layers"].append(layers)
    return Kernels(live, numbers, count)


def module(
    space: TransformerSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> TransformerNetwork:
    """Returns the network of an architecture with the arrays of a training of it, or with those it starts from."""
    if variables is None:
        variables = init(space, config, spec, jnp.asarray(arch), jax.random.key(0))
    choice, sizes = network.decided(space, arch), network.sizes_of(space, spec)

    def sliced(axes: dict[str, tuple[str, ...]], arrays: dict, layer: Layer, mixer: str) -> dict[str, jax.Array]:
        own = _own_sizes(sizes, choice.width, layer)
        return {
            name: arrays[name][tuple(slice(own[kind]) for kind in kinds)]
            for name, kinds in axes.items()
            if is_used(name, mixer)
        }

    arrays: dict[str, Any] = sliced(AROUND, variables.parameters, choice.layers[0], space.mixers[0])
    pairs = zip(variables.parameters["layers"][: choice.depth], choice.layers, strict=False)
    arrays["layers"] = [sliced(IN_LAYER, each, layer, space.mixers[layer.mixer]) for each, layer in pairs]
    return TransformerNetwork(space, spec, arch, arrays)


def size(space: TransformerSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...]) -> Size:
    """Returns the `Size` of the network of an architecture: products of attention and of transforms are counted."""
    choice, sizes = network.decided(space, tuple(map(int, arch))), network.sizes_of(space, spec)
    steps, width, num_outputs = sizes["steps"], choice.width, spec.num_outputs
    parameters = _count(AROUND, _own_sizes(sizes, width, choice.layers[0]), space.mixers[0])
    flops = steps * (sizes["features"] + 1) * width
    flops += (width + 1) * num_outputs * (steps if GOALS[spec.goal].each_step else 1)
    for layer in choice.layers[: choice.depth]:
        mixer = space.mixers[layer.mixer]
        parameters += _count(IN_LAYER, _own_sizes(sizes, width, layer), mixer)
        flops += _layer_flops(choice, layer, mixer, steps)
    return Size(parameters, flops)


def _count(axes: dict[str, tuple[str, ...]], own: dict[str, int], mixer: str) -> int:
    return sum(math.prod(own[kind] for kind in kinds) for name, kinds in axes.items() if is_used(name, mixer))


def _layer_flops(choice: Decided, layer: Layer, mixer: str, steps: int) -> int:
    width, linear = choice.width, choice.width * (choice.width + 1)
    mixed = {
        "attention": 4 * linear + 2 * steps * width,
        "conv5": 2 * linear + TAPS * width,
        "fourier": 2 * (steps + width // layer.heads) * width,
    }
    return steps * (mixed[mixer] + (width + 1) * layer.hidden + (layer.hidden + 1) * width)


FAMILY = Family(
    config=TrainConfig(num_epochs=12, batch_size=64, learning_rate=3e-3, weight_decay=0.0, optimizer="adam", clip=1.0),
    inputs=("sequences", "tokens", "images"),
    init=init,
    apply=apply,
    kernels=kernels,
    module=module,
    size=size,
    plans={"sequential": sequential_plan("transformer-sequential-1", init, apply)},
    tapped=tapped,
    goals=("class", "tags", "value"),
    baselines="jaxnas.spaces.recurrent.baselines:BASELINE_CELLS",
)
