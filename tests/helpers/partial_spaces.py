"""Spaces in which not every vector of choices is an architecture, for contract tests."""

import jax.numpy as jnp
from helpers.samples import SMALL, SMALL_MLP

import jaxnas as jn
from jaxnas.spaces.listed import ListedSpace
from jaxnas.spaces.search_space import SearchSpace

CONSTRAINED = SearchSpace(
    "constrained", tuple(jn.Decision(name, range(3)) for name in "abcd"), valid=lambda arch: arch.sum() <= 4
)
"""A space whose architectures have rows: 50 of 81 vectors."""

UNNUMBERED = SearchSpace(
    "unnumbered",
    tuple(jn.Decision(f"gene{number}", range(4)) for number in range(20)),
    valid=lambda arch: jnp.abs(jnp.diff(arch)).max() < 3,
)
"""A space without rows: 4**20 vectors, about one in 13 of them an architecture."""

LISTED = ListedSpace(SMALL, range(0, 125, 3), name="listed")
"""A third of a cell space."""

LISTED_MLP = ListedSpace(SMALL_MLP, [*range(5, 288, 4), 0, 0, 5], name="listed-mlp")
"""A part of a space of perceptrons, whose rows are neither ordered nor different."""

PARTIAL = {
    "constrained": CONSTRAINED,
    "listed": LISTED,
    "listed-mlp": LISTED_MLP,
    "listed-rows": LISTED.enumerated(),
    "constrained-rows": CONSTRAINED.enumerated(),
}
"""Those with rows."""
