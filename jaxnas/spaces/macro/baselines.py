"""Chains of one block of the literature, as a space of two: baselines, trained as searched chains are."""

from dataclasses import dataclass, field
from typing import ClassVar, final

import jax

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Decision
from jaxnas.spaces.macro.space import STAGES

CITES = ("he2016deep", "sandler2018mobilenetv2")

BLOCKS = ("residual", "mbconv_k3_e6")


@final
@dataclass(frozen=True)
class ChainBaselines(Space):
    """The space of two chains with the stages, channels and head of NAS-Bench-Macro's.

    Their layers are the basic blocks of residual networks (ResNet; He et al., CVPR 2016), or the inverted bottlenecks
    of MobileNetV2 (Sandler et al., CVPR 2018), kernels of 3 and six-fold channels, which no layer of NAS-Bench-Macro
    may be.

    Attributes:
        stages: the number of layers of each stage.
        blocks: the names of a layer's blocks.
    """

    name: str = "macro-references"
    stages: tuple[int, ...] = STAGES
    decisions: tuple[Decision, ...] = field(
        default=(Decision("network", ("ResNet", "MobileNetV2")),), init=False, repr=False
    )
    networks: ClassVar[str] = "jaxnas.spaces.macro.networks:ChainNetworks"
    blocks: ClassVar[tuple[str, ...]] = BLOCKS

    def layers(self, arch: tuple[int, ...] | jax.Array) -> list:
        """Returns the number of each layer's block."""
        return [arch[0]] * sum(self.stages)


BASELINE_CHAINS = ChainBaselines()
