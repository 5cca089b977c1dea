"""Chains of blocks as a kind of network: how they are initialized, applied, trained and sized."""

from typing import ClassVar, final

import jax
import jax.numpy as jnp

from jaxnas.spaces.layers import blocks
from jaxnas.spaces.layers.blocks import Slot, run_slot
from jaxnas.spaces.layers.modules import LayerChain
from jaxnas.spaces.macro.baselines import ChainBaselines
from jaxnas.spaces.macro.network import Chain, slots
from jaxnas.spaces.macro.space import BlockSpace
from jaxnas.training.config import TrainConfig
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied, Kernels, ScoredNetworks, Size, Variables
from jaxnas.training.recorder import BLOCK, SILENT, Recorder


@final
class ChainNetworks(ScoredNetworks):
    """The networks of a space of chains; of each slot the arrays are a vector of parameters and one of statistics."""

    space: BlockSpace | ChainBaselines
    inputs = ("images",)
    default = TrainConfig(network=Chain(), num_epochs=8, batch_size=128, learning_rate=0.3)
    plans: ClassVar = {"sequential": sequential_plan("chain-sequential-2")}
    baselines = "jaxnas.spaces.macro.baselines:BASELINE_CHAINS"

    def _filled(self, arch: tuple[int, ...] | jax.Array) -> list[tuple[Slot, int | jax.Array]]:
        """Returns the slots from the input on, each with the number of the architecture's block."""
        found = slots(self.space.stages, self.space.blocks, self.config.network, self.spec)
        return list(zip(found, [0, *self.space.layers(arch), 0], strict=True))

    def init(self, key: jax.Array, arch: jax.Array) -> Variables:
        return blocks.init_slots(self._filled(arch), key)

    def apply(
        self, variables: Variables, choice: jax.Array, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the logits [N, K] of images [N, H, W, C], and the statistics after them: in training, the batch's."""
        x, changed, filled = jnp.transpose(inputs, (3, 1, 2, 0)), [], self._filled(choice)
        each = zip(filled, variables.parameters, variables.statistics, strict=True)
        for number, ((slot, own), parameters, statistics) in enumerate(each):
            x, after = run_slot(slot, own, x, parameters, statistics, mode == "train", recorder)
            x = recorder(BLOCK, x, number) if number < len(filled) - 1 else x
            changed.append(after)
        return Applied(x, changed)

    def module(self, arch: tuple[int, ...], variables: Variables) -> LayerChain:
        used = [slot[choice] for slot, choice in self._filled(arch)]
        return LayerChain(arch, used, blocks.unpacked(used, variables))

    def size(self, arch: tuple[int, ...]) -> Size:
        return blocks.size_of([slot[choice] for slot, choice in self._filled(tuple(arch))])

    def kernels(self, arch: jax.Array) -> Kernels:
        """Returns which parameters are kernels of an architecture's blocks; layers are numbered from the input on."""
        return blocks.kernels_of_slots(self._filled(arch))
