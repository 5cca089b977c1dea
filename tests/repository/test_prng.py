"""Random numbers: index draws are exact, and the hash generator is uniform and a generator like JAX's own."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

import jaxnas as jn
from jaxnas import prng
from jaxnas.simulation import ask_tell
from jaxnas.spaces.cells.space import NB201

WORDS = st.integers(0, 2**32 - 1)
KEY = prng.make_key(7, "hash")


def data(keys: jax.Array) -> np.ndarray:
    return np.asarray(jax.random.key_data(keys)).reshape(-1, 2)


def assert_uniform(values, num_bins: int):
    """Chi-square test of whether each of `num_bins` numbers is as frequent as the others."""
    counts = np.bincount(np.asarray(values).reshape(-1), minlength=num_bins)
    assert len(counts) == num_bins
    assert counts.sum() >= 50 * num_bins
    assert stats.chisquare(counts).pvalue > 1e-6  # of hundreds of such tests some are below 1e-3 by chance


@settings(derandomize=True, deadline=None)
@given(WORDS, st.one_of(st.integers(1, 2**16), st.integers(2**16 + 1, 2**31 - 1)))
@example(2**32 - 1, 2**16)
@example(2**32 - 1, 2**16 + 1)
@example(2**32 - 1, 2**31 - 1)
@example(2**32 - 1, 1)
def test_scale_word_is_the_exact_proportion_for_an_int(word, size):
    assert int(prng.scale_word(jnp.uint32(word), size)) == word * size // 2**32


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(WORDS, st.integers(1, 2**31 - 1)), min_size=4, max_size=4))
def test_scale_word_is_the_exact_proportion_for_an_array(pairs):
    words, sizes = zip(*pairs, strict=True)
    found = prng.scale_word(jnp.asarray(words, jnp.uint32), jnp.asarray(sizes, jnp.int32))
    assert found.tolist() == [word * size // 2**32 for word, size in pairs]


@pytest.mark.parametrize("name", prng.PRNGS)
def test_index_draws_are_uniform(name):
    key = prng.make_key(0, name)
    assert_uniform(prng.draw_index(key, 7, (7_000,)), 7)
    sizes = jnp.asarray([3, 70_001])
    drawn = prng.draw_index(key, sizes, (7_000, 2))
    assert_uniform(drawn[:, 0], 3)
    assert_uniform(drawn[:, 1] * 10 // 70_001, 10)


@pytest.mark.parametrize("bits", [range(8), range(24, 32), range(4, 32, 4)])
def test_hash_words_are_uniform_in_every_group_of_bits(bits):
    words = np.asarray(jax.random.bits(KEY, (50_000,)))
    groups = sum((words >> bit & 1).astype(int) << place for place, bit in enumerate(bits))
    assert_uniform(groups, 2 ** len(bits))


def test_hash_words_are_independent_of_their_neighbors():
    words = np.asarray(jax.random.bits(KEY, (50_001,))) >> 28
    assert_uniform(words[:-1].astype(int) * 16 + words[1:], 256)


def test_first_words_of_derived_hash_keys_are_uniform():
    # a simulation draws one or two words from each of very many keys, so these matter more than long streams
    folded = jax.vmap(lambda number: jax.random.fold_in(KEY, number))(jnp.arange(20_000))
    split = jax.random.split(KEY, 20_000)
    nested = jax.vmap(lambda key: jax.random.fold_in(key, 3))(folded)
    seeded = jax.vmap(lambda seed: prng.make_key(seed, "hash"))(jnp.arange(20_000))
    for keys in (folded, split, nested, seeded):
        words = np.asarray(jax.vmap(lambda key: jax.random.bits(key, (2,)))(keys)).astype(int)
        first, second = words.T
        assert_uniform(first >> 24, 256)
        assert_uniform(first & 255, 256)
        assert_uniform((first[:-1] >> 28) * 16 + (first[1:] >> 28), 256)
        assert_uniform((first >> 28) * 16 + (second >> 28), 256)
        assert len(np.unique(first)) >= len(first) - 2


def test_derived_hash_keys_all_differ():
    folded = jax.vmap(lambda number: jax.random.fold_in(KEY, number))(jnp.arange(2_000))
    split = jax.random.split(KEY, 2_000)
    again = jax.vmap(jax.random.split)(split[:500])
    rows = np.concatenate([data(keys) for keys in (KEY[None], folded, split, again)])
    assert len(np.unique(rows, axis=0)) == len(rows) == 5_001


def test_streams_of_different_hash_keys_do_not_overlap():
    keys = jax.random.split(KEY, 8)
    words = np.asarray(jax.vmap(lambda key: jax.random.bits(key, (1_000,)))(keys)).reshape(-1)
    assert len(np.unique(words)) >= len(words) - 2  # a word may repeat by chance


def test_hash_keys_serve_the_samplers_of_jax():
    values = np.asarray(jax.random.normal(KEY, (20_000,)))
    assert stats.kstest(values, "norm").pvalue > 1e-6
    order = np.asarray(jax.random.permutation(KEY, 1_000))
    assert sorted(order) == list(range(1_000))
    assert abs(np.corrcoef(order, np.arange(1_000))[0, 1]) < 0.1
    assert_uniform(jax.random.bits(KEY, (20_000,), jnp.uint8), 256)


@pytest.mark.parametrize(
    "function",
    [
        jax.random.bits,
        lambda key: jax.random.normal(key, (5,)),
        lambda key: jax.random.permutation(key, 9),
        lambda key: prng.draw_index(key, 100, (3,)),
        lambda key: jax.random.key_data(jax.random.fold_in(key, 5)),
        lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
    ],
)
def test_vmap_over_hash_keys_equals_a_loop(function):
    keys = jax.random.split(KEY, 4)
    np.testing.assert_array_equal(jax.vmap(function)(keys), np.stack([function(key) for key in keys]))


def test_threefry_is_the_generator_of_jax_and_the_hash_is_another():
    ours, theirs = prng.make_key(5, "threefry"), jax.random.key(5, impl="threefry2x32")
    np.testing.assert_array_equal(jax.random.bits(ours, (8,)), jax.random.bits(theirs, (8,)))
    assert prng.make_key(5).dtype == ours.dtype
    assert not np.array_equal(jax.random.bits(prng.make_key(5, "hash"), (8,)), jax.random.bits(theirs, (8,)))


def test_an_unknown_generator_is_refused():
    with pytest.raises(ValueError, match="Expected a prng of hash or threefry, got 'mersenne'"):
        prng.make_key(0, "mersenne")


def serial_correlations(values: np.ndarray, num_lags: int) -> np.ndarray:
    """Returns the correlations of uniform values [N, M] along the first axis at lags 1 to `num_lags`, [lags, M].

    They are in units of their standard error, so that they are standard normal where there is none.
    """
    centered = (values - values.mean(0)) / values.std(0)
    length = len(values)
    products = [(centered[:-lag] * centered[lag:]).sum(0) / np.sqrt(length - lag) for lag in range(1, num_lags + 1)]
    return np.stack(products)


def assert_standard_normal(values):
    """Tests that many values are standard normal: their squares' sum, and the largest of them."""
    values = np.asarray(values).reshape(-1)
    assert 1e-6 < stats.chi2.cdf((values**2).sum(), len(values)) < 1 - 1e-6
    assert stats.norm.sf(abs(values).max()) * 2 * len(values) > 1e-6


@functools.cache
def sampled_as_in_a_run() -> np.ndarray:
    """Returns what `sample` draws with the keys that random search has, [500 runs, 300 trials, 6 decisions]."""
    runs = jax.vmap(lambda number: ask_tell.split_run_key(ask_tell.run_key(0, number))[1].ask)(jnp.arange(500))

    def sample_at(key, t):
        return NB201.sample(jax.random.fold_in(key, t))

    return np.asarray(jax.jit(jax.vmap(jax.vmap(sample_at, (None, 0)), (0, None)))(runs, jnp.arange(300)))


@pytest.mark.parametrize("lag", ["same trial", "next trial", "next run"])
def test_sampled_decisions_and_pairs_of_them_are_uniform(lag):
    archs = sampled_as_in_a_run()
    later = {"same trial": archs, "next trial": archs[:, 1:], "next run": archs[1:]}[lag]
    former = {"same trial": archs, "next trial": archs[:, :-1], "next run": archs[:-1]}[lag]
    for first, second in itertools.product(range(6), repeat=2):
        if lag == "same trial" and first >= second:
            continue
        assert_uniform(former[..., first] * 5 + later[..., second], 25)


def test_sampled_architectures_are_uniform():
    archs = sampled_as_in_a_run().reshape(-1, 6)
    assert_uniform(archs, 5)
    assert_uniform(archs[:, :3] @ [25, 5, 1], 125)
    assert_uniform(archs[:, 3:] @ [25, 5, 1], 125)
    assert_uniform(archs[:, :4] @ [125, 25, 5, 1], 625)


@pytest.mark.parametrize("along", ["trials", "runs", "seeds"])
def test_words_do_not_depend_on_those_of_neighboring_keys(along):
    def word(seed, run, t):
        keys = ask_tell.split_run_key(jax.random.fold_in(prng.make_key(seed, "hash"), run))[1]
        return jax.random.bits(jax.random.fold_in(keys.ask, t), (3,))

    many, few = jnp.arange(20_000), jnp.arange(10)
    over_many = {"trials": (None, None, 0), "runs": (None, 0, None), "seeds": (0, None, None)}[along]
    over_few = {"trials": (None, 0, None), "runs": (None, None, 0), "seeds": (None, 0, None)}[along]
    arguments = [jnp.int32(3)] * 3
    arguments[over_many.index(0)], arguments[over_few.index(0)] = many, few
    words = np.asarray(jax.jit(jax.vmap(jax.vmap(word, over_few), over_many))(*arguments))
    words = words.reshape(len(many), -1)
    assert_standard_normal(serial_correlations(words / 2**32, 20))
    for shift in (0, 8, 16, 24):  # of each byte apart
        assert_standard_normal(serial_correlations((words >> shift & 255).astype(float), 5))
    between = np.corrcoef(words.T)[np.triu_indices(words.shape[1], 1)] * np.sqrt(len(words))
    assert_standard_normal(between)


@pytest.mark.nightly
@pytest.mark.parametrize("factory", [jn.random_search, jn.regularized_evolution])
def test_searches_end_where_they_do_with_threefry(factory):
    bench = jn.load("nb201-mnist5k-v1")
    space = bench.space.enumerated()
    ends = []
    for name in prng.PRNGS:
        trials = jn.run(factory(space), bench, num_trials=200, num_runs=4000, prng=name)
        ends.append(jn.regret(trials, bench)[:, -1])
    difference = ends[0].mean() - ends[1].mean()
    error = np.sqrt(sum(values.var() / len(values) for values in ends))
    assert abs(difference) < 4 * error
    assert error < 0.0005  # of a regret of 0.01 to 0.02: the test could tell
    assert stats.ks_2samp(*ends).pvalue > 1e-4
