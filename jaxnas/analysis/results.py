"""The results of a comparison as a dictionary (`summary.json`), as a small table, and as a long frame of every
trial.
"""

import numpy as np

from jaxnas.analysis import fronts
from jaxnas.analysis.incumbents import incumbent_scores
from jaxnas.analysis.pairs import not_separated_from, pairwise
from jaxnas.analysis.regret import at_budgets, regret
from jaxnas.analysis.statistics import LEVEL, bootstrap_interval, mean_ranks, probability_best
from jaxnas.simulation.trials import Trials

NUM_FRONTS = 24


def summarize(trials: dict[str, Trials], bench) -> dict:
    """Returns the numbers of `summary.json`: budgets, and what each strategy reached.

    For each strategy these are regret curves with 95 % intervals, the area under them (the mean regret over trials),
    final scores, mean rank and chance to be the best; for each pair the tests of their final regrets (see `pairwise`).
    Budgets are in the benchmark's unit of cost (epochs): the price of 1, 2, ..., T trials at the last fidelity.
    `equal_cost` is the number of trials at the last fidelity whose price every run of the strategies paid that ask for
    lower fidelities too; curves by cost can be compared up to there. None without such strategies.
    """
    num_trials = next(iter(trials.values())).observation.score.shape[1]
    budgets = np.arange(1, num_trials + 1) * float(bench.fidelities[-1])
    regrets = {name: regret(each, bench) for name, each in trials.items()}
    final = {name: values[:, -1] for name, values in regrets.items()}
    ranks, chances = mean_ranks(regrets), probability_best(final)
    strategies = {}
    for name, each in trials.items():
        strategies[name] = _summarize_one(each, regrets[name], bench, budgets) | {
            "mean_rank": float(ranks[name][-1]),
            "mean_rank_over_trials": ranks[name].tolist(),
            "probability_best": chances[name],
        }
    return {
        "budget": budgets.tolist(),
        "equal_cost": _equal_cost(trials, bench),
        "strategies": strategies,
        "pairwise": pairwise(final),
    }


def _equal_cost(trials: dict[str, Trials], bench) -> int | None:
    last = len(bench.fidelities) - 1
    paid = [each.observation.cost.sum(1).min() for each in trials.values() if (each.query.fidelity < last).any()]
    if not paid or min(paid) < bench.fidelities[-1]:
        return None
    return int(min(paid) / bench.fidelities[-1])


def _summarize_one(trials: Trials, regrets: np.ndarray, bench, budgets: np.ndarray) -> dict:
    low, high = bootstrap_interval(regrets)
    areas = regrets.mean(1, dtype=np.float64)
    area_low, area_high = bootstrap_interval(areas[:, None])
    by_cost = at_budgets(regrets, trials, budgets)
    low_by_cost, high_by_cost = bootstrap_interval(by_cost)
    final_test = incumbent_scores(trials, bench)[:, -1].astype(np.float64)
    final_validation = incumbent_scores(trials, bench, "validation")[:, -1].astype(np.float64)
    return {
        "regret_mean": regrets.mean(0).tolist(),
        "regret_ci_low": low.tolist(),
        "regret_ci_high": high.tolist(),
        "regret_area_mean": float(areas.mean()),
        "regret_area_ci_low": float(area_low[0]),
        "regret_area_ci_high": float(area_high[0]),
        "regret_mean_by_cost": by_cost.mean(0).tolist(),
        "regret_ci_low_by_cost": low_by_cost.tolist(),
        "regret_ci_high_by_cost": high_by_cost.tolist(),
        "final_test_mean": float(final_test.mean()),
        "final_test_std": float(final_test.std()),
        "final_validation_mean": float(final_validation.mean()),
    }


def summarize_fronts(trials: dict[str, Trials], bench, size: str) -> dict:
    """Returns the numbers of a comparison by two objectives, score and size, for `summary.json`.

    `points`: numbers of trials after which fronts were measured. `true`: the front of the benchmark, pairs (size, mean
    test score). For each strategy: `hypervolume_mean` relative to the true front's with its 95 % interval, and
    `distance_mean`, the IGD+, at the points; `front`: that of the run with the median hypervolume.
    """
    num_trials = next(iter(trials.values())).observation.score.shape[1]
    points = np.unique(np.geomspace(1, num_trials, NUM_FRONTS).round().astype(int))
    true = fronts.true_front(bench, size)[:, None]
    found = {}
    for name, each in trials.items():
        volumes, distances = fronts.front_quality(each, bench, size, points)
        low, high = bootstrap_interval(volumes)
        median = np.argsort(volumes[:, -1])[len(volumes) // 2]
        found[name] = {
            "hypervolume_mean": volumes.mean(0).tolist(),
            "hypervolume_ci_low": low.tolist(),
            "hypervolume_ci_high": high.tolist(),
            "distance_mean": distances.mean(0).tolist(),
            "front": _front_of_run(each, median, bench, size),
        }
    true_pairs = np.stack([bench.sizes(size, true), bench.held_out.scores(true)], axis=1)
    return {"size": size, "points": points.tolist(), "true": true_pairs.tolist(), "strategies": found}


def _front_of_run(trials: Trials, run: int, bench, size: str) -> list:
    archs, scores = np.asarray(trials.query.arch)[run], np.asarray(trials.observation.score)[run]
    sizes, test = bench.sizes(size, archs), bench.held_out.scores(archs)
    chosen = np.flatnonzero(fronts.on_front(scores, sizes))
    chosen = chosen[np.argsort(sizes[chosen])]
    return np.stack([sizes[chosen], test[chosen]], axis=1).tolist()


def regret_text(result: dict, position: int, by: str = "") -> str:
    """Returns the mean regret at a position of a strategy's curve, with its 95 % interval, in percent.

    The curve is over trials; with `by="_by_cost"`, over budgets.
    """
    mean, low, high = (100 * result[f"regret_{name}{by}"][position] for name in ("mean", "ci_low", "ci_high"))
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def separation_text(result: dict) -> str:
    """Returns one line: which strategies are not separated from the best one, of the dictionary of `summary.json`."""
    best = min(result["strategies"], key=lambda name: result["strategies"][name]["mean_rank"])
    near = not_separated_from(best, result["pairwise"])
    return f"Not separated from the best, {best}, at {100 * LEVEL:g} % (Holm): {', '.join(near) or 'none'}."
