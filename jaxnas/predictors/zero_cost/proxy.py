"""What a zero-cost proxy is: a number that one program, a pass, makes of an untrained network."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np


class Pass(NamedTuple):
    """One program that measures an untrained network, shared by several proxies.

    Attributes:
        name: in progress and in the files of a pack.
        measure: `(networks, arch, key, batch) -> dict` of arrays, pure; under `jax.vmap` over keys; the first
            argument is static, a `Networks`.
        inside: whether it asks for kernels or inner arrays, which `ScoredNetworks` have.
    """

    name: str
    measure: Callable[..., dict[str, jax.Array]]
    inside: bool = False


class Proxy(NamedTuple):
    """A zero-cost proxy.

    Attributes:
        text: what it is, in a line.
        source: the pass that measures what it is made of.
        score: `(measured) -> float64[A, I]` of the arrays [A, I, ...] that the pass gives, in NumPy.
        better: 1 where a larger value is meant to be the better network's, -1 where a smaller one is, as the paper
            that the proxy is from has it.
    """

    text: str
    source: Pass
    score: Callable[[dict[str, np.ndarray]], np.ndarray]
    better: int = 1
