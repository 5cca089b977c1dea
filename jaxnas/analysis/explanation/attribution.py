"""Contributions of an architecture's decisions: ablation paths and Shapley values from a reference, exactly."""

import itertools
import math
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from jaxnas.analysis.explanation.score_models import Scored
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import cardinalities, checked
from jaxnas.spaces.enumerated import are_valid

MOST_EXACT = 12
"""Decisions of which all subsets are looked up; of more, orders are drawn."""
NUM_ORDERS = 200
MOST_GRID = 2_000_000
"""Architectures of a complete grid that are all looked up."""


class Step(NamedTuple):
    """One step of an ablation path.

    Attributes:
        decisions: the numbers of the decisions that change, one unless single changes give no architecture.
        arch: the architecture after the step, int[D].
        score: its score.
        gain: by how much the step raised the score.
        standard_error: of the gain; NaN if unknown.
    """

    decisions: tuple[int, ...]
    arch: np.ndarray
    score: float
    gain: float
    standard_error: float


class Attribution(NamedTuple):
    """The contribution of each decision.

    Attributes:
        values: float64[D], 0 for decisions that do not differ; they sum to the difference of the two scores.
        standard_errors: float64[D], NaN if unknown.
        exact: whether all orders were counted rather than some drawn.
    """

    values: np.ndarray
    standard_errors: np.ndarray
    exact: bool


class Importance(NamedTuple):
    """The share of the variance of scores that each decision takes part in, with standard errors, float64[D] each.

    Errors are from the draws of architectures, 0 if all were counted; they exclude the errors of the scores themselves.
    """

    shares: np.ndarray
    standard_errors: np.ndarray


def ablation_path(scored: Scored, arch: ArrayLike, reference: ArrayLike) -> list[Step]:
    """Returns the steps that lead from a reference to an architecture, each the one of the largest gain.

    The gains sum to the difference of the two scores. The gain of a decision is on top of those before it,
    so later steps depend on earlier ones; see `shapley` for the mean over all orders. Fawcett and Hoos,
    "Analysing Differences between Algorithm Configurations through Ablation", Journal of Heuristics, 2016.

    Raises ValueError if one of them is not an architecture of the space.
    """
    found, goal = _both(scored, arch, reference)
    score = float(scored.means(found[None])[0])
    steps: list[Step] = []
    decisions: tuple[int, ...]
    while (left := np.flatnonzero(found != goal)).size:
        changed = np.where(np.eye(len(goal), dtype=bool), goal, found)  # a row a decision: constant shapes
        allowed = _are_valid(scored.space, changed) & (found != goal)
        if allowed.any():
            means = scored.means(np.where(allowed[:, None], changed, found))
            best = int(np.argmax(np.where(allowed, means, -np.inf)))
            decisions, after = (best,), changed[best]
        else:  # no single change leads to an architecture: all that is left at once
            decisions, after = tuple(left.tolist()), goal.copy()
        later = float(scored.means(after[None])[0])
        error = float(scored.errors(np.stack([found, after]), np.asarray([[-1.0, 1.0]]))[0])
        steps.append(Step(decisions, after, later, later - score, error))
        found, score = after, later
    return steps


def shapley(scored: Scored, arch: ArrayLike, reference: ArrayLike, *, seed: int = 0) -> Attribution:
    """Returns the Shapley value of each decision: its mean gain over all orders of changing a reference's.

    Exact if at most 12 decisions differ, by all of their subsets; beyond, over 200 orders and their reverses. Shapley,
    "A Value for n-Person Games", Contributions to the Theory of Games, 1953. Raises ValueError unless every
    mixture of the two is an architecture: there the value is not defined.
    """
    start, goal = _both(scored, arch, reference)
    left = np.flatnonzero(start != goal)
    if scored.space.constrained and len(left) > MOST_EXACT:
        raise ValueError(f"Expected at most {MOST_EXACT} differing decisions in a constrained space, got {len(left)}.")
    mixtures, weights, exact = _all_subsets(len(left)) if len(left) <= MOST_EXACT else _some_orders(len(left), seed)
    archs = np.repeat(start[None], len(mixtures), axis=0)
    archs[:, left] = np.where(mixtures, goal[left], start[left])
    if not _are_valid(scored.space, archs).all():
        raise ValueError(f"Expected every mixture of the two to be an architecture of {scored.space.name}.")
    values, errors = np.zeros((2, len(start)))
    values[left] = weights @ scored.means(archs)
    errors[left] = scored.errors(archs, weights)
    return Attribution(values, errors, exact)


def importance(scored: Scored, *, num_draws: int = 2000, seed: int = 0) -> Importance:
    """Returns the share of the variance of scores that a decision takes part in.

    It is the mean variance of the score over the values of the decision alone, over the variance: main effect and
    all interactions of the decision together, so shares sum to 1 or more. It is exact for a table of a complete
    grid, where `jaxnas.analysis.landscape` separates main effects from interactions. Elsewhere it is half the mean
    squared change of the score when the decision alone is drawn again, over random draws; invalid draws are
    omitted. Jansen, "Analysis of Variance Designs for Model Output", Computer Physics Communications, 1999.
    """
    space, sizes = scored.space, cardinalities(scored.space.decisions)
    if scored.exact and not space.constrained and math.prod(sizes.tolist()) <= MOST_GRID:
        scores = scored.means(np.indices(sizes.tolist()).reshape(len(sizes), -1).T).reshape(sizes)
        parts = np.asarray([scores.var(axis=decision).mean() for decision in range(len(sizes))])
        return Importance(parts / (scores.var() or 1.0), np.zeros(len(sizes)))
    random = np.random.default_rng(seed)
    archs = random.integers(0, sizes, (num_draws, len(sizes)))
    if space.constrained:
        archs = np.asarray(jax.jit(jax.vmap(space.sample))(jax.random.split(jax.random.key(seed), num_draws)))
    scores = scored.means(archs)
    shares, errors = np.zeros(len(sizes)), np.zeros(len(sizes))
    for decision, size in enumerate(sizes):
        changed = archs.copy()
        changed[:, decision] = random.integers(0, size, num_draws)
        kept = _are_valid(scored.space, changed)
        if kept.any() and scores.var() > 0:
            moved = scored.means(np.where(kept[:, None], changed, archs))[kept] - scores[kept]
            shares[decision] = (moved**2).mean() / (2 * scores.var())
            left = moved**2 / 2 - shares[decision] * (scores[kept] - scores.mean()) ** 2  # linear part of the ratio
            errors[decision] = left.std() / (math.sqrt(len(left)) * scores.var())
    return Importance(shares, errors)


def _all_subsets(number: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Returns all subsets bool[2**n, n], and the weight of each in the value of each member, float64[n, 2**n]."""
    mixtures = (np.arange(2**number)[:, None] >> np.arange(number)) % 2 == 1
    size = mixtures.sum(1)
    orders = np.asarray(
        [math.factorial(each) * math.factorial(max(number - each - 1, 0)) for each in range(number + 1)]
    )
    share = orders / math.factorial(number) if number else np.ones(1)
    with_it = share[np.maximum(size - 1, 0)]  # the mixture before it came
    return mixtures, np.where(mixtures, with_it[:, None], -share[size][:, None]).T, True


def _some_orders(number: int, seed: int) -> tuple[np.ndarray, np.ndarray, bool]:
    random = np.random.default_rng(seed)
    drawn = [random.permutation(number) for _ in range(NUM_ORDERS)]
    subsets: dict[tuple[bool, ...], int] = {}
    changes: list[tuple[int, int, int]] = []
    for order in itertools.chain(drawn, (each[::-1] for each in drawn)):
        mixture = [False] * number
        before = subsets.setdefault(tuple(mixture), len(subsets))
        for decision in order:
            mixture[decision] = True
            after = subsets.setdefault(tuple(mixture), len(subsets))
            changes.append((decision, before, after))
            before = after
    weights = np.zeros((number, len(subsets)))
    for decision, before, after in changes:
        weights[decision, after] += 1 / (2 * NUM_ORDERS)
        weights[decision, before] -= 1 / (2 * NUM_ORDERS)
    return np.asarray(list(subsets)), weights, False


def _are_valid(space: Space, archs: np.ndarray) -> np.ndarray:
    """Returns which vectors of choices [n, D] are architectures of the space, bool[n]."""
    return np.asarray(are_valid(space, archs)) if space.constrained else np.ones(len(archs), bool)


def _both(scored: Scored, arch: ArrayLike, reference: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns the reference and the architecture, int64[D]. Raises ValueError if one is not in the space."""
    start, goal = (
        np.asarray(checked(each, scored.space.decisions)) for each in (np.asarray(reference), np.asarray(arch))
    )
    if not _are_valid(scored.space, np.stack([start, goal])).all():
        raise ValueError(f"Expected two architectures of {scored.space.name}, got others.")
    return start, goal
