"""How many runs it takes: predicted power against simulated power, and comparisons that stop when they are decided."""

import itertools
import re

import numpy as np
import pytest
from helpers.samples import NUM_SIMULATIONS, skewed, tied
from scipy.stats import binomtest

from jaxnas.analysis.pairs import holm, look_numbers, mann_whitney, pairwise, until_decided
from jaxnas.analysis.power_analysis import num_runs_for_power, power

pytestmark = pytest.mark.simulation

NUM_PILOT_RUNS = 20_000


def simulated_power(first, second, num_runs: int) -> float:
    """Returns how often fresh runs of two strategies, each `(*shape) -> regrets`, are separated."""
    return float((mann_whitney(first(500, num_runs), second(500, num_runs)) <= 0.05).mean())


def strategies_of(draw, scale: float, seed: int = 0):
    """Returns two strategies, the second better, whose runs are drawn from `draw`."""
    random = np.random.default_rng(seed)
    return (lambda *shape: draw(random, *shape)), (lambda *shape: draw(random, *shape, scale=scale))


def mostly_zero(random: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Returns regrets of which a share that depends on the scale is 0, and the others hardly differ."""
    return np.where(random.random(shape) < 0.5 * scale, tied(random, *shape) + 0.25, 0)


@pytest.mark.parametrize("draw", [skewed, tied, mostly_zero])
@pytest.mark.parametrize("scale", [0.2, 0.5, 0.75])
@pytest.mark.parametrize("num_runs", [6, 25, 200])
def test_predicted_power_is_that_of_fresh_runs(draw, scale, num_runs):
    first, second = strategies_of(draw, scale)
    predicted = power(first(NUM_PILOT_RUNS), second(NUM_PILOT_RUNS), num_runs)
    assert predicted == pytest.approx(simulated_power(first, second, num_runs), abs=0.1)


@pytest.mark.parametrize("draw", [skewed, tied, mostly_zero])
@pytest.mark.parametrize("scale", [0.2, 0.4])
def test_the_number_of_runs_has_the_power_asked_for(draw, scale):
    first, second = strategies_of(draw, scale, seed=1)
    num_runs = num_runs_for_power(first(NUM_PILOT_RUNS), second(NUM_PILOT_RUNS))
    assert simulated_power(first, second, num_runs) == pytest.approx(0.8, abs=0.1)


def test_power_without_ties_is_near_noethers_formula():
    random = np.random.default_rng(2)
    first, second = random.normal(size=NUM_PILOT_RUNS), random.normal(size=NUM_PILOT_RUNS) - 0.742  # A12 of 0.7
    assert num_runs_for_power(first, second) == pytest.approx(7.849 / (6 * 0.2**2), rel=0.1)  # Noether, JASA 1987
    more = num_runs_for_power(first, second, power=0.9, level=0.01)
    assert more == pytest.approx(14.879 / (6 * 0.2**2), rel=0.1)


def test_no_number_of_runs_separates_what_is_equal():
    values = tied(np.random.default_rng(3), 50)
    assert num_runs_for_power(values, values) is None
    assert power(values, values, 1000) == pytest.approx(0.05, abs=0.01)
    assert num_runs_for_power(np.zeros(9), np.zeros(9)) is None
    assert power(np.zeros(9), np.zeros(9), 1000) < 0.05
    assert num_runs_for_power(np.zeros(9), np.ones(9)) <= 5


def test_wrong_arguments_are_refused():
    values = np.arange(5.0)
    with pytest.raises(ValueError, match=r"^Expected num_runs of 1 or more, got 0\.$"):
        power(values, values, 0)
    with pytest.raises(ValueError, match=r"^Expected a power between 0 and 1, got 80\.$"):
        num_runs_for_power(values, values, power=80)
    for wrong, shape in ((np.zeros((3, 2)), "[3, 2]"), (np.zeros(0), "[0]")):
        with pytest.raises(
            ValueError, match=rf"^Expected regrets at one trial, such as .* got shape {re.escape(shape)}"
        ):
            power(values, wrong, 10)
        with pytest.raises(ValueError, match=r"^Expected regrets at one trial"):
            pairwise({"a": wrong, "b": values})


# Until decided


def runs_from(samples: dict[str, np.ndarray], asked: list | None = None):
    """Returns the function that hands out runs of strategies in order, and notes what it was asked for."""

    def more_runs(name: str, start: int, stop: int) -> np.ndarray:
        if asked is not None:
            asked.append((name, start, stop))
        return samples[name][start:stop]

    return more_runs


def test_looks_double_up_to_the_number_of_runs():
    assert look_numbers(1000) == [25, 50, 100, 200, 400, 800, 1000]
    assert look_numbers(50) == [25, 50]
    assert look_numbers(10) == [10]


def test_runs_are_added_until_a_strategy_is_decided():
    random = np.random.default_rng(4)
    samples = {"bad": 1 + skewed(random, 400), "good": tied(random, 400), "same": tied(random, 400)}
    asked = []
    decisions = until_decided(runs_from(samples, asked), list(samples), num_runs=400)
    assert decisions["bad", "good"].num_runs == decisions["bad", "same"].num_runs == 25
    assert decisions["good", "same"].num_runs == 400
    assert decisions["good", "same"].p_holm > 0.05 > decisions["bad", "good"].p_holm
    assert asked[:3] == [("bad", 0, 25), ("good", 0, 25), ("same", 0, 25)]
    looks = itertools.pairwise(look_numbers(400))
    assert asked[3:] == [(name, start, stop) for start, stop in looks for name in ("good", "same")]
    assert until_decided(runs_from(samples), list(samples), num_runs=400) == decisions
    for names, num_runs in ((["bad"], 400), (["bad", "good"], 0)):
        with pytest.raises(ValueError, match=r"^Expected two strategies or more and num_runs of 1 or more"):
            until_decided(runs_from(samples), names, num_runs=num_runs)


def test_strategies_with_fewer_runs_are_compared_with_what_there_is():
    samples = {"slow": np.zeros(30), "fast": tied(np.random.default_rng(5), 200)}
    decisions = until_decided(runs_from(samples), list(samples), num_runs=200)
    assert decisions["slow", "fast"].num_runs in (25, 50, 100)


def decided_by_looks(samples: np.ndarray, num_runs: int) -> np.ndarray:
    """Returns which pairs of strategies the looks together separate, of regrets [strategies, simulations, runs]."""
    looks = look_numbers(num_runs)
    pairs = list(itertools.combinations(samples, 2))
    each = [[mann_whitney(one[:, :look], other[:, :look]) for one, other in pairs] for look in looks]
    return holm(np.minimum(len(looks) * np.min(each, axis=0), 1).T) <= 0.05


@pytest.mark.parametrize("draw", [skewed, tied])
@pytest.mark.parametrize("num_strategies", [2, 3])
def test_looking_again_and_again_errs_no_more_often_than_the_level_says(draw, num_strategies):
    samples = draw(np.random.default_rng(6), num_strategies, NUM_SIMULATIONS, 100)
    wrong = decided_by_looks(samples, 100).any(-1)
    assert binomtest(int(wrong.sum()), NUM_SIMULATIONS, 0.05, alternative="greater").pvalue > 1e-3
    assert wrong.mean() > 0.01


def test_decisions_are_those_of_the_looks_together():
    random = np.random.default_rng(7)
    samples = np.stack([skewed(random, 30, 200, scale=scale) for scale in (1.0, 1.0, 0.6)])
    expected = decided_by_looks(samples, 200)
    assert 0.3 < expected.mean() < 0.8
    for number, decided in enumerate(expected):
        runs = dict(zip("abc", samples[:, number], strict=True))
        decisions = until_decided(runs_from(runs), "abc", num_runs=200)
        assert [decision.p_holm <= 0.05 for decision in decisions.values()] == decided.tolist()
