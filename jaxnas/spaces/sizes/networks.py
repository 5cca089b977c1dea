"""Networks of a width for each layer as a kind: how they are initialized, applied, shared, trained and sized.

All are computed at the largest widths, with masks that keep the channels beyond an architecture's at 0: the numbers are
the same as in the narrow network. So a narrower layer of the supernet is the first channels of the widest one (Yu et
al., "Slimmable Neural Networks", ICLR 2019).
"""

from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.layers.blocks import AFFINE, KERNEL, Block, Scope, Values, size_of
from jaxnas.spaces.layers.modules import LayerChain
from jaxnas.spaces.sizes.blocks import reads_input
from jaxnas.spaces.sizes.network import Widths, blocks, live_channels, pairs, sliced
from jaxnas.spaces.sizes.space import SizeSpace
from jaxnas.training.config import TrainConfig
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied, Kernels, ScoredNetworks, SharedNetworks, Size, Variables
from jaxnas.training.recorder import BLOCK, SILENT, Recorder

Live = tuple[jax.Array | None, jax.Array | None]


@final
class SizeNetworks(ScoredNetworks, SharedNetworks):
    """The networks of a space of widths; of each block the arrays are a dict of parameters and one of statistics."""

    space: SizeSpace
    inputs = ("images",)
    default = TrainConfig(network=Widths())
    plans: ClassVar = {"sequential": sequential_plan("masked-sequential-1")}

    def _blocks(self) -> tuple[Block, ...]:
        """Returns the blocks of the widest network."""
        return blocks(self.space, self.config.network, self.spec, None)

    def _around(self, arch: jax.Array) -> list[Live]:
        """Returns which channels of an architecture go into each block, and come out of it."""
        return pairs(live_channels(self.space, self.config.network, arch))

    def init(self, key: jax.Array, arch: jax.Array | None = None) -> Variables:
        """Returns the initial arrays of an architecture; for the supernet, of the widest one.

        Kernels have the same variance as in the narrow network, and zeros beyond it.
        """
        shared = arch is None
        if arch is None:
            arch = jnp.full(self.space.num_layers, int(np.argmax(self.space.channels)), jnp.int32)
        parameters = []
        for number, (block, around) in enumerate(zip(self._blocks(), self._around(arch), strict=True)):
            arrays = block.parameters().items()
            keys = [jax.random.fold_in(key, 100 * number + each) for each in range(len(arrays))]
            made = zip(arrays, keys, strict=True)
            parameters.append({name: _initial(name, values, around, own) for (name, values), own in made})
        return Variables(parameters, () if shared else self._statistics())

    def _statistics(self) -> list[dict[str, jax.Array]]:
        return [
            {name: jnp.full(each.shape, each.mean, jnp.float32) for name, each in block.statistics().items()}
            for block in self._blocks()
        ]

    def apply(
        self, variables: Variables, choice: jax.Array, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the logits [N, K] of images [N, H, W, C], and the statistics after them: in training, the batch's."""
        x, changed, made = jnp.transpose(inputs, (3, 1, 2, 0)), [], self._blocks()
        before = variables.statistics or self._statistics()
        each = zip(made, self._around(choice), variables.parameters, before, strict=True)
        for number, (block, around, parameters, statistics) in enumerate(each):
            scope = Scope(parameters, statistics, mode == "train", recorder)
            scope.live_inputs, scope.live = around
            x = block.compute(x, scope)
            if number < len(made) - 1:
                x = recorder(BLOCK, x, number, around[1])
            changed.append(scope.changed)
        return Applied(x, changed)

    def module(self, arch: tuple[int, ...], variables: Variables) -> LayerChain:
        own = blocks(self.space, self.config.network, self.spec, arch)
        arrays = [
            (sliced(block, parameters, 0), sliced(block, statistics, 1))
            for block, parameters, statistics in zip(own, *variables, strict=True)
        ]
        return LayerChain(arch, own, arrays)

    def size(self, arch: tuple[int, ...]) -> Size:
        return size_of(blocks(self.space, self.config.network, self.spec, tuple(map(int, arch))))

    def kernels(self, arch: jax.Array) -> Kernels:
        """Returns which parameters are kernels of an architecture; layers are numbered from the input on.

        A skip connection between layers of one width is an identity, whose kernel does not live.
        """
        live, layers, number = [], [], 0
        for block, (before, after) in zip(self._blocks(), self._around(arch), strict=True):
            mask_of: dict[str, jax.Array] = {}
            layer_of: dict[str, jax.Array] = {}
            for name, values in block.parameters().items():
                mask = jnp.zeros(values.shape, bool)
                if name.endswith(KERNEL):
                    mask = _kernel_mask(name, values, (before, after))[0]
                    if name.startswith("0-3") and before is not None and after is not None:
                        mask &= before.sum() != after.sum()
                    number += 1
                mask_of[name] = mask.astype(jnp.float32)
                layer_of[name] = jnp.where(mask, number - 1, -1).astype(jnp.int32)
            live.append(mask_of)
            layers.append(layer_of)
        return Kernels(live, layers, number)

    def trained(self) -> list[dict]:
        """Returns 1 for the parameters that are trained, 0 for scales and biases of batch normalization."""
        return [
            {name: np.float32(not name.endswith(AFFINE)) for name in block.parameters()} for block in self._blocks()
        ]

    def used(self, arch: jax.Array) -> list[dict[str, Any]]:
        """Returns 1 for the parameters that an architecture uses: in kernels, the parameters of live channels."""
        return [
            {name: mask if name.endswith(KERNEL) else jnp.ones(()) for name, mask in masks.items()}
            for masks in self.kernels(arch).live
        ]


def _initial(name: str, values: Values, around: Live, key: jax.Array) -> jax.Array:
    if not name.endswith(KERNEL):
        return jnp.full(values.shape, values.mean, jnp.float32)
    mask, inputs = _kernel_mask(name, values, around)
    factor = 1.0 if inputs is None else jnp.sqrt(values.shape[-2] / inputs.sum())
    noise = jax.random.normal(key, (values.size,)).reshape(values.shape)  # drawn flat: quicker to compile
    return jnp.where(mask, values.deviation * factor * noise, 0)


def _kernel_mask(name: str, values: Values, around: Live) -> tuple[jax.Array, jax.Array | None]:
    """Returns which numbers of a kernel [..., inputs, outputs] are live, and which of its inputs are."""
    before, after = around
    inputs = before if reads_input(name) else after
    outputs = None if name.startswith("output") else after
    mask = jnp.ones(values.shape, bool)
    if inputs is not None:
        mask &= inputs[:, None]
    return (mask if outputs is None else mask & outputs), inputs
