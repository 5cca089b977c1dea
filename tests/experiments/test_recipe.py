"""The figures of recipes: correlations between seeds and between epochs."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

SCRIPT = Path(__file__).parents[2] / "experiments" / "tables" / "recipe.py"
spec = importlib.util.spec_from_file_location("recipe", SCRIPT)
recipe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recipe)


def test_seed_correlation_is_the_mean_over_pairs():
    simulated = np.random.default_rng(0).normal(0, 1, (50, 1)) + np.random.default_rng(1).normal(0, 1, (50, 3))
    pairs = [
        spearmanr(simulated[:, first], simulated[:, second]).statistic for first, second in ((0, 1), (0, 2), (1, 2))
    ]
    assert recipe.seed_correlation(simulated) == pytest.approx(np.mean(pairs))


def test_the_top_half_is_not_chosen_by_the_scores_that_are_correlated():
    # Without architectures that differ, chosen by the same scores the top half would correlate negatively.
    simulated = np.random.default_rng(1).normal(0, 1, (4000, 3))
    assert abs(recipe.seed_correlation(simulated, 0.5)) < 0.06


def test_epoch_correlations_rise_with_the_signal():
    truth = np.random.default_rng(2).normal(0, 1, (400, 1, 1))
    noise = np.random.default_rng(3).normal(0, 1, (400, 3, 4)) * np.asarray([8.0, 2.0, 0.5, 0.1])
    found = recipe.epoch_correlations(truth + noise)
    assert (np.diff(found) > 0).all()
    assert found[-1] > 0.98
    assert (recipe.epoch_correlations(truth + noise, 0.5) < found)[1:].all()
