"""Transformers as a kind of network: how they are initialized, applied, trained and sized.

All architectures are computed at the largest sizes, with masks that keep the parts beyond an architecture's at 0.
Absent layers and other mixers do not run.
"""

import math
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp

from jaxnas.spaces.transformers import network
from jaxnas.spaces.transformers.network import AROUND, IN_LAYER, TAPS, Decided, Layer, TransformerNetwork, is_used
from jaxnas.spaces.transformers.space import TransformerSpace
from jaxnas.tasks.goals import GOALS
from jaxnas.training.config import TrainConfig
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied, Kernels, ScoredNetworks, Size, Variables
from jaxnas.training.recorder import SILENT, Recorder

POSITION_DEVIATION = 0.1


@final
class TransformerNetworks(ScoredNetworks):
    """The networks of a space of transformers."""

    space: TransformerSpace
    inputs = ("sequences", "tokens", "images")
    goals = ("class", "tags", "value")
    default = TrainConfig(
        num_epochs=12, batch_size=64, learning_rate=3e-3, weight_decay=0.0, optimizer="adam", clip=1.0
    )
    plans: ClassVar = {"sequential": sequential_plan("transformer-sequential-1")}
    baselines = "jaxnas.spaces.recurrent.baselines:BASELINE_CELLS"

    def init(self, key: jax.Array, arch: jax.Array) -> Variables:
        """Returns the initial arrays: kernels of variance 1 / the architecture's fan-in, 0 beyond its sizes."""
        choice = network.decided(self.space, arch)
        around = self._made(AROUND, choice.width, choice.layers[0], jax.random.fold_in(key, 0))
        layers = [
            self._made(IN_LAYER, choice.width, layer, jax.random.fold_in(key, number))
            for number, layer in enumerate(choice.layers, 1)
        ]
        return Variables({**around, "layers": layers})

    def _made(self, axes: dict[str, tuple[str, ...]], width: Any, layer: Layer, key: jax.Array) -> dict[str, jax.Array]:
        sizes = network.sizes_of(self.space, self.spec)
        own = _own_sizes(sizes, width, layer)
        found = {}
        for number, (name, kinds) in enumerate(axes.items()):
            shape = tuple(sizes[kind] for kind in kinds)
            if name.endswith(("kernel", "positions")):
                is_token = name == "input_kernel" and self.spec.kind == "tokens"  # of which one is not 0
                by_inputs = 1 / jnp.sqrt(1 if is_token else own[kinds[0]])
                deviation = POSITION_DEVIATION if name == "positions" else by_inputs
                noise = jax.random.normal(jax.random.fold_in(key, number), (math.prod(shape),)).reshape(shape)
                found[name] = jnp.where(_live(kinds, sizes, own), deviation * noise, 0)
            else:
                found[name] = jnp.full(shape, name.endswith("scale"), jnp.float32)
        return found

    def apply(
        self, variables: Variables, choice: jax.Array, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the outputs [N, K], or [N, T, K] with one a step, of inputs [N, T, F] or tokens [N, T].

        Blocks are the input of the layers, and each layer.
        """
        decided = network.decided(self.space, choice)
        return Applied(network.outputs(self.space, self.spec, decided, variables.parameters, inputs, recorder, mode))

    def module(self, arch: tuple[int, ...], variables: Variables) -> TransformerNetwork:
        choice, sizes = network.decided(self.space, arch), network.sizes_of(self.space, self.spec)

        def sliced(axes: dict[str, tuple[str, ...]], arrays: dict, layer: Layer, mixer: str) -> dict[str, jax.Array]:
            own = _own_sizes(sizes, choice.width, layer)
            return {
                name: arrays[name][tuple(slice(own[kind]) for kind in kinds)]
                for name, kinds in axes.items()
                if is_used(name, mixer)
            }

        mixers = self.space.mixers
        arrays: dict[str, Any] = sliced(AROUND, variables.parameters, choice.layers[0], mixers[0])
        pairs = zip(variables.parameters["layers"][: choice.depth], choice.layers, strict=False)
        arrays["layers"] = [sliced(IN_LAYER, each, layer, mixers[layer.mixer]) for each, layer in pairs]
        return TransformerNetwork(self.space, self.spec, arch, arrays)

    def size(self, arch: tuple[int, ...]) -> Size:
        """Returns the `Size` of a network: products of attention and of transforms are counted."""
        choice, sizes = network.decided(self.space, tuple(map(int, arch))), network.sizes_of(self.space, self.spec)
        steps, width, mixers = sizes["steps"], choice.width, self.space.mixers
        parameters = _count(AROUND, _own_sizes(sizes, width, choice.layers[0]), mixers[0])
        flops = steps * (sizes["features"] + 1) * width
        flops += (width + 1) * self.spec.num_outputs * (steps if GOALS[self.spec.goal].each_step else 1)
        for layer in choice.layers[: choice.depth]:
            parameters += _count(IN_LAYER, _own_sizes(sizes, width, layer), mixers[layer.mixer])
            flops += _layer_flops(choice, layer, mixers[layer.mixer], steps)
        return Size(parameters, flops)

    def kernels(self, arch: jax.Array) -> Kernels:
        """Returns which parameters are kernels: of the input 0, of the head 1, then layer by layer."""
        choice, sizes = network.decided(self.space, arch), network.sizes_of(self.space, self.spec)
        count = 0

        def marked(axes: dict[str, tuple[str, ...]], layer: Layer, present: Any) -> tuple[dict, dict]:
            nonlocal count
            live, numbers = {}, {}
            for name, kinds in axes.items():
                mask = jnp.zeros(tuple(sizes[kind] for kind in kinds), bool)
                if name.endswith("kernel"):
                    uses = jnp.asarray([is_used(name, mixer) for mixer in self.space.mixers])[layer.mixer]
                    mask = _live(kinds, sizes, _own_sizes(sizes, choice.width, layer)) & present & uses
                    count += 1
                live[name] = mask.astype(jnp.float32)
                numbers[name] = jnp.where(mask, count - 1, -1).astype(jnp.int32)
            return live, numbers

        around = marked(AROUND, choice.layers[0], True)
        layers = [marked(IN_LAYER, layer, number < choice.depth) for number, layer in enumerate(choice.layers)]
        live, numbers = ({**around[kind], "layers": [each[kind] for each in layers]} for kind in (0, 1))
        return Kernels(live, numbers, count)


def _own_sizes(sizes: dict[str, int], width: Any, layer: Layer) -> dict[str, Any]:
    return {**sizes, "width": width, "heads": layer.heads, "hidden": layer.hidden}


def _live(kinds: tuple[str, ...], sizes: dict[str, int], own: dict[str, Any]) -> jax.Array:
    """Returns which numbers of an array are the architecture's own, of the shape of the array."""
    masks = [jnp.arange(sizes[kind]) < own[kind] for kind in kinds]
    return masks[0] if len(masks) == 1 else masks[0][:, None] & masks[1]


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
