"""How well supernets rank architectures, by a complete table of trained ones, with baselines from the same table."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnas.benchmarks.tabular import space_of
from jaxnas.checks import checked_size
from jaxnas.ranks import shared_ranks
from jaxnas.search.one_shot.supernet import Supernet
from jaxnas.tables.table import Table

SHARES = {"all": 1.0, "top half": 0.5, "top fifth": 0.2}
"""The strata, by the share of the classes that are kept."""
NUM_CLASSES, NUM_RESAMPLES = 500, 200
LEVEL = 0.95


class Split(NamedTuple):
    """One way to divide the runs of a table: those that choose a stratum, the one that a baseline reads, and those
    whose mean is the truth. Runs that do two of these would make noise look like knowledge.
    """

    stratum: tuple[int, ...]
    baseline: int
    truth: tuple[int, ...]


def rank_correlation(
    supernets: Supernet | Sequence[Supernet],
    table: Table,
    *,
    num_classes: int = NUM_CLASSES,
    num_examples: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Returns how well supernets rank the classes of a table, with baselines, as JSON values.

    Kendall's tau-b with the mean final validation score of the table, over classes drawn at random, over all of them
    and within the better half and fifth. Strata, truth and the runs that baselines read are disjoint, the mean over all
    such splits (`splits_of`).

    The key `predictors` has for each, by stratum, `tau` and an interval of 95 % by a bootstrap over classes,
    and over supernets if there are several: `supernet`, the mean over supernets; `ranks`, the mean of their
    ranks; `parameters` and `flops` of the table; `epoch 1`, ... of one run; and `one training`, the final score
    of one run, which is the ceiling that a perfect imitation of a training has. The key `median_score` measures
    how well the supernets have learned: the median over classes of each one's score.

    Args:
        num_classes: how many are drawn, without replacement.
        num_examples: of validation, as of `Supernet.scores`.
        seed: of the draw and of the bootstrap.

    Raises ValueError without supernets, on a table of another space, or of fewer than three runs of
    each class.
    """
    nets = [supernets] if isinstance(supernets, Supernet) else list(supernets)
    if not nets:
        raise ValueError("Expected one supernet or more, got none.")
    checked_size("num_classes", num_classes, 10)
    generator = np.random.default_rng(seed)
    rows, runs, baselines = _drawn(table, nets[0], num_classes, generator)
    space = nets[0].setting.space
    scores = np.stack([net.scores(np.asarray(space.arch_at(rows)), num_examples) for net in nets])
    splits = splits_of(runs.shape[1])
    predictors: dict[str, np.ndarray] = {"supernet": scores}
    if len(nets) > 1:
        predictors["ranks"] = shared_ranks(scores)[0].mean(0)[None]
    known = {name: values[None] for name, values in baselines.items() if values.ndim == 1}
    by_run = {name: values.T for name, values in baselines.items() if values.ndim == 2}
    weights = generator.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), NUM_RESAMPLES).astype(np.float64)
    found = {
        name: _measured(each, None, runs, splits, weights, generator) for name, each in (predictors | known).items()
    }
    found |= {name: _measured(None, each, runs, splits, weights, generator) for name, each in by_run.items()}
    return {
        "table": table.id,
        "method": nets[0].setting.method.name,
        "num_supernets": len(nets),
        "num_classes": len(rows),
        "num_examples": nets[0].num_examples if num_examples is None else num_examples,
        "num_splits": len(splits),
        "median_score": [float(each) for each in np.median(scores, axis=1)],
        "predictors": found,
    }


def splits_of(num_runs: int) -> list[Split]:
    """Returns all ways to divide runs: one to read and, of five or more, two that choose, else one; the others are the
    truth. Raises ValueError on fewer than three.
    """
    if num_runs < 3:
        raise ValueError(
            f"Expected a table of 3 or more runs of each class, got {num_runs}: strata need runs of their own."
        )
    found = []
    for stratum in itertools.combinations(range(num_runs), 2 if num_runs >= 5 else 1):
        rest = [run for run in range(num_runs) if run not in stratum]
        found += [Split(stratum, run, tuple(other for other in rest if other != run)) for run in rest]
    return found


def _drawn(
    table: Table, net: Supernet, num_classes: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Returns the rows of classes [G], their final scores [G, S], and baselines, [G] or by run [G, S]."""
    space, own = net.setting.space, space_of(table)
    if own.decisions != space.decisions:
        raise ValueError(f"Expected a table of the space {space.name}, got {table.id}, of {own.name}.")
    name = table.protocol().told
    scores = table.scores(name) if table.metric.better > 0 else -table.scores(name)
    whole = np.flatnonzero(np.isfinite(scores).all((1, 2)))
    chosen = np.sort(generator.choice(whole, min(num_classes, len(whole)), replace=False))
    scores = scores[chosen].astype(np.float64)
    baselines = {
        short: table.columns[column].values[chosen].astype(np.float64)
        for short, column in (("parameters", "num_parameters"), ("flops", "num_flops"))
        if column in table.columns
    }
    epochs = table.column_fidelities(name)
    early = {f"epoch {epochs[number].epoch:g}": scores[..., number] for number in range(min(3, len(epochs) - 1))}
    return table.representatives[chosen], scores[..., -1], baselines | early | {"one training": scores[..., -1]}


def _measured(
    fixed: np.ndarray | None,
    by_run: np.ndarray | None,
    runs: np.ndarray,
    splits: list[Split],
    weights: np.ndarray,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Returns tau and its interval in each stratum, of predictions [I, G] or of one prediction for each run [S, G]."""
    found = {}
    for name, share in SHARES.items():
        taus, draws = [], []
        for split in splits:
            kept = _best(runs[:, split.stratum].mean(1), share)
            truth = runs[kept][:, split.truth].mean(1)
            own = fixed if fixed is not None else by_run[split.baseline][None]  # type: ignore[index]
            each = [taus_of(prediction[kept], truth, weights[:, kept]) for prediction in own]
            taus.append(np.mean([tau for tau, _ in each]))
            draws.append(np.stack([drawn for _, drawn in each]))
        resampled = np.mean(draws, axis=0)  # [I, R]
        picked = generator.integers(0, len(resampled), (len(resampled), resampled.shape[1]))
        means = np.take_along_axis(resampled, picked, axis=0).mean(0)
        low, high = np.nanquantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        found[name] = {"tau": float(np.mean(taus)), "low": float(low), "high": float(high)}
    return found


def _best(values: np.ndarray, share: float) -> np.ndarray:
    return np.sort(np.argsort(-values, kind="stable")[: max(round(share * len(values)), 2)])


def taus_of(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Returns Kendall's tau-b of values [G], and of them with multiplicities [R, G], float64[R]; 0
    if one side is constant.
    """
    one, other = (np.sign(values[:, None] - values[None]).astype(np.float32) for values in (first, second))
    every = np.concatenate([np.ones((1, len(first))), weights]).astype(np.float32)

    def total(signs: np.ndarray) -> np.ndarray:
        return np.einsum("rg,rg->r", every @ signs, every, dtype=np.float64)

    scale = np.sqrt(total(np.abs(one)) * total(np.abs(other)))
    found = np.divide(total(one * other), scale, out=np.zeros(len(every)), where=scale > 0)
    return float(found[0]), found[1:]
