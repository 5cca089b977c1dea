"""Simulated annealing: the rule of Metropolis, and a temperature that falls geometrically."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, asked, told
from scipy.stats import chisquare

import jaxnas as jn

LINE = jn.SearchSpace("line", (jn.Decision("arm", range(5)),))


def annealed(losses: np.ndarray, temperature: float, number: int) -> np.ndarray:
    """Returns the share of trials, over many keys, that are accepted though they are worse by the losses."""
    strategy = jn.simulated_annealing(LINE, initial_temperature=temperature, final_temperature=temperature)
    state = told(strategy, [[0]], [0.5])

    def accepted(key, loss):
        observation = jn.simulation.Observation(jnp.float32(0.5) - loss, 1, 0)
        return strategy.tell(strategy.advance(state, 1, key), 1, jn.Query(jnp.array([3])), observation).arch[0] == 3

    keys = jax.random.split(jax.random.key(2), number)
    return np.asarray(jax.vmap(lambda loss: jax.vmap(lambda key: accepted(key, loss))(keys).mean())(losses))


def test_annealing_accepts_everything_when_hot_and_only_improvements_when_cold():
    losses = np.array([-0.1, 0.0, 0.01, 0.4], np.float32)
    np.testing.assert_array_equal(annealed(losses, 1e9, 2000), [1, 1, 1, 1])
    np.testing.assert_array_equal(annealed(losses, 1e-9, 2000), [1, 1, 0, 0])


def test_annealing_accepts_a_loss_with_the_probability_of_metropolis():
    losses, number = np.array([0.02, 0.1, 0.3], np.float32), 20_000
    chances = np.exp(-losses / 0.1)
    error = np.sqrt(chances * (1 - chances) / number)
    assert (abs(annealed(losses, 0.1, number) - chances) < 4 * error).all()


def test_annealing_cools_geometrically_from_the_first_trial_to_the_last():
    strategy, key = jn.simulated_annealing(LINE, initial_temperature=0.5, final_temperature=0.002), jax.random.key(3)
    state = strategy.init(key, 41)
    exponential = float(jax.random.exponential(key))
    temperatures = [float(strategy.advance(state, t, key).allowed_loss) / exponential for t in range(41)]
    np.testing.assert_allclose(temperatures, np.geomspace(0.5, 0.002, 41), rtol=1e-5)
    alone = strategy.advance(strategy.init(key, 1), 0, key)  # one trial: there is nothing to cool
    np.testing.assert_allclose(float(alone.allowed_loss), 0.5 * exponential, rtol=1e-6)


def test_annealing_asks_for_uniform_neighbors_of_the_current_architecture():
    strategy = jn.simulated_annealing(MIXED)
    state = told(strategy, [[0, 2, 1]], [0.5])
    rows = jax.vmap(MIXED.index)(asked(strategy, state, 1, 4000))
    counts = np.bincount(rows, minlength=12)
    around = [int(MIXED.index(arch)) for arch in MIXED.neighbors(jnp.array([0, 2, 1]))]
    assert set(np.flatnonzero(counts)) == set(around)
    assert chisquare(counts[around]).pvalue > 1e-3


def test_annealing_never_stays_at_a_failed_trial():
    strategy = jn.simulated_annealing(LINE, initial_temperature=1e9, final_temperature=1e9)
    assert told(strategy, [[2], [3]], [0.5, np.nan]).arch == 2
    rows = asked(strategy, told(strategy, [[2], [3]], [np.nan, np.nan]), 2, 4000)[:, 0]
    assert chisquare(np.bincount(rows, minlength=5)).pvalue > 1e-3  # still uniform draws


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), None])
def test_annealing_refuses_temperatures_that_are_not_positive_numbers(value):
    with pytest.raises(ValueError, match=rf"^Expected initial_temperature to be a number above 0, got {value}"):
        jn.simulated_annealing(LINE, initial_temperature=value)
    with pytest.raises(ValueError, match=r"above 0 and of at most 0.1, got 0.2"):
        jn.simulated_annealing(LINE, initial_temperature=0.1, final_temperature=0.2)
