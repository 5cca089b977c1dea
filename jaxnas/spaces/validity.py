"""Spaces in which not every vector of choices is an architecture: draws, picks and repairs of valid ones."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng
from jaxnas.checks import checked_function
from jaxnas.spaces.decisions import sample
from jaxnas.spaces.enumerated import Vectors

NUM_REPAIRS = 8
_NUM_DRAWS = 10_000


def everything(arch: jax.Array) -> jax.Array:
    """Returns true: every vector of choices is an architecture."""
    return jnp.ones(np.shape(arch)[:-1], bool)


def check_traceable(valid: Callable[[jax.Array], jax.Array], num_decisions: int) -> None:
    """Raises ValueError if a function cannot be traced, or does not return one bool of an architecture."""
    try:
        found = jax.eval_shape(checked_function("valid", valid), jax.ShapeDtypeStruct((num_decisions,), jnp.int32))
    except jax.errors.JAXTypeError as error:
        hint = "`valid` is traced: write &, | and jnp.where in place of `and`, `or`, `if` and functions of NumPy."
        raise ValueError(f"{hint} Expected a function of JAX, got {type(error).__name__}.") from error
    if getattr(found, "shape", None) != ():
        raise ValueError(f"Expected `valid` to return one bool of int32[{num_decisions}], got {found!s:.60}.")


def pick(key: jax.Array, archs: jax.Array, members: jax.Array) -> jax.Array:
    """Returns one of the architectures int32[K, D] that are members, bool[K], uniformly; the first if none is."""
    numbers = jnp.cumsum(members)
    return archs[jnp.argmax(numbers > prng.draw_index(key, numbers[-1]))]


def valid_sample(space: Vectors, key: jax.Array) -> jax.Array:
    """Returns the first valid one of uniform draws, int32[D]. Raises ValueError if none of 10,000 draws is."""
    _check_satisfiable(space)

    def again(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        number, _ = carry
        return number + 1, sample(jax.random.fold_in(key, number), space.decisions)

    start = (jnp.int32(0), sample(key, space.decisions))
    return jax.lax.while_loop(lambda carry: jnp.logical_not(space.valid(carry[1])), again, start)[1]


def repaired(space: Vectors, key: jax.Array, arch: jax.Array) -> jax.Array:
    """Returns the first architecture on a random walk from a vector of choices, or else a sample, int32[D].

    A step goes to a valid vector if there is one a move away, and to any vector a move away otherwise.
    """

    def step(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        number, arch = carry
        moves = space.moves(arch)
        valid = jax.vmap(space.valid)(moves)
        members = jnp.where(valid.any(), valid, (moves != arch).any(-1))
        return number + 1, pick(jax.random.fold_in(key, number), moves, members)

    def must_move(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        number, arch = carry
        return (number < NUM_REPAIRS) & jnp.logical_not(space.valid(arch))

    _, found = jax.lax.while_loop(must_move, step, (jnp.int32(0), arch))
    return jnp.where(space.valid(found), found, space.sample(jax.random.fold_in(key, NUM_REPAIRS)))


@functools.lru_cache(maxsize=8)
def _check_satisfiable(space: Vectors) -> None:
    with jax.ensure_compile_time_eval():
        keys = jax.random.split(jax.random.key(0), _NUM_DRAWS)
        valid = jax.jit(jax.vmap(lambda key: space.valid(sample(key, space.decisions))))(keys)
    if not np.asarray(valid).any():
        raise ValueError(
            f"Expected a space with valid architectures, got {space.name} with none of {_NUM_DRAWS:,} random vectors."
        )
