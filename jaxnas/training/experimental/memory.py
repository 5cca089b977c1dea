"""Whether a compiled program fits into the memory of the device that it is for."""

import jax
import jax.numpy as jnp

SHARE = 0.9
"""Of the memory that is free, which fragments cannot all be used."""


def free_bytes() -> int | None:
    """Returns the memory of the default device that programs may take; None if the device does not report it (CPU)."""
    (device,) = jnp.zeros(()).devices()
    found = device.memory_stats() or {}
    return int(SHARE * (found["bytes_limit"] - found.get("bytes_in_use", 0))) if "bytes_limit" in found else None


def bytes_of(program: jax.stages.Compiled) -> int:
    """Returns the memory that a program takes besides its arguments, as planned by its compiler; 0 without a plan."""
    planned = program.memory_analysis()
    return 0 if planned is None else int(planned.temp_size_in_bytes + planned.output_size_in_bytes)


def fitting(count: int, needed: int, free: int) -> int:
    """Returns how many things to compute together: `count` if they fit into free memory, else a power of two below.

    Args:
        needed, free: bytes, of `count` things.
    """
    if needed <= free or count == 1:
        return count
    most = min(max(count * max(free, 0) // needed, 1), count - 1)
    return 1 << (most.bit_length() - 1)
