"""Benchmarks of tables: a query answers what is stored, and never holds the held-out scores."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL, make_strategy
from scipy.stats import chisquare

import jaxnas as jn
from jaxnas import catalog
from jaxnas.spaces.base import EnumeratedSpace
from jaxnas.tables.columns import Column, run_counts
from jaxnas.tables.table import Table, write

SEEDS, FIDELITIES = 3, [2, 5, 9]


def make_table(space=MIXED, counts: bool = False) -> Table:
    random = np.random.RandomState(0)
    shape = (2, space.num_architectures, SEEDS, len(FIDELITIES))
    if counts:
        return Table.from_arrays(
            space, "noise", *random.randint(0, 500, shape), FIDELITIES, num_examples={"validation": 500, "test": 800}
        )
    return Table.from_arrays(space, "noise", *random.uniform(size=shape), FIDELITIES)


@functools.partial(jax.jit, static_argnums=4)
def ask(query_function, arch, fidelity, key, num_queries) -> jn.simulation.Observation:
    """Returns the answers to one query, asked many times."""
    keys = jax.random.split(key, num_queries)
    return jax.vmap(lambda key: query_function(jn.Query(arch, fidelity), key))(keys)


# Tables


@pytest.mark.parametrize("counts", [False, True])
def test_a_query_answers_the_score_of_a_stored_seed(counts):
    table = make_table(counts=counts)
    bench = jn.TableBenchmark(table)
    for row, fidelity in [(0, 0), (5, 1), (11, 2)]:
        answers = ask(bench.query, MIXED.arch_at(row), fidelity, jax.random.key(row), 300)
        np.testing.assert_array_equal(answers.score, table.scores("validation")[row, answers.seed, fidelity])
        assert (answers.cost == FIDELITIES[fidelity]).all()
        assert chisquare(np.bincount(answers.seed, minlength=SEEDS)).pvalue > 1e-3


@pytest.mark.parametrize("noise", ["seed", "mean"])
def test_the_last_fidelity_is_asked_by_default(noise):
    bench = jn.TableBenchmark(make_table(), noise=noise)
    for row in range(MIXED.num_architectures):
        answers = [
            bench.query(query, jax.random.key(0))
            for query in (jn.Query(MIXED.arch_at(row)), jn.Query(MIXED.arch_at(row), 2))
        ]
        assert answers[0] == answers[1]


def test_without_noise_a_query_answers_the_mean_over_the_seeds():
    table = make_table()
    bench = jn.TableBenchmark(table, noise="mean")
    answers = ask(bench.query, MIXED.arch_at(7), 1, jax.random.key(0), 20)
    np.testing.assert_allclose(answers.score, table.scores("validation")[7, :, 1].mean(), rtol=1e-6)
    assert (answers.seed == -1).all()


@pytest.mark.parametrize("noise", ["seed", "mean"])
def test_rows_are_answered_as_the_architectures_they_stand_for(noise):
    bench = jn.TableBenchmark(make_table(), noise=noise)
    for row in range(MIXED.num_architectures):
        arch = MIXED.arch_at(row)
        assert bench.query(jn.Query(arch), jax.random.key(3)) == bench.query(
            jn.Query(jnp.array([row])), jax.random.key(3)
        )
        assert bench.rows(arch) == bench.rows(np.array([row])) == row
    archs = np.stack([MIXED.arch_at(row) for row in range(12)]).reshape(3, 4, 3)
    for score in (bench.held_out.scores, bench.validation_scores):
        np.testing.assert_array_equal(score(archs), score(np.arange(12).reshape(3, 4, 1)))


def test_members_of_a_class_share_their_scores():
    table = make_table()
    columns = {name: column._replace(values=column.values[:6]) for name, column in table.columns.items()}
    table = Table(table.manifest, {}, np.arange(12, dtype=np.int32) // 2, columns)
    bench = jn.TableBenchmark(table)
    for row in range(12):
        answer = bench.query(jn.Query(MIXED.arch_at(row), 1), jax.random.key(0))
        assert answer.score == table.scores("validation")[row // 2, answer.seed, 1]
    means = table.scores("test")[:, :, -1].mean(1)
    np.testing.assert_allclose(bench.held_out.scores(np.arange(12)[:, None]), np.repeat(means, 2), rtol=1e-6)


def test_validation_and_held_out_scores_are_distinguished():
    table = make_table()
    bench = jn.TableBenchmark(table)
    rows = np.arange(12)[:, None]
    for split, scores in (("validation", bench.validation_scores), ("test", bench.held_out.scores)):
        np.testing.assert_allclose(scores(rows), table.scores(split)[:, :, -1].mean(1), rtol=1e-6)
    for fidelity in range(3):
        means = table.scores("validation")[:, :, fidelity].mean(1)
        np.testing.assert_allclose(bench.validation_scores(rows, fidelity), means, rtol=1e-6)
    assert bench.held_out.optimum == bench.held_out.scores(rows).max()
    assert bench.held_out.worst == bench.held_out.scores(rows).min()
    assert not np.array_equal(bench.held_out.scores(rows), bench.validation_scores(rows))


def test_failed_trainings_are_answered_with_nan_and_left_out_of_means():
    validation, test = np.random.RandomState(0).uniform(size=(2, 12, SEEDS, 3))
    for values in (validation, test):
        values[4, 1, 2] = np.nan
        values[8] = np.nan
    table = Table.from_arrays(MIXED, "noise", validation, test, FIDELITIES)
    bench, mean = jn.TableBenchmark(table), jn.TableBenchmark(table, noise="mean")
    answers = ask(bench.query, MIXED.arch_at(4), 2, jax.random.key(0), 50)
    np.testing.assert_array_equal(np.isnan(answers.score), answers.seed == 1)
    expected = validation[4, [0, 2], 2].mean()
    assert mean.query(jn.Query(MIXED.arch_at(4)), jax.random.key(0)).score == pytest.approx(expected, rel=1e-6)
    assert np.isnan(mean.query(jn.Query(MIXED.arch_at(8)), jax.random.key(0)).score)
    scores = bench.held_out.scores(np.array([[4], [8]]))
    assert scores[0] == pytest.approx(test[4, [0, 2], 2].mean(), rel=1e-6)
    assert np.isnan(scores[1])
    assert (bench.held_out.optimum, bench.held_out.worst) == (
        pytest.approx(np.nanmax(np.nanmean(np.delete(test, 8, 0)[..., 2], 1))),
        pytest.approx(np.nanmin(np.nanmean(np.delete(test, 8, 0)[..., 2], 1))),
    )


def test_a_loss_that_is_not_finite_is_a_failure_from_then_on():
    table = make_table(counts=True)
    loss = np.ones(table.validation.shape, np.float32)
    loss[3, 0, 1:] = np.inf
    bench = jn.TableBenchmark(table.with_columns({"loss": Column(loss, ("class", "run", "fidelity"), "nats", -1)}))
    for fidelity in range(3):
        answers = ask(bench.query, MIXED.arch_at(3), fidelity, jax.random.key(0), 50)
        np.testing.assert_array_equal(np.isnan(answers.score), (answers.seed == 0) & (fidelity > 0))


# What is refused, and what is loaded


def test_partial_tables_are_refused():
    table = make_table()
    num_runs = np.full(12, SEEDS)
    num_runs[[2, 5]] = 0
    with pytest.raises(ValueError, match=r"^Expected a complete table, got 10 of 12 classes in mixed-noise"):
        jn.TableBenchmark(table.with_columns({"num_runs": run_counts(num_runs, None)}))


@pytest.mark.parametrize("space", [SMALL, EnumeratedSpace(MIXED), jn.SearchSpace("mixed", MIXED.decisions[::-1])])
def test_another_space_than_the_table_s_is_refused(space):
    with pytest.raises(ValueError, match=r"^Expected the space that mixed-noise was made of, got"):
        jn.TableBenchmark(make_table(), space=space)


def test_other_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"^Expected noise of seed or mean, got 'none'"):
        jn.TableBenchmark(make_table(), noise="none")
    with pytest.raises(ValueError, match=r"^Expected an architecture of the benchmark's space"):
        jn.TableBenchmark(make_table()).query(jn.Query(jnp.zeros(6, jnp.int32)), jax.random.key(0))
    with pytest.raises(ValueError, match=r"^'published' is unknown. Expected a protocol of default, got 'published'"):
        jn.TableBenchmark(make_table(), protocol="published")


def test_a_table_of_one_s_own_space_loads_with_a_plain_search_space(tmp_path):
    table = write(make_table(SMALL), tmp_path, "a card")
    bench = jn.load(tmp_path)
    assert type(bench.space) is jn.SearchSpace
    assert [decision.values for decision in bench.space.decisions] == [
        tuple(operation.name for operation in SMALL.operations)
    ] * 3
    trials = jn.run(jn.local_search(bench.space), bench, num_trials=30, num_runs=2)
    rows = np.ravel_multi_index(np.moveaxis(trials.query.arch, -1, 0), [5, 5, 5])
    np.testing.assert_array_equal(
        trials.observation.score, table.scores("validation")[rows, trials.observation.seed, -1]
    )
    assert jn.load(tmp_path, space=SMALL, noise="mean").space is SMALL


def test_a_table_of_a_known_space_has_that_space_unless_its_decisions_differ():
    assert jn.TableBenchmark(make_table(jn.NB201)).space is jn.NB201
    other = jn.CellSpace(3, ("none", "skip_connect"), name="nb201")
    assert jn.TableBenchmark(make_table(other)).space == jn.SearchSpace("nb201", other.decisions)


# What searches hold


def arrays_within(root) -> list[np.ndarray]:
    """Returns all arrays that can be reached from an object: through pytrees, containers, attributes, bound methods,
    partial functions, closures and default arguments.
    """
    found, seen, todo = [], {}, [root]
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, (type, types.ModuleType, str, bytes, int, float, type(None))):
            continue
        seen[id(each)] = each  # kept alive, so that no other object gets its id
        if isinstance(each, (np.ndarray, jax.Array)):
            found.append(each)
            continue
        if isinstance(each, dict):
            todo += [*each.keys(), *each.values()]
        if isinstance(each, (list, tuple, set, frozenset)):
            todo += each
        if isinstance(each, functools.partial):
            todo += [each.func, each.args, each.keywords]
        if isinstance(each, types.MethodType):
            todo += [each.__self__, each.__func__]
        if isinstance(each, types.FunctionType):
            todo += [cell.cell_contents for cell in each.__closure__ or ()]
            todo += [each.__defaults__, each.__kwdefaults__]
        todo += [getattr(each, slot, None) for slot in getattr(type(each), "__slots__", ())]
        todo += [getattr(each, "__wrapped__", None), getattr(each, "__dict__", None)]
        todo += jax.tree.leaves(each)
    return [np.asarray(array) for array in found if not jnp.issubdtype(array.dtype, jax.dtypes.prng_key)]


def holds(root, table: Table, split: str) -> bool:
    """Returns whether an object holds the scores of a split: raw or as proportions, of all epochs or the last, of all
    seeds or their mean.
    """
    raw, scores = getattr(table, split), table.scores(split)
    forms = [raw, scores, raw[..., -1], scores[..., -1], scores.mean(1), scores[..., -1].mean(1)]
    return any(
        array.size == form.size and np.allclose(array.ravel(), form.ravel(), rtol=1e-5)
        for array in arrays_within(root)
        if np.issubdtype(array.dtype, np.number)
        for form in forms
    )


@pytest.mark.parametrize("noise", ["seed", "mean"])
@pytest.mark.parametrize("counts", [False, True])
def test_queries_hold_validation_scores_and_no_test_scores(counts, noise):
    table = make_table(SMALL, counts)
    bench = jn.TableBenchmark(table, noise=noise, space=SMALL)
    assert holds(bench.query, table, "validation")
    assert not holds(bench.query, table, "test")
    assert holds(bench.held_out, table, "test")  # the analysis needs them


def hold_nothing(strategy: jn.Strategy, table: jn.Table) -> bool:
    return not any(holds(each, table, split) for each in (strategy, *strategy) for split in ("test", "validation"))


@pytest.mark.parametrize("name", catalog.STRATEGIES)
def test_strategies_hold_no_scores(name):
    assert hold_nothing(make_strategy(name, SMALL), make_table(SMALL))


@pytest.mark.parametrize("name", ["random_search", "local_search", "bananas", "predictor_guided", "hyperband"])
def test_strategies_hold_no_scores_after_a_run(name):
    """Runs of the other strategies are compiled by the same function."""
    table, strategy = make_table(SMALL), make_strategy(name, SMALL)
    jn.run(strategy, jn.TableBenchmark(table, space=SMALL), num_trials=10, num_runs=2)
    assert hold_nothing(strategy, table)


class Holder:
    __slots__ = ("scores",)

    def __init__(self, scores):
        self.scores = scores

    def ask(self, state, t, key):
        return jn.Query(self.scores.argmax())


def cheats(scores: np.ndarray) -> dict:
    """Returns functions that hold scores in each of the ways that Python has."""

    def closure(state, t, key):
        return jn.Query(scores.argmax())

    def default(state, t, key, scores=scores):
        return jn.Query(scores.argmax())

    def keyword_default(state, t, key, *, scores=scores):
        return jn.Query(scores.argmax())

    def attribute(state, t, key):
        return jn.Query(attribute.scores.argmax())

    attribute.scores = scores
    return {
        "closure": closure,
        "default": default,
        "keyword default": keyword_default,
        "attribute": attribute,
        "partial": functools.partial(max, [scores]),
        "pytree": jax.tree_util.Partial(max, jnp.asarray(scores)),
        "method": Holder(scores).ask,
        "jitted": jax.jit(closure),
        "cached": functools.cache(lambda: closure),
        "nested": functools.partial(max, key={"f": lambda: default}),
    }


@pytest.mark.parametrize("way", cheats(np.zeros(1)))
def test_scores_are_found_however_they_are_held(way):
    table = make_table(SMALL)
    cheat = cheats(table.scores("test")[..., -1].mean(1))[way]
    assert holds(jn.random_search(SMALL)._replace(ask=cheat), table, "test")
