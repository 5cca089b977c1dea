"""Transfer: what sources give to strategies, exactly on small tables, and what it is worth on two that ship."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL, assert_equal_trials, random_bench

import jaxnas as jn
from jaxnas.analysis.statistics import mean_interval
from jaxnas.cli.main import main
from jaxnas.report.page.page import page_text
from jaxnas.report.schema import checked
from jaxnas.search.transfer.protocol import transfer_entries
from jaxnas.search.transfer.sources import (
    described_sources,
    regrets_of_classes,
    source_scores,
    sources_ranking,
    without_target,
)
from jaxnas.search.transfer.weighted_sources import ranking_weights
from jaxnas.strategies.gaussian_process import GaussianState
from jaxnas.strategies.wrappers.prior_guided import normal_quantiles

ROWS = MIXED.num_architectures
NAMES = ("one", "two", "three")


def table_of(number: int, name: str | None = None, shift: float = 0.0) -> jn.Table:
    """Returns a table on MIXED of random scores, with two runs, whose test scores are NaN: no source's are read."""
    random = np.random.RandomState(number)
    validation = random.uniform(size=(ROWS, 2, 1)).astype(np.float32) + shift
    return jn.Table.from_arrays(MIXED, name or NAMES[number], validation, np.full_like(validation, np.nan), (1,))


@pytest.fixture(scope="module")
def tables() -> list[jn.Table]:
    return [table_of(number) for number in range(len(NAMES))]


@pytest.fixture(scope="module")
def bench() -> jn.TableBenchmark:
    random = np.random.RandomState(9)
    validation, test = random.uniform(size=(2, ROWS, 3, 1)).astype(np.float32)
    return jn.TableBenchmark(jn.Table.from_arrays(MIXED, "target", validation, test, (1,)), space=MIXED)


def test_the_portfolio_of_one_source_is_its_ranking(tables):
    best = np.argsort(-source_scores(tables[:1])[0], kind="stable")
    found = [int(MIXED.index(arch)) for arch in jn.transfer.greedy_portfolio(tables[:1], MIXED, 5)]
    assert found == best[:5].tolist()
    np.testing.assert_array_equal(sources_ranking(tables[:1], MIXED), MIXED.arch_at(best))


def test_the_portfolio_of_several_sources_is_greedy_in_the_mean_regret_of_its_best(tables):
    rows, regrets = regrets_of_classes(source_scores(tables), MIXED)
    chosen: list[int] = []
    for _ in range(len(tables)):
        values = {row: regrets[:, [*chosen, row]].min(1).mean() for row in rows.tolist() if row not in chosen}
        before = regrets[:, chosen].min(1).mean() if chosen else np.inf
        best = min(values, key=lambda row: (values[row], regrets[:, row].mean()))
        if values[best] >= before:
            break
        chosen.append(best)
    assert len(chosen) >= 2
    portfolio = jn.transfer.greedy_portfolio(tables, MIXED, ROWS + 5)
    assert [int(MIXED.index(arch)) for arch in portfolio[: len(chosen)]] == chosen
    assert len(np.unique(portfolio, axis=0)) == len(portfolio) == ROWS  # then other sets, until there are no more


def test_members_of_one_class_count_once():
    scores = np.random.RandomState(0).uniform(size=(SMALL.num_architectures, 1, 1)).astype(np.float32)
    scores = scores[SMALL.classes()]
    portfolio = jn.transfer.greedy_portfolio([jn.Table.from_arrays(SMALL, "one", scores, scores, (1,))], SMALL, 200)
    assert len(portfolio) == len(set(SMALL.classes().tolist())) < SMALL.num_architectures
    assert len({int(SMALL.index(SMALL.canonical(arch))) for arch in portfolio[:20]}) == 20


def test_nothing_comes_of_no_sources(bench):
    assert jn.transfer.greedy_portfolio([], MIXED).shape == (0, 3)
    strategy = jn.local_search(MIXED)
    cold, warm = (
        jn.run(each, bench, num_trials=10, num_runs=3)
        for each in (strategy, jn.transfer.warm_started(strategy, jn.transfer.greedy_portfolio([], MIXED)))
    )
    assert_equal_trials(cold, warm)


def test_leaving_one_out_never_keeps_the_target(tables):
    for table in tables:
        target = jn.TableBenchmark(table, space=MIXED)
        again = table_of(7, table.manifest["task"]["name"])  # the target's task by another identifier
        kept = without_target([*tables, again], target)
        assert [each.id for each in kept] == [each.id for each in tables if each is not table]
        with pytest.raises(ValueError, match=f"^Expected sources of other tasks than {target.id}, the target, got"):
            without_target([table, again], target)


def test_strategies_of_the_protocol_do_not_depend_on_the_target(tables):
    """The same portfolio and ranking for two targets of one name whose scores have nothing in common."""
    entries = {"random_search": jn.random_search}
    first, second = (
        transfer_entries(entries, jn.TableBenchmark(each, space=MIXED), [*tables, each])
        for each in (table_of(5, "target"), table_of(6, "target"))
    )
    names = ["random_search", "warm_random_search", "prior_random_search", "rank_weighted", "sources_best"]
    assert list(first) == list(second) == names
    assert all(first[name] == second[name] for name in names if not name.startswith("prior"))  # cached: the same object


def test_sources_of_other_spaces_are_refused(bench, capsys):
    other = random_bench("small").table
    with pytest.raises(ValueError, match=r"^Expected source tables of the space mixed, got .*, of small"):
        jn.transfer.greedy_portfolio([other], MIXED)
    arguments = ["--strategies", "random_search", "--sources", "mlp-small-shifted-digits-v1"]
    assert main(["compare", "--benchmark", "nb201-mnist5k-v1", *arguments, "--out", "unused"]) == 2
    assert "Expected source tables of the space nb201, got mlp-small-shifted-digits-v1" in capsys.readouterr().err


def test_architectures_in_order_are_asked_whatever_they_score(bench):
    archs = np.asarray(MIXED.arch_at(np.asarray([4, 0, 7])))
    trials = jn.run(jn.transfer.in_order(archs, "listed"), bench, num_trials=5, num_runs=2)
    assert (trials.query.arch == archs[[0, 1, 2, 0, 1]]).all()


def test_a_strong_prior_chooses_the_best_of_what_the_strategy_would_ask(bench):
    scores = np.random.RandomState(0).permutation(ROWS).astype(float)
    scores[0] = np.nan
    strategy = jn.random_search(MIXED)
    guided = jn.transfer.prior_guided(strategy, MIXED, scores, weight=1e6, decay=1e6)
    key = jax.random.key(3)
    asked = [strategy.ask(None, 0, jax.random.fold_in(key, number)).arch for number in range(8)]
    best = max(asked, key=lambda arch: np.nan_to_num(scores[int(MIXED.index(arch))], nan=-1))
    np.testing.assert_array_equal(guided.ask(None, 0, key).arch, best)
    late = jn.transfer.prior_guided(strategy, MIXED, scores, weight=4.0, decay=1e-6)
    found = jn.run(late, bench, num_trials=100, num_runs=40).query.arch[:, 1:]  # the prior has faded
    rows = np.asarray(jax.vmap(MIXED.index)(jnp.asarray(found.reshape(-1, 3))))
    assert np.bincount(rows, minlength=ROWS).min() > 0.7 * len(rows) / ROWS


def test_the_ensemble_weighs_sources_by_how_they_rank_the_trials():
    random = np.random.RandomState(0)
    archs = np.asarray(SMALL.arch_at(random.permutation(125)[:40]))
    scores = random.uniform(size=40).astype(np.float32)  # nothing to learn: a process predicts no better than chance
    kernel = np.exp(-(archs[:, None] != archs).mean(-1) / 0.4) + 0.1 * np.eye(40)
    state = GaussianState(archs, scores, np.linalg.inv(kernel).astype(np.float32), np.float32(0.4), np.float32(0.1))
    truth = normal_quantiles(scores)
    noisy, reverse = truth + 0.3 * random.normal(size=40), -truth
    weights = jax.jit(ranking_weights)(jax.random.key(0), jnp.stack([noisy, reverse]), state, 40)
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-6)
    assert weights[0] > 0.9
    assert weights[1] == 0


def test_a_comparison_says_what_its_sources_were(tables, bench):
    comparison = jn.transfer.compared_with_sources(
        "random_search", bench, [*tables[:2], bench.table], num_trials=6, num_runs=5, confirm=(2, 1)
    )
    result = checked(comparison.result())
    assert [each["id"] for each in result["sources"]] == [table.id for table in tables[:2]]
    expected = described_sources(tables[:1], bench)[0]
    assert result["sources"][0] == expected
    assert -1 <= expected["spearman"] <= 1
    assert f"Sources: {tables[0].id} (rank correlation" in page_text(result, {})
    assert result["strategies"]["warm_random_search"]["hyperparameters"]["given"] == ROWS


def test_a_search_begins_with_what_is_best_on_its_sources(tables):
    nas = jn.NAS(MIXED, evaluator=lambda arch: float(arch["width"]), sources=tables[:1], progress=False)
    trials = nas.search(ROWS).trials
    assert nas.strategy.name == "warm_started_gaussian_process"
    assert {*map(tuple, trials.query.arch[0].tolist())} == {*itertools.product(range(2), range(3), range(2))}


def test_what_is_best_on_mnist_beats_cold_evolution_on_shifted_digits():
    target = jn.load("nb201-shifted-digits-v1")
    portfolio = jn.transfer.greedy_portfolio(["nb201-mnist5k-v1"], target.space)
    cold = jn.regularized_evolution(target.space)
    ends = [
        mean_interval(jn.regret(jn.run(each, target, num_trials=50, num_runs=100), target))
        for each in (jn.transfer.warm_started(cold, portfolio), cold)
    ]
    assert ends[0][1][-1] < ends[1][0][-1]
