"""The protocol of transfer: strategies that use sources, next to all baselines without a search or a source."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np

from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.loading import load
from jaxnas.report.comparison import Comparison, Entries, aim_of, compare, entries_of
from jaxnas.search.transfer import weighted_sources as ensemble
from jaxnas.search.transfer.sources import (
    PORTFOLIO_SIZE,
    Source,
    archs_at,
    class_of_rows,
    described_sources,
    greedy_portfolio,
    source_scores,
    source_tables,
    sources_ranking,
    without_target,
)
from jaxnas.search.transfer.weighted_sources import rank_weighted
from jaxnas.strategies.base import Strategy, make
from jaxnas.strategies.wrappers.in_order import in_order
from jaxnas.strategies.wrappers.prior_guided import prior_guided
from jaxnas.strategies.wrappers.warm_started import warm_started

SOURCES_BEST = "sources_best"
TOP_PARAMETERS = "top_parameters"
MOST_IN_ORDER = 10_000
"""Architectures of a fixed order; no run of a baseline is longer."""

Entry = Strategy | Callable[..., Strategy]


def transfer_entries(
    entries: Mapping[str, Entry], bench: Benchmark, sources: Sequence[Source], *, size: int = PORTFOLIO_SIZE
) -> dict[str, Strategy]:
    """Returns the strategies of the protocol on a target, by name, none given anything of the target itself.

    For each entry X: X unchanged (`X`, the cold start); begun with the sources' portfolio (`warm_X`); if cheap
    to ask, guided by their mean ranks (`prior_X`). Baselines: `rank_weighted`, the ensemble of the sources;
    `sources_best`, their ranking from the best down, without a search; if sizes are known, `top_parameters`,
    the largest networks first.

    Args:
        entries: strategies, or factories of them.
        bench: the target. A source of the same identifier, arrays or task is omitted.
        sources: tables of its space, identifiers or folders.
        size: the architectures of the portfolio.

    Raises ValueError if there is no source of another task, or one of another space.
    """
    space = bench.space
    tables = without_target(source_tables(sources, space), bench)
    scores = source_scores(tables)
    portfolio = greedy_portfolio(tables, space, size)
    prior = np.stack([ensemble.normal_quantiles(each) for each in scores]).mean(0)
    found: dict[str, Strategy] = {}
    for name, entry in entries.items():
        cold = entry if isinstance(entry, Strategy) else make(entry, bench)
        most = size if cold.most_given is None else min(size, cold.most_given)
        found[name] = cold
        if most:
            found[f"warm_{name}"] = warm_started(cold, portfolio[:most])
        if cold.most_given is None and cold.batched and cold.jittable:
            found[f"prior_{name}"] = prior_guided(cold, space, prior)
    found["rank_weighted"] = rank_weighted(space, scores)
    found[SOURCES_BEST] = in_order(sources_ranking(tables, space)[:MOST_IN_ORDER], SOURCES_BEST)
    if "parameters" in bench.size_names:
        found[TOP_PARAMETERS] = in_order(_largest(bench), TOP_PARAMETERS)
    return found


def compared_with_sources(
    strategies: Entries,
    bench: Benchmark | str | os.PathLike,
    sources: Sequence[Source],
    *,
    num_trials: int | None = None,
    num_runs: int = 1000,
    budget: float | None = None,
    seed: int = 0,
    until_decided: bool = False,
    objective: str | None = None,
    confirm: tuple[int, int] | None = None,
    command: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Returns the `Comparison` of strategies on a target with their variants that use sources, see `transfer_entries`.

    Without sources it is `jn.compare`, which explains the other arguments. With `confirm` runs return confirmed
    incumbents: with noisy single runs more trials otherwise make the choice worse, the better the trials are.

    Raises ValueError if there is no source of another task than the target, or one of another space, or together
    with an objective other than the metric; and as `jn.compare` does.
    """
    bench = load(bench) if isinstance(bench, str | os.PathLike) else bench
    entries: Mapping[str, Entry] = entries_of(strategies, aim_of(objective, bench))
    limits: dict[str, int] = {}
    if sources:
        if objective is not None and objective != bench.metric.name:
            raise ValueError(f"Expected the objective {bench.metric.name} with sources, got {objective!r}.")
        limits = {name: getattr(_module_of(each), "MOST_RUNS", num_runs) for name, each in entries.items()}
        given = transfer_entries(entries, bench, sources)
        limits = most_runs(limits, given)
        entries = given
    comparison = compare(
        entries,
        bench,
        num_trials=num_trials,
        num_runs=num_runs,
        budget=budget,
        most_runs=limits or None,
        seed=seed,
        until_decided=until_decided,
        objective=objective,
        confirm=confirm,
        command=command,
        progress=progress,
    )
    return with_sources(comparison, sources) if sources else comparison


def most_runs(limits: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    """Returns the most runs of the strategies of the protocol: as many as of those that they are made of.

    Args:
        limits: the most runs of each of the strategies that the protocol was made of.
        names: of the strategies that `transfer_entries` returned.
    """
    found = {name: limit for entry, limit in limits.items() for name in (entry, f"warm_{entry}", f"prior_{entry}")}
    return {name: limit for name, limit in (found | {"rank_weighted": ensemble.MOST_RUNS}).items() if name in names}


def _module_of(entry: Entry) -> ModuleType | None:
    return None if isinstance(entry, Strategy) else sys.modules.get(getattr(entry, "__module__", ""))


def with_sources(comparison: Comparison, sources: Sequence[Source]) -> Comparison:
    """Returns a comparison whose page lists the sources of its strategies, and how they rank its table."""
    bench = comparison.bench
    tables = without_target(source_tables(sources, bench.space), bench)
    described = tuple(described_sources(tables, bench))
    return replace(comparison, settings=comparison.settings._replace(sources=described))


def _largest(bench: Benchmark) -> np.ndarray:
    """Returns one architecture of each class, the largest network first, int32[n, D]."""
    space = bench.space
    rows = np.unique(class_of_rows(space))
    order = np.argsort(-np.asarray(bench.sizes("parameters", rows[:, None]), np.float64), kind="stable")
    return archs_at(space, rows[order[:MOST_IN_ORDER]])
