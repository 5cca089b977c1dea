"""Zero-cost proxies: a number that one program, a pass, computes from an untrained network."""

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
        text: a description in one line.
        source: the pass that measures its inputs.
        score: `(measured) -> float64[A, I]` of the arrays [A, I, ...] that the pass returns, in NumPy.
        better: 1 if larger values should mean better networks, -1 if smaller ones should, according to the proxy's
            paper.
    """

    text: str
    source: Pass
    score: Callable[[dict[str, np.ndarray]], np.ndarray]
    better: int = 1
