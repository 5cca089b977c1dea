"""What every kind of benchmark has, and tables as they are published: missing runs, two schedules, seconds."""

import json

import jax
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL, TINY
from scipy.stats import chisquare

import jaxnas as jn
from jaxnas.analysis.budgets import at_budgets
from jaxnas.analysis.fronts import true_front
from jaxnas.analysis.landscape import landscape
from jaxnas.benchmarks.base import Benchmark
from jaxnas.cli.main import main
from jaxnas.spaces.listed import ListedSpace
from jaxnas.tables.columns import Column
from jaxnas.tables.table import Table, column_pack, write
from jaxnas.tasks.metrics import Metric
from jaxnas.training.trainer import Trainer

AXES = ("class", "run", "fidelity")
SHORT = {"name": "12", "training": "12-epoch schedule", "epoch": 12}
LONG = {"name": "200", "training": "200-epoch schedule", "epoch": 200}
NUM_RUNS = np.array([3, 1, 2, 3, 2, 1, 3, 2, 1, 3, 2, 3])
SECONDS = np.array([4.5, 1, 2.25, 3, 2.5, 1, 3, 2, 1.75, 3, 2, 3.5], np.float32)


def published_table(space=MIXED, metric: Metric | None = None) -> Table:
    """Returns a table in which searches are told one to three runs of a short schedule, of which some failed, at a
    price in seconds, and two runs of a long schedule are reported.
    """
    random = np.random.RandomState(0)
    size = space.num_architectures
    told, reported = random.uniform(size=(size, 3, 1)), random.uniform(size=(size, 2, 1))
    told[np.arange(3) >= NUM_RUNS[:size, None]] = np.nan
    told[3, 1] = -np.inf  # failed
    better = 1 if metric is None else metric.better
    return Table.from_arrays(
        space,
        "published",
        Column(told.astype(np.float32), AXES, "proportion", better, runs="search", fidelities=("12",)),
        Column(reported.astype(np.float32), AXES, "proportion", better, runs="final", fidelities=("200",)),
        [SHORT, LONG],
        columns={"seconds": (SECONDS[:size], "seconds")},
        protocols={"published": {"price": "seconds"}},
        metric=metric,
        nan="missing",
    )


def published(space=MIXED, **options) -> jn.TableBenchmark:
    return jn.TableBenchmark(published_table(space), space=space, protocol="published", **options)


# Every kind


def benches_of_all_kinds(task) -> list:
    scores = np.random.RandomState(0).uniform(size=(2, 12, 3, 3))
    columns = {"num_parameters": (np.arange(12), "parameters")}
    bench = jn.TableBenchmark(jn.Table.from_arrays(MIXED, "noise", *scores, [2, 5, 9], columns=columns))
    return [
        bench,
        jn.penalized(bench, 1e-3),
        jn.benchmarks.FunctionBenchmark(
            MIXED,
            lambda arch: -arch.sum(),
            test_function=lambda archs: archs.sum(-1),
            optimum=4,
            sizes={"first": lambda arch: arch[0]},
        ),
        jn.benchmarks.TrainingBenchmark(Trainer(SMALL, task, TINY)),
        published(),
        jn.penalized(jn.benchmarks.TrainingBenchmark(Trainer(SMALL, task, TINY)), 1e-3),
    ]


MEMBERS = [name for name in vars(Benchmark) if not name.startswith("_")]


@pytest.mark.parametrize("kind", range(6))
def test_every_kind_has_what_a_benchmark_has(task, kind):
    bench = benches_of_all_kinds(task)[kind]
    assert [name for name in MEMBERS if not hasattr(bench, name)] == []
    archs = np.asarray(jax.vmap(bench.space.arch_at)(np.arange(6)))
    trials = jn.run(jn.random_search(bench.space), bench, num_trials=3, num_runs=2)
    assert trials.observation.score.shape == (2, 3)
    assert bench.prices.shape[1] == len(bench.fidelities)
    for fidelity in range(len(bench.fidelities)):
        prices = bench.price(archs, fidelity)
        answers = [bench.query(jn.Query(arch, np.int32(fidelity)), jax.random.key(0)).cost for arch in archs[:2]]
        np.testing.assert_array_equal(prices[:2], answers)
        np.testing.assert_array_equal(bench.price(archs.reshape(2, 3, -1), fidelity), prices.reshape(2, 3))
    for name in bench.size_names:
        sizes = bench.sizes(name, archs.reshape(2, 3, -1))
        np.testing.assert_allclose(jax.vmap(bench.size(name))(archs).reshape(2, 3), sizes, rtol=1e-6)
        assert bench.size(name) is bench.size(name)
    with pytest.raises(ValueError, match=r"Expected a (size of|benchmark with sizes)"):
        bench.size("color")
    assert bench.held_out.scores(archs).shape == bench.validation_scores(archs).shape == (6,)


def test_everything_that_is_reported_is_held_out(task):
    for bench in benches_of_all_kinds(task)[:3]:
        trials = jn.run(jn.random_search(MIXED), bench, num_trials=3, num_runs=2)
        frame = jn.analysis.to_frame(trials, bench)
        np.testing.assert_array_equal(frame["test_regret"], jn.regret(trials, bench).ravel())
        found = bench.held_out.scores(trials.query.arch)
        best = np.take_along_axis(found, jn.analysis.incumbents(trials), axis=1)
        regrets = jn.regret(trials, bench, optimum_from="maximum")
        np.testing.assert_allclose(regrets, bench.held_out.optimum - best, rtol=1e-6, atol=1e-9)
    assert len(true_front(benches_of_all_kinds(task)[0], "parameters"))


# Tables as they are published


def test_a_query_draws_among_the_runs_that_a_class_has():
    bench = published()
    stored = bench.table.scores("validation")[..., 0]
    keys = jax.random.split(jax.random.key(0), 300)
    for row, num_runs in enumerate(NUM_RUNS):
        answers = jax.vmap(lambda key, row=row: bench.query(jn.Query(MIXED.arch_at(row)), key))(keys)
        assert num_runs == 1 or chisquare(np.bincount(answers.seed, minlength=num_runs)).pvalue > 1e-3
        assert answers.seed.max() == num_runs - 1
        np.testing.assert_array_equal(answers.score, stored[row, answers.seed])
        assert (np.isnan(answers.score) == ((answers.seed == 1) & (row == 3))).all()
    means = np.asarray([np.nanmean(each) for each in stored])
    mean = published(noise="mean")
    found = [mean.query(jn.Query(MIXED.arch_at(row)), keys[0]).score for row in range(12)]
    np.testing.assert_allclose(found, means, rtol=1e-6)
    np.testing.assert_array_equal(found, bench.validation_scores(np.arange(12)[:, None]))


def test_what_is_reported_is_of_another_training_than_what_is_told():
    bench = published()
    final = bench.table.scores("test")[..., 0].mean(1)
    np.testing.assert_allclose(bench.held_out.scores(np.arange(12)[:, None]), final, rtol=1e-6)
    assert bench.held_out.optimum == pytest.approx(final.max())
    assert (bench.fidelities, bench.cost_unit, bench.protocol) == ((12,), "seconds", "published")
    default = jn.TableBenchmark(bench.table)
    assert (default.fidelities, default.cost_unit, default.prices.tolist()) == ((12,), "epochs", [[12]])
    trials = jn.run(jn.random_search(MIXED), bench, num_trials=8, num_runs=3)
    rows = bench.rows(np.take_along_axis(trials.query.arch, jn.analysis.incumbents(trials)[..., None], axis=1))
    np.testing.assert_allclose(jn.regret(trials, bench, optimum_from="maximum"), final.max() - final[rows], atol=1e-6)
    estimated = jn.analysis.optimum(bench)
    assert estimated.method == "crossfit"
    # No search saw a run that is reported, so that none is left out.
    np.testing.assert_allclose(jn.regret(trials, bench), estimated.value - final[rows], atol=1e-6)


@pytest.mark.parametrize("factory", [jn.random_search, jn.regularized_evolution])
def test_a_history_replays_against_the_table_and_pays_seconds(factory):
    bench = published()
    trials = jn.run(factory(MIXED), bench, num_trials=40, num_runs=3)
    rows, seeds = bench.rows(trials.query.arch), trials.observation.seed
    np.testing.assert_array_equal(trials.observation.score, bench.table.scores("validation")[rows, seeds, 0])
    for run in range(3):
        paid = {}
        for row, seed, cost in zip(rows[run], seeds[run], trials.observation.cost[run], strict=True):
            assert cost == (0 if (row, seed) in paid else SECONDS[row])
            paid[row, seed] = True
        assert len(paid) < 40
    budgets = np.array([0.5, 5, 10, 1e6])
    spent = np.cumsum(trials.observation.cost, axis=1)
    regrets = jn.regret(trials, bench)
    expected = [[row[cost <= budget][-1] if (cost <= budget).any() else np.nan for budget in budgets]
                for row, cost in zip(regrets, spent, strict=True)]  # fmt: skip
    np.testing.assert_array_equal(at_budgets(regrets, trials, budgets), expected)
    loop = jn.run(factory(MIXED)._replace(jittable=False), bench, num_trials=40, num_runs=1)
    jax.tree.map(lambda one, other: np.testing.assert_array_equal(one, other[:1]), loop, trials)


def test_a_published_table_is_compared_and_has_a_landscape_and_a_penalty():
    bench = published()
    found = landscape(bench)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["optima"]["best"][0]["validation"] == bench.validation_scores(np.arange(12)[:, None]).max()
    assert found["sizes"]["seconds"] is not None
    penalized = jn.penalized(bench, 0.01, "seconds")
    trials = jn.run(jn.random_search(MIXED), penalized, num_trials=20, num_runs=2)
    plain = jn.run(jn.random_search(MIXED), bench, num_trials=20, num_runs=2)
    rows = bench.rows(trials.query.arch)
    np.testing.assert_allclose(trials.observation.score, plain.observation.score - 0.01 * SECONDS[rows], rtol=1e-5)
    np.testing.assert_array_equal(trials.observation.cost, plain.observation.cost)
    assert (jn.regret(trials, penalized, optimum_from="maximum") >= 0).all()


def test_smaller_can_be_better():
    table = published_table(metric=Metric("perplexity", "proportion", -1))
    bench = jn.TableBenchmark(table, protocol="published")
    rows = np.arange(12)[:, None]
    np.testing.assert_array_equal(bench.validation_scores(rows), -table.means("validation")[:, 0])
    assert bench.held_out.optimum == -table.means("test").min()
    trials = jn.run(jn.random_search(MIXED), bench, num_trials=20, num_runs=3)
    assert (jn.regret(trials, bench, optimum_from="maximum") >= 0).all()
    told = -trials.observation.score
    chosen = np.take_along_axis(told, jn.analysis.incumbents(trials), axis=1)[:, -1]
    np.testing.assert_array_equal(chosen, np.nanmin(told, axis=1))


LISTED = ListedSpace(MIXED, [0, 3, 4, 5, 8, 9, 11], name="listed")
CONSTRAINED = jn.SearchSpace("constrained", MIXED.decisions, valid=lambda arch: arch[0] + arch[1] < 3)


@pytest.mark.parametrize("space", [LISTED, CONSTRAINED], ids=["listed", "constrained"])
def test_rows_are_what_the_space_says_they_are(space):
    bench = published(space)
    archs = np.asarray(jax.vmap(space.arch_at)(np.arange(space.num_architectures)))
    assert bench.rows(archs).tolist() == list(range(space.num_architectures))
    for factory in (jn.random_search, jn.local_search):
        trials = jn.run(factory(space), bench, num_trials=20, num_runs=2)
        rows, seeds = bench.rows(trials.query.arch), trials.observation.seed
        np.testing.assert_array_equal(trials.observation.score, bench.table.scores("validation")[rows, seeds, 0])
        assert (jn.regret(trials, bench, optimum_from="maximum") >= 0).all()
    by_row = jn.run(jn.random_search(space.enumerated()), bench, num_trials=5, num_runs=2)
    assert by_row.query.arch.shape == (2, 5, 1)
    found = landscape(bench)
    assert (found["num_architectures"], "effects" in found) == (space.num_architectures, False)
    with pytest.raises(ValueError, match=rf"^Expected the space that {bench.id} was made of, got mixed"):
        jn.TableBenchmark(bench.table, space=MIXED)
    with pytest.raises(ValueError, match=rf"^Expected valid architectures of {space.name}, got others from random"):
        jn.run(jn.random_search(MIXED), bench, num_trials=20, num_runs=2)


@pytest.mark.parametrize(
    "space", [CONSTRAINED, pytest.param(LISTED, marks=pytest.mark.nightly)], ids=["constrained", "listed"]
)
def test_the_command_compares_on_a_folder_of_such_a_space(space, tmp_path, capsys):
    bench = published(space)
    write(bench.table, tmp_path / "table", "a card")
    again = jn.load(tmp_path / "table", protocol="published")
    np.testing.assert_array_equal(again.space.codes, space.codes)
    options = ["--protocol", "published", "--runs", "5", "--trials", "6", "--strategies", "random_search,local_search"]
    assert main(["compare", "--benchmark", str(tmp_path / "table"), *options, "--out", str(tmp_path / "out")]) == 0
    assert "local_search" in capsys.readouterr().out
    result = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert result["cost_unit"] == "seconds"
    assert (tmp_path / "out" / "report.html").exists()
    unknown = ["compare", "--benchmark", str(tmp_path / "table"), "--protocol", "publish"]
    assert main(unknown) == 2
    assert "Did you mean published" in capsys.readouterr().err


# Prices and sizes


def test_prices_that_are_none_are_refused():
    table = published_table()
    for price in (np.nan, -1.0):
        prices = np.where(np.arange(12) == 4, price, SECONDS).astype(np.float32)
        wrong = table.with_columns({"seconds": (prices, "seconds")})
        with pytest.raises(ValueError, match=r"^Expected prices of 0 or more in the column seconds of mixed-published"):
            jn.TableBenchmark(wrong, protocol="published")


def test_columns_of_a_pack_are_sizes(tmp_path):
    latencies = np.arange(12, dtype=np.float32)[::-1] / 10
    pack = column_pack(MIXED, "latencies", {"latency_raspi4": (latencies, "milliseconds")})
    write(pack, tmp_path / "pack", "a card")
    write(published_table(), tmp_path / "table", "a card")
    bench = jn.load(tmp_path / "table", protocol="published", columns=[tmp_path / "pack"])
    assert bench.size_names == ("seconds", "latency_raspi4")
    rows = np.arange(12)[:, None]
    np.testing.assert_array_equal(bench.sizes("latency_raspi4", rows), latencies)
    np.testing.assert_array_equal(jax.vmap(bench.size("latency_raspi4"))(rows), latencies)
    strategy = jn.nsga2(MIXED, size=bench.size("latency_raspi4"), population_size=4)
    assert jn.run(strategy, bench, num_trials=8, num_runs=2).observation.score.shape == (2, 8)
    with pytest.raises(ValueError, match=r"^Did you mean l.*Expected a size of latency_raspi4, seconds, got 'latency'"):
        bench.size("latency")


# Functions


def test_validation_scores_of_a_function_are_what_it_answers_and_not_what_is_reported():
    asked = []

    def host(arch):
        asked.append(tuple(arch.tolist()))
        return float(arch.sum())

    archs = np.array([[[0, 1, 1], [1, 2, 0]], [[1, 2, 0], [0, 0, 0]]])
    for function, is_host in ((host, True), (lambda arch: arch.sum(), False)):
        bench = jn.benchmarks.FunctionBenchmark(
            MIXED, function, test_function=lambda archs: archs[..., 0], host=is_host
        )
        np.testing.assert_array_equal(bench.validation_scores(archs), archs.sum(-1))
        np.testing.assert_array_equal(bench.held_out.scores(archs), archs[..., 0])
    assert sorted(asked) == [(0, 0, 0), (0, 1, 1), (1, 2, 0)]  # once each
    with pytest.raises(ValueError, match=r"^Expected a FunctionBenchmark with a test_function"):
        jn.benchmarks.FunctionBenchmark(MIXED, lambda arch: arch.sum()).held_out.scores(archs)
