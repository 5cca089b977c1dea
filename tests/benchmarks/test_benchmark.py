"""Benchmarks: a query answers what is stored, or what a training gives, and never holds the test split."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samples import MIXED, SMALL, TINY, make_strategy
from scipy.stats import chisquare

import jaxnas as jn
from jaxnas import catalog
from jaxnas.analysis.fronts import true_front
from jaxnas.benchmarks import training
from jaxnas.benchmarks.base import Benchmark
from jaxnas.spaces.base import EnumeratedSpace
from jaxnas.tables.columns import Column, run_counts
from jaxnas.tables.table import Table, write
from jaxnas.training.config import TrainConfig
from jaxnas.training.trainer import evaluate

SEEDS, FIDELITIES = 3, [2, 5, 9]
HYPERPARAMETERS = {  # small ones, so that short runs reach all phases
    "regularized_evolution": {"population_size": 6},
    "genetic_algorithm": {"population_size": 6},
    "cross_entropy": {"batch_size": 8},
}


def make_table(space=MIXED, counts: bool = False) -> Table:
    random = np.random.RandomState(0)
    shape = (2, space.num_architectures, SEEDS, len(FIDELITIES))
    if counts:
        return Table.from_arrays(
            space, "noise", *random.randint(0, 500, shape), FIDELITIES, num_examples={"validation": 500, "test": 800}
        )
    return Table.from_arrays(space, "noise", *random.uniform(size=shape), FIDELITIES)


@functools.partial(jax.jit, static_argnums=4)
def ask(query_function, arch, fidelity, key, num_queries) -> jn.Observation:
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


def test_other_wrong_arguments_are_refused(task):
    with pytest.raises(ValueError, match=r"^Expected noise of seed or mean, got 'none'"):
        jn.TableBenchmark(make_table(), noise="none")
    with pytest.raises(ValueError, match=r"^Expected an architecture of the benchmark's space"):
        jn.TableBenchmark(make_table()).query(jn.Query(jnp.zeros(6, jnp.int32)), jax.random.key(0))
    with pytest.raises(ValueError, match=r"^Expected num_seeds of 1 or more, got 0"):
        jn.TrainingBenchmark(SMALL, task, TINY, num_seeds=0)
    with pytest.raises(ValueError, match=r"^Expected a batch_size up to the 48 training images, got 49"):
        jn.TrainingBenchmark(SMALL, task, TrainConfig(batch_size=49))
    with pytest.raises(ValueError, match=r"^Expected a FunctionBenchmark with a test_function"):
        jn.FunctionBenchmark(MIXED, lambda arch: arch.sum()).held_out.scores(np.zeros((1, 3), int))


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


@pytest.mark.parametrize("name", catalog.STRATEGIES)
def test_strategies_hold_no_scores_before_and_after_a_run(name):
    table = make_table(SMALL)
    bench = jn.TableBenchmark(table, space=SMALL)
    strategy = make_strategy(name, SMALL)
    for _ in range(2):
        for each in (strategy, *strategy):
            assert not holds(each, table, "test")
            assert not holds(each, table, "validation")
        jn.run(strategy, bench, num_trials=10, num_runs=2)


def first(arch):
    return arch[0]


def benches_of_all_kinds(task) -> list:
    table = make_table()
    sizes = np.arange(len(table.representatives))
    bench = jn.TableBenchmark(table.with_columns({"num_parameters": (sizes, "parameters")}))
    return [
        bench,
        jn.penalised(bench, 1e-3),
        jn.FunctionBenchmark(
            MIXED,
            lambda arch: -arch.sum(),
            test_function=lambda archs: archs.sum(-1),
            optimum=4,
            sizes={"first": first},
        ),
        jn.TrainingBenchmark(SMALL, task, TINY),
        jn.penalised(jn.TrainingBenchmark(SMALL, task, TINY), 1e-3),
    ]


MEMBERS = [name for name in vars(Benchmark) if not name.startswith("_")]


@pytest.mark.parametrize("kind", range(5))
def test_every_kind_has_what_a_benchmark_has(task, kind):
    bench = benches_of_all_kinds(task)[kind]
    assert [name for name in MEMBERS if not hasattr(bench, name)] == []
    archs = np.asarray(jax.vmap(bench.space.arch_at)(np.arange(6)))
    trials = jn.run(jn.random_search(bench.space), bench, num_trials=3, num_runs=2)
    assert trials.observation.score.shape == (2, 3)
    assert bench.prices.shape == (1, len(bench.fidelities))
    np.testing.assert_array_equal(bench.price(archs, -1), np.full(6, bench.prices[0, -1]))
    np.testing.assert_array_equal(bench.price(archs[:1], 0), bench.prices[0, :1])
    for name in bench.size_names:
        sizes = bench.sizes(name, archs.reshape(2, 3, -1))
        np.testing.assert_allclose(jax.vmap(bench.size(name))(archs).reshape(2, 3), sizes, rtol=1e-6)
        assert bench.size(name) is bench.size(name)
    with pytest.raises(ValueError, match=r"^Expected a (size of|benchmark with sizes)"):
        bench.size("seconds")
    assert bench.held_out.scores(archs).shape == bench.validation_scores(archs).shape == (6,)


def test_everything_that_is_reported_is_held_out(task):
    for bench in benches_of_all_kinds(task)[:3]:
        trials = jn.compare({"random": jn.random_search(MIXED)}, bench, num_trials=3, num_runs=2)
        frame = jn.to_frame(trials["random"], bench)
        found = bench.held_out.scores(trials["random"].query.arch)
        best = np.take_along_axis(found, jn.incumbents(trials["random"]), axis=1)
        np.testing.assert_allclose(frame["test_regret"], (bench.held_out.optimum - best).ravel(), rtol=1e-6)
    assert len(true_front(benches_of_all_kinds(task)[0], "parameters"))


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


# Trainings


@pytest.fixture(scope="module")
def trained(task) -> Table:
    """Returns the table of the small space, every class trained with two seeds."""
    class_rows, class_of = np.unique(SMALL.classes(), return_inverse=True)
    curves = evaluate(SMALL, np.asarray(SMALL.arch_at(class_rows)), task, TINY, [0, 1])
    splits = (getattr(curves, split)[class_of] for split in ("validation", "test"))
    num_examples = {split: getattr(task, split).num_examples for split in ("validation", "test")}
    return Table.from_arrays(SMALL, task, *splits, [1, 2], num_examples=num_examples)


@pytest.mark.parametrize("name", catalog.STRATEGIES)
def test_a_search_that_trains_is_the_search_on_the_table_of_its_trainings(name, task, trained):
    strategy = make_strategy(name, SMALL, **HYPERPARAMETERS.get(name, {}))
    training = jn.TrainingBenchmark(SMALL, task, TINY, num_seeds=2)
    trials = jn.run(strategy, training, num_trials=25, num_runs=1, seed=3)
    table = jn.TableBenchmark(trained, space=SMALL)
    looked_up = jn.run(strategy, table, num_trials=25, num_runs=1, seed=3)
    jax.tree.map(np.testing.assert_array_equal, trials, looked_up)
    assert set(trials.observation.seed.ravel()) == {0, 1}
    assert len(np.unique(trials.observation.score)) > 3


def test_trainings_are_not_repeated(task, monkeypatch):
    trained = []

    def counting(space, archs, task, config, seeds):
        trained.extend((tuple(arch), seed) for arch in archs.tolist() for seed in seeds)
        return evaluate(space, archs, task, config, seeds)

    monkeypatch.setattr(training, "evaluate", counting)
    bench = jn.TrainingBenchmark(SMALL, task, TINY, num_seeds=2)
    trials = jn.run(jn.local_search(SMALL), bench, num_trials=60, num_runs=1)
    asked = {
        (tuple(np.asarray(SMALL.canonical(arch)).tolist()), int(seed))
        for arch, seed in zip(trials.query.arch[0], trials.observation.seed[0], strict=True)
    }
    assert len(trained) == len(asked) < 60
    assert set(trained) == asked


def test_scores_of_a_training_benchmark_are_means_of_what_was_trained(task, trained):
    bench = jn.TrainingBenchmark(SMALL, task, TINY, num_seeds=2)
    archs = np.asarray(SMALL.arch_at(np.array([[124, 31], [62, 6]])))
    for seed in (0, 1):
        bench.curves(archs[0, 0], seed)
    bench.curves(archs[0, 1], 1)
    bench.curves(archs[1, 0], 0)
    for split, scores_of in (("validation", bench.validation_scores), ("test", bench.held_out.scores)):
        scores = scores_of(archs)
        stored = trained.scores(split)[..., -1]
        expected = [[stored[124].mean(), stored[31, 1]], [stored[62, 0], np.nan]]
        np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_a_diverged_training_is_answered_with_nan(task, monkeypatch):
    def diverging(space, archs, task, config, seeds):
        curves = evaluate(space, archs, task, config, seeds)
        return curves._replace(loss=np.where([False, True], np.inf, curves.loss))

    monkeypatch.setattr(training, "evaluate", diverging)
    bench = jn.TrainingBenchmark(SMALL, task, TINY)
    scores = [bench.query(jn.Query(SMALL.arch_at(31), fidelity), jax.random.key(0)).score for fidelity in range(2)]
    assert np.isnan(scores).tolist() == [False, True]
