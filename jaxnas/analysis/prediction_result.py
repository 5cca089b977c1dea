"""What evaluations of predictors show, as one dictionary of JSON values."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxnas.analysis.pairs import holm, wilcoxon
from jaxnas.analysis.prediction import MEASURES, Evaluation
from jaxnas.analysis.statistics import LEVEL, mean_interval


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

    Repetitions are paired; p values are of Wilcoxon's signed-rank test, corrected by Holm's method. They are of these
    architectures' table: repetitions of a small one share architectures, so that they are then a little too small.
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
