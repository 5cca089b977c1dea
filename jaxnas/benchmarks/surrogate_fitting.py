"""Fitting surrogates to tables: complete ones, of which a share is used, or parts of a space that were built."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.benchmarks.surrogate import SurrogateBenchmark, target_of
from jaxnas.benchmarks.tabular import CODE, space_of
from jaxnas.checks import checked_number
from jaxnas.predictors import surrogates
from jaxnas.predictors.base import Factory
from jaxnas.predictors.surrogates import Trained
from jaxnas.spaces.base import Space
from jaxnas.spaces.listed import ListedSpace
from jaxnas.tables.manifest import EPOCHS
from jaxnas.tables.table import Table

FEWEST = 20
MOST_SEARCHED = 2**18
"""Architectures among which the best and the worst mean are looked for; all of a space that has no more."""


class FittedSurrogate(NamedTuple):
    """A benchmark, the architectures it was fitted to and those that were left, and the fit.

    Attributes:
        used, left: classes of the table, int[n] and int[m].
    """

    bench: SurrogateBenchmark
    fit: surrogates.Fit
    trained: Trained
    rest: Trained
    used: np.ndarray
    left: np.ndarray


def fitted_surrogate(
    table: Table,
    factory: Factory,
    *,
    name: str,
    space: Space | None = None,
    fraction: float = 1.0,
    protocol: str | None = None,
    table_id: str | None = None,
    seed: int = 0,
) -> FittedSurrogate:
    """Returns a surrogate of the space of a table.

    Args:
        table: a complete table, or a partial one.
        factory: of the predictor that teaches the network; `name` is its name.
        space: that the surrogate is of; by default the table's, whole if the table lists a part of it.
        fraction: of the table's trained classes, drawn at random, that it is fitted to; the others are left for tests.
        protocol: of the table: the observed and the reported score, and the cost.
        table_id: the identifier; by default the table's with `surrogate` before the version.

    Raises ValueError on fewer than 20 classes, or a protocol that asks several trainings.
    """
    checked_number("fraction", fraction, above=0, at_most=1)
    own, whole = _spaces(table, space)
    told = table.protocol(protocol)
    known = table.column_fidelities(told.told)
    if len(names := dict.fromkeys(known[position].training for position in told.fidelities)) > 1:
        raise ValueError(
            f"Expected a protocol that asks one training to fit a surrogate to, got one of {' and '.join(names)}; "
            f"{table.id} has the protocols {', '.join(table.protocols)}."
        )
    trained = np.flatnonzero(np.isfinite(table.scores(told.told)[..., -1]).any(1))
    order = np.random.default_rng(seed).permutation(trained)
    count = round(fraction * len(order))
    if count < FEWEST:
        raise ValueError(f"Expected {FEWEST} trained classes or more to fit to, got {count:,} of {len(order):,}.")
    used, left = np.sort(order[:count]), np.sort(order[count:])
    archs = np.asarray(jax.jit(jax.vmap(own.arch_at))(np.asarray(table.representatives)))
    parts = [_trained(table, protocol, whole, archs, each) for each in (used, left)]
    proportion = table.metric.unit == "proportion" and table.metric.better > 0
    target = "log-error" if proportion else "score"
    fit = surrogates.fit(whole, parts[0], factory, target_of(target), seed=seed)
    manifest = _manifest(table, protocol, whole, parts[0], target) | {
        "id": table_id or surrogate_id(table.id),
        "fitted_to": {"table": table.id, "content_hash": table.manifest.get("content_hash"), "classes": count},
        "predictor": name,
        "seed": seed,
    }
    bench = SurrogateBenchmark(whole, fit.surrogate, manifest)
    ends = _ends(bench, seed)
    bench = SurrogateBenchmark(whole, fit.surrogate, manifest | ends)
    return FittedSurrogate(bench, fit, parts[0], parts[1], used, left)


def surrogate_id(table_id: str) -> str:
    """Returns the identifier of a surrogate: `a-b-v1` is `a-b-surrogate-v1`."""
    name, dash, version = table_id.rpartition("-v")
    return f"{name}-surrogate-v{version}" if dash and version.isdecimal() else f"{table_id}-surrogate-v1"


def _spaces(table: Table, space: Space | None) -> tuple[Space, Space]:
    """Returns the space whose rows the table has, and the whole one that the surrogate is of.

    Raises ValueError if the two have other decisions.
    """
    is_part = CODE in table.keys and space is not None and space.codes is None
    own = space_of(table, None if is_part else space)
    whole = (own.space if isinstance(own, ListedSpace) else own) if space is None else space
    if own.description()["decisions"] != whole.description()["decisions"]:
        raise ValueError(f"Expected the space that {table.id} is a part of, got {whole.name} of other decisions.")
    return own, whole


def _trained(table: Table, protocol: str | None, space: Space, archs: np.ndarray, classes: np.ndarray) -> Trained:
    told = table.protocol(protocol)
    sign = table.metric.better
    canonical = np.asarray(jax.jit(jax.vmap(space.canonical))(archs))
    groups = np.unique(canonical, axis=0, return_inverse=True)[1].reshape(-1)
    prices = np.broadcast_to(table.prices(told), (len(archs), len(told.fidelities)))
    scores = sign * table.scores(told.told, told.fidelities).astype(np.float64)
    reported = sign * table.means(told.reported)[:, -1].astype(np.float64)
    return Trained(
        archs[classes],
        groups[classes],
        scores[classes],
        reported[classes],
        {name: np.asarray(table.sizes(name), np.float64)[classes] for name in _sizes(table)},
        np.asarray(prices, np.float64)[classes],
    )


def _sizes(table: Table) -> list[str]:
    """Returns the sizes that every class has: others would be modeled from a part."""
    return [name for name in table.size_names if np.isfinite(np.asarray(table.sizes(name), np.float64)).all()]


def _manifest(table: Table, protocol: str | None, space: Space, trained: Trained, target: str) -> dict[str, Any]:
    told = table.protocol(protocol)
    known = table.column_fidelities(told.told)
    same = told.price == EPOCHS
    return {
        "space": space.description(),
        "task": table.manifest["task"],
        "licence": table.manifest.get("licence"),
        "fidelities": [known[position].cost for position in told.fidelities],
        "metric": {"name": table.metric.name, "unit": table.metric.unit, "better": table.metric.better},
        "cost_unit": table.cost_unit(told),
        "sizes": _sizes(table),
        "prices": [float(price) for price in trained.prices[0]] if same else None,
        "sample_prices": [] if same else trained.prices.round(4).tolist(),
        "target": target,
    }


def _ends(bench: SurrogateBenchmark, seed: int) -> dict[str, float]:
    """Returns the best and the worst reported mean, of all or of a large sample with climbs from it."""
    space = bench.space
    if space.num_architectures <= MOST_SEARCHED:
        archs = np.asarray(jax.jit(jax.vmap(space.arch_at))(np.arange(space.num_architectures)))
    else:
        keys = jax.random.split(jax.random.key(seed), MOST_SEARCHED)
        archs = np.asarray(jax.jit(jax.vmap(space.sample))(keys))
    scores = bench.held_out.scores(archs)
    return {"optimum": float(_climbed(bench, archs, scores)), "worst": float(scores.min())}


def local_optima(bench: SurrogateBenchmark, number: int, seed: int = 0) -> np.ndarray:
    """Returns up to `number` architectures without a better neighbor by observed score, distinct networks, int32[n, D].

    Each is the end of steps to the best neighbor that begin at a random architecture.
    """
    keys = jax.random.split(jax.random.key(seed), 4 * number)
    archs = np.asarray(jax.jit(jax.vmap(bench.space.sample))(keys))
    neighbors = jax.jit(jax.vmap(bench.space.neighbors))
    while True:
        around = np.concatenate([archs[:, None], np.asarray(neighbors(archs))], axis=1)
        steps = bench.validation_scores(around).argmax(1)  # 0 if no neighbor is better
        if not steps.any():
            break
        archs = around[np.arange(len(archs)), steps]
    canonical = np.asarray(jax.jit(jax.vmap(bench.space.canonical))(archs))
    return archs[np.sort(np.unique(canonical, axis=0, return_index=True)[1])[:number]]


def _climbed(bench: SurrogateBenchmark, archs: np.ndarray, scores: np.ndarray) -> float:
    """Returns the best reported mean that steps from the best architectures to better neighbors reach."""
    neighbors = jax.jit(jax.vmap(bench.space.neighbors))
    found = -np.inf
    while scores.max() > found:
        found = scores.max()
        best = archs[np.argsort(-scores)[:256]]
        around = np.asarray(neighbors(best)).reshape(-1, archs.shape[1])
        archs = np.unique(np.concatenate([best, around]), axis=0)
        scores = bench.held_out.scores(archs)
    return float(found)
