"""Why a search returned its best architecture: the winner explained by the trials."""

from typing import Any

import numpy as np

from jaxnas.analysis.explanation.counterfactuals import chance_better
from jaxnas.analysis.explanation.explain import explained, point_of
from jaxnas.analysis.explanation.score_models import scored_by_trials
from jaxnas.search.result import SearchResult

FEWEST_TRIALS = 8
"""Successful trials of different architectures, below which a model of them says nothing."""
SIZE = "parameters"


def explanation_of(result: SearchResult) -> dict[str, Any] | None:
    """Returns the explanation of the best architecture of a search, as `jaxnas.analysis.explanation.explain.explained`.

    Scores are from a Gaussian process fitted to the trials at the last fidelity that was asked; the reference is
    the architecture of the trial of median score. `runner_up` is the next of the finalists by the evaluations after the
    search, with the chance that it is truly better by those; None without. Returns None if fewer than eight
    architectures were tried with success.
    """
    trials = result.trials
    scores, fidelity = np.asarray(trials.observation.score, np.float64)[0], np.asarray(trials.query.fidelity)[0]
    archs = np.asarray(trials.query.arch)[0]
    kept = np.flatnonzero(np.isfinite(scores) & (fidelity == fidelity[result.best_trial]))
    if len(np.unique(archs[kept], axis=0)) < FEWEST_TRIALS:
        return None
    scored = scored_by_trials(result.space, archs[kept], scores[kept])
    sizes, size = None, None
    if SIZE in result.history:
        sizes = np.asarray(result.history[SIZE], np.float64)[kept]
        size = float(np.asarray(result.history[SIZE])[result.best_trial])
    ranked = kept[np.argsort(scores[kept], kind="stable")]
    reference = archs[ranked[len(ranked) // 2]]
    found = explained(scored, result.arch, reference, archs[kept], sizes, size, point_of(result.metric))
    return found | {"runner_up": _runner_up(result)}


def _runner_up(result: SearchResult) -> dict[str, Any] | None:
    """Returns the finalist of the next mean, with the chance that it is truly better than the winner."""
    best, *others = result.finalists or (None,)
    others = [each for each in others if np.isfinite(each.mean)]
    if best is None or not others or not np.isfinite(best.mean):
        return None
    rival = max(others, key=lambda each: each.mean - each.penalty)
    chance = chance_better(best.fresh - best.penalty, rival.fresh - rival.penalty)
    return {
        "architecture": result.space.to_str(rival.arch),
        "score": rival.mean - rival.penalty,
        "chance": float(chance) if np.isfinite(chance) else None,
    }
