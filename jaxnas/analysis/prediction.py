"""How well predictors rank the architectures of a table that they were not fitted to.

Training and test architectures are of different classes of equal networks; a training score comes from
a single run, and the target is a mean over runs. Everything that a predictor learns, transforms and
signs included, it learns in `fit` from training architectures; and curves are paid for.
"""

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas import prng
from jaxnas.analysis.pairs import holm, wilcoxon
from jaxnas.analysis.predictor_inputs import Evidence, Sample, draw_sample
from jaxnas.analysis.statistics import LEVEL, mean_interval
from jaxnas.checks import checked_size
from jaxnas.predictors.base import Aux, Prediction, Predictor
from jaxnas.ranks import rank_correlation

TOP_SHARE = 0.2
TOP_COUNTS = (1, 10)
MEASURES = ("tau", "spearman", "tau_top", "regret_1", "regret_10", "nll", "calibration_error")
NUM_TRAIN = (10, 30, 100, 300)
LEVELS = np.arange(0.1, 1.0, 0.1)
"""The central intervals whose coverage is compared."""


class Evaluation(NamedTuple):
    """How one predictor did in each of R repetitions with n training architectures.

    Attributes:
        predictor: its name.
        num_train: n; 0 if it needs none.
        num_epochs: how many epochs of each test architecture's training it read; 0 if it read none.
        measures: the values of `MEASURES`, float64[R] each, NaN if there is none.
        cost: of all trainings that the ranking needed, in the table's unit, float64[R].
    """

    predictor: str
    num_train: int
    num_epochs: int
    measures: dict[str, np.ndarray]
    cost: np.ndarray


def evaluations(
    predictors: Mapping[str, Predictor],
    evidence: Evidence,
    *,
    num_train: Sequence[int] = NUM_TRAIN,
    num_test: int = 200,
    num_repetitions: int = 10,
    num_epochs: Sequence[int] = (),
    seed: int = 0,
    isomorphs: bool = False,
    progress: Callable[[str], None] | None = None,
) -> list[Evaluation]:
    """Returns how well predictors rank, with each number of training architectures.

    All predictors meet the same architectures, runs and scores in a repetition, and fewer training architectures are
    the first of more. Those that read curves are evaluated with each of `num_epochs`, by default half of them. With
    `isomorphs` equal networks may be on both sides, as in most papers.

    Raises ValueError if the table has too few classes.
    """
    sizes = sorted({checked_size("num_train", size, 2) for size in num_train})
    samples = [
        draw_sample(evidence, sizes[-1], num_test, seed=seed, repetition=number, isomorphs=isomorphs)
        for number in range(checked_size("num_repetitions", num_repetitions))
    ]
    found = []
    for name, predictor in predictors.items():
        if progress:
            progress(name)
        if not evidence.allows(predictor):
            continue
        features = evidence.features(predictor.encoding, samples)
        for epochs in _epochs_of(predictor, evidence, num_epochs):
            for size in sizes if predictor.learns else sizes[:1]:
                predictions = _predictions(predictor, evidence, samples, features, size, epochs, seed)
                found.append(_evaluation(name, predictor, evidence, samples, predictions, size, epochs))
    return found


def ceiling(evidence: Evidence, samples: Sequence[Sample]) -> np.ndarray:
    """Returns Kendall's tau-b of a single run with the mean of the other runs, in each repetition, float64[R].

    No predictor of single runs can do much better. NaN if the table has one run.
    """
    return np.asarray([kendall(sample.single, sample.others) for sample in samples])


def _epochs_of(predictor: Predictor, evidence: Evidence, num_epochs: Sequence[int]) -> Sequence[int]:
    """Returns how many epochs of the curves a predictor reads: one number, 0, if it reads none."""
    if not {"curves", "losses"} & set(predictor.requires):
        return (0,)
    most = evidence.most_epochs
    return tuple(sorted({min(each, most) for each in num_epochs})) or (max(1, most // 2),)


def _predictions(
    predictor: Predictor,
    evidence: Evidence,
    samples: Sequence[Sample],
    features: np.ndarray,
    size: int,
    epochs: int,
    seed: int,
) -> Prediction:
    """Returns the predictions for the test architectures in each repetition, float32[R, m]."""
    keys = jax.random.split(prng.make_key(seed, "hash"), len(samples))  # quicker to compile than threefry
    num_train = samples[0].num_train
    parts = []
    for start, stop in ((0, size), (num_train, None)):
        aux = [evidence.aux(sample, slice(start, stop), epochs) for sample in samples]
        parts.append((features[:, start:stop], jax.tree.map(lambda *values: np.stack(values), *aux)))
    (train, train_aux), (test, test_aux) = parts
    labels = np.stack([sample.labels[:size] for sample in samples])
    given = keys, train, labels, train_aux, test, test_aux

    def predicted(
        key: jax.Array, train: jax.Array, labels: jax.Array, aux: Aux, test: jax.Array, test_aux: Aux
    ) -> Prediction:
        return predictor.predict(predictor.fit(key, train, labels, aux), test, test_aux)

    if predictor.jittable:
        return jax.device_get(jax.jit(jax.vmap(predicted))(*given))
    found = [predicted(*jax.tree.map(operator.itemgetter(number), given)) for number in range(len(samples))]
    return Prediction(*(np.stack([np.asarray(each[part]) for each in found]) for part in range(2)))


def _evaluation(
    name: str,
    predictor: Predictor,
    evidence: Evidence,
    samples: Sequence[Sample],
    predictions: Prediction,
    size: int,
    epochs: int,
) -> Evaluation:
    rows = [
        measures_of(sample, np.asarray(mean, np.float64), np.asarray(deviation, np.float64))
        for sample, mean, deviation in zip(samples, *predictions, strict=True)
    ]
    trained = size if predictor.learns else 0
    cost = [evidence.cost(sample, trained, epochs) for sample in samples]
    measures = {measure: np.asarray([row[measure] for row in rows]) for measure in MEASURES}
    return Evaluation(name, trained, epochs, measures, np.asarray(cost))


def measures_of(sample: Sample, mean: np.ndarray, deviation: np.ndarray) -> dict[str, float]:
    """Returns the measures of predictions float[m] of a sample's test architectures; NaN ranks last."""
    known = np.isfinite(sample.truth)
    truth, mean, deviation = sample.truth[known], mean[known], deviation[known]
    ranked = np.where(np.isnan(mean), -np.inf, mean)
    stratum = top_of(sample.chosen_by[known], TOP_SHARE)
    regrets = {f"regret_{count}": regret_of_top(ranked, truth, count) for count in TOP_COUNTS}
    certain = np.isfinite(mean) & (deviation > 0)
    normal = [truth[certain], mean[certain], deviation[certain]] if certain.any() else None
    return {
        "tau": kendall(ranked, truth),
        "spearman": rank_correlation(np.where(np.isinf(ranked), -1e30, ranked), truth),
        "tau_top": kendall(ranked[stratum], sample.judged_by[known][stratum]),
        **regrets,
        "nll": negative_log_likelihood(*normal) if normal else np.nan,
        "calibration_error": calibration_error(*normal) if normal else np.nan,
    }


def top_of(values: np.ndarray, share: float) -> np.ndarray:
    """Returns the positions of the best share of values, int[k]; none of NaN."""
    known = np.flatnonzero(np.isfinite(values))
    return known[np.argsort(-values[known], kind="stable")[: round(share * len(known))]]


def kendall(first: np.ndarray, second: np.ndarray) -> float:
    """Returns Kendall's tau-b of two arrays; NaN with fewer than two values, 0 if one side is constant.

    Kendall, "The Treatment of Ties in Ranking Problems", Biometrika 1945. Values that are NaN in
    the second are omitted; in the first, -inf is the lowest rank.
    """
    from scipy.stats import kendalltau

    known = ~np.isnan(second) & ~np.isnan(first)
    if known.sum() < 2:
        return float("nan")
    found = float(kendalltau(first[known], second[known]).statistic)
    return 0.0 if np.isnan(found) else found


def regret_of_top(predicted: np.ndarray, truth: np.ndarray, count: int) -> float:
    """Returns by how much the best of the `count` best predicted falls short of the best of all; -inf is no choice.

    Of equal predictions the worse count first, so a constant gains nothing by the order of rows.
    """
    order = np.lexsort((truth, -predicted))  # of equals, the worse first
    chosen = [position for position in order[:count] if np.isfinite(predicted[position])]
    return float(truth.max() - truth[chosen].max()) if chosen else float(np.ptp(truth))


def negative_log_likelihood(truth: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> float:
    """Returns the mean negative log-likelihood of values under normal distributions, in nats."""
    z = (truth - mean) / deviation
    return float((0.5 * z**2 + np.log(deviation) + 0.5 * np.log(2 * np.pi)).mean())


def coverage(truth: np.ndarray, mean: np.ndarray, deviation: np.ndarray, level: float = 0.95) -> float:
    """Returns the share of values within the central interval of a level of their normal distributions."""
    from scipy.stats import norm

    return float((np.abs(truth - mean) <= norm.ppf((1 + level) / 2) * deviation).mean())


def calibration_error(truth: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> float:
    """Returns the mean difference of coverage and level over the central intervals of 10, 20, ..., 90 %.

    Kuleshov, Fenner and Ermon, "Accurate Uncertainties for Deep Learning Using Calibrated Regression", ICML 2018, with
    absolute differences.
    """
    return float(np.mean([abs(coverage(truth, mean, deviation, level) - level) for level in LEVELS]))


def prediction_result(evaluations: Sequence[Evaluation], ceiling: np.ndarray) -> dict[str, Any]:
    """Returns means and 95 % intervals over repetitions, and which predictors the tests separate.

    `ceiling` and `evaluations`, one for each predictor and number of training architectures or epochs, hold
    `{"mean", "ci_low", "ci_high"}` or None; `order` holds for the largest number of training architectures the
    predictors by tau, and the corrected p values of neighbors.
    """
    return {
        "ceiling": _interval(ceiling),
        "evaluations": [
            {
                "predictor": each.predictor,
                "num_train": each.num_train,
                "num_epochs": each.num_epochs,
                "cost": float(each.cost.mean()),
                **{measure: _interval(each.measures[measure]) for measure in MEASURES},
            }
            for each in evaluations
        ],
        "order": order(evaluations),
    }


def order(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Returns the predictors by mean tau, each with its best evaluation of most training, and tests of neighbors.

    Repetitions are paired; p values are of Wilcoxon's signed-rank test, corrected by Holm's method. They are
    for this table: with a small one repetitions share architectures, which makes p values slightly too small.
    """
    most = max((each.num_train for each in evaluations), default=0)
    best: dict[str, Evaluation] = {}
    for each in evaluations:
        if each.num_train in (0, most) and _tau(each) >= _tau(best.get(each.predictor, each)):
            best[each.predictor] = each
    ranked = sorted(best.values(), key=_tau, reverse=True)
    pairs = list(itertools.pairwise(ranked))
    tests = np.asarray([wilcoxon(one.measures["tau"], other.measures["tau"]) for one, other in pairs])
    corrected = holm(tests) if len(tests) else tests
    return {
        "num_train": most,
        "predictors": [each.predictor for each in ranked],
        "p_values": [float(p) for p in corrected],
        "separated": [bool(p <= LEVEL) for p in corrected],
    }


def _tau(evaluation: Evaluation) -> float:
    return float(np.nan_to_num(evaluation.measures["tau"].mean(), nan=-2))


def _interval(values: np.ndarray) -> dict[str, float] | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = mean_interval(known[:, None])
    return {"mean": float(known.mean()), "ci_low": float(low[0]), "ci_high": float(high[0])}
