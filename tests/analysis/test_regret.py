"""What regrets are measured from and by: without the luck of runs, against slow versions and truths that are known."""

import numpy as np
import pytest
from helpers.samples import GRID, MIXED, SMALL, make_bench, random_bench

import jaxnas as jn
from jaxnas.analysis.crossfit import NUM_BEST, crossfit
from jaxnas.analysis.incumbent import incumbent_scores
from jaxnas.analysis.optima import method_of
from jaxnas.analysis.results import summarize
from jaxnas.report.tables import summary


def noisy_runs(random: np.random.Generator, num_runs: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Returns expected scores, float[G], and runs around them, float[G, S]."""
    expected = random.uniform(0.7, 0.9, 300)
    return expected, expected[:, None] + 0.05 * random.standard_normal((len(expected), num_runs))


@pytest.mark.nightly
def test_crossfitting_finds_the_largest_expected_score_where_the_largest_mean_and_plain_crossfitting_do_not():
    random = np.random.default_rng(0)
    errors = []
    for _ in range(40):
        expected, runs = noisy_runs(random)
        others = [np.delete(runs, run, axis=1).mean(1) for run in range(5)]
        plain = np.mean([expected[means.argmax()] for means in others])  # the left-out run is worth that on average
        errors.append(np.array([runs.mean(1).max(), plain, crossfit(runs).value]) - expected.max())
    errors = np.asarray(errors)
    largest, plain, estimated = errors.mean(0)
    bound = 3.3 * errors.std(0) / np.sqrt(len(errors))  # 99.9 %
    assert largest > bound[0]
    assert plain < -bound[1]
    assert abs(estimated) < bound[2] < 0.02


def test_the_standard_error_of_the_optimum_is_its_spread():
    random = np.random.default_rng(1)
    found = [crossfit(noisy_runs(random)[1]) for _ in range(20)]
    errors = np.asarray([each.standard_error for each in found])
    assert errors.mean() == pytest.approx(np.std([each.value for each in found]), rel=0.5)


def test_crossfitting_at_the_edge():
    assert crossfit(np.full((4, 2), 0.5)) == (0.5, 0.0)
    assert np.isfinite(crossfit(np.array([[0.1, 0.2]]))).all()
    runs = np.random.default_rng(0).uniform(size=(50, 4))
    runs[::3, 2] = np.nan
    runs[5] = np.nan
    assert 0.3 < crossfit(runs).value < 1
    assert crossfit(runs) == crossfit(runs[::-1])
    with pytest.raises(ValueError, match=r"^Expected two runs of some architecture"):
        crossfit(np.ones((3, 1)))
    assert NUM_BEST < 50


@pytest.mark.parametrize("failed", [0, 0.3])
def test_the_score_of_an_incumbent_is_the_mean_of_the_runs_that_its_query_was_not_told(failed):
    bench = random_bench("small", failed=failed)
    trials = jn.run(jn.random_search(SMALL), bench, num_trials=20, num_runs=5)
    runs = bench.table.scores("test")[:, :, -1].astype(float)
    found = incumbent_scores(trials, bench)
    for run, best in enumerate(jn.analysis.incumbents(trials)):
        for trial, number in enumerate(best):
            if number < 0:
                assert found[run, trial] == bench.held_out.worst
                continue
            row, seed = bench.rows(trials.query.arch[run, number]), trials.observation.seed[run, number]
            assert found[run, trial] == pytest.approx(np.delete(runs[row], seed).mean())
    np.testing.assert_allclose(jn.regret(trials, bench), jn.analysis.optimum(bench).value - found)


def test_runs_that_confirmed_are_left_out_while_others_remain():
    bench = make_bench(MIXED, *np.random.RandomState(0).uniform(size=(2, 12, 5, 1)))
    trials = jn.run(jn.random_search(MIXED, replacement=True), bench, num_trials=10, num_runs=4)
    runs = bench.table.scores("test")[:, :, -1].astype(float)
    for m, k in ((1, 3), (3, 2), (2, 4)):
        found = jn.analysis.confirmed(trials, bench, (m, k))
        regrets = jn.regret(trials, bench, confirm=(m, k))
        for run in range(4):
            number = found.numbers[run, -1]
            row, seed = bench.rows(trials.query.arch[run, number]), trials.observation.seed[run, number]
            assert seed not in found.runs[run, number]
            seen = [seed, *(found.runs[run, number] if k < 4 else [])]  # with k = 4 none would remain
            expected = jn.analysis.optimum(bench).value - np.delete(runs[row], seen).mean()
            assert regrets[run, -1] == pytest.approx(expected)


def test_where_luck_cannot_be_left_out_the_largest_mean_is_the_optimum_and_a_note_says_why():
    scores = np.random.RandomState(0).uniform(size=(2, 12, 3, 1))
    single = make_bench(MIXED, *scores[:, :, :1])
    told_means = make_bench(MIXED, *scores, noise="mean")
    test = jn.benchmarks.Column(scores[1, :, 0], ("class", "fidelity"), "proportion", 1)
    of_means = jn.TableBenchmark(jn.Table.from_arrays(MIXED, "means", scores[0], test, [1]))
    for bench, reason in ((single, "single run"), (told_means, "told means"), (of_means, "one value of test")):
        best = jn.analysis.optimum(bench)
        assert (best.method, best.standard_error) == ("maximum", None)
        assert best.value == bench.held_out.optimum
        assert reason in best.note
        trials = jn.run(jn.random_search(MIXED), bench, num_trials=5, num_runs=3)
        assert (jn.regret(trials, bench) >= 0).all()
        assert reason in summarize({"random": trials}, bench)["regret_definition"]
    assert jn.analysis.optimum(make_bench(MIXED, *scores), optimum_from="maximum").note == ""


def test_a_known_optimum_is_taken_as_it_is():
    bench = jn.benchmarks.FunctionBenchmark(
        MIXED, lambda arch: arch.sum(), test_function=lambda archs: archs.sum(-1), optimum=4.0
    )
    assert method_of(bench, "maximum") == "known"
    assert jn.analysis.optimum(bench) == (4.0, None, "known", "")
    trials = jn.run(jn.random_search(MIXED), bench, num_trials=5, num_runs=2)
    assert "known optimum" in summarize({"random": trials}, bench)["regret_definition"]
    with pytest.raises(ValueError, match=r"^Did you mean .*Expected an optimum of crossfit, maximum, got 'maximal'"):
        jn.analysis.optimum(bench, optimum_from="maximal")


def test_an_optimum_within_a_limit_is_that_of_the_architectures_up_to_it():
    plain = make_bench(GRID, *np.random.RandomState(0).uniform(size=(2, 256, 2, 1)))
    table = plain.table.with_columns({"latency": (np.arange(256, dtype=np.float32), "milliseconds")})
    few = table.test[:10, :, 0]
    for noise, expected in (("mean", few.mean(1).max()), ("seed", crossfit(few).value)):
        bench = jn.TableBenchmark(table, noise=noise, space=GRID)
        for size in ("latency", bench.size("latency")):
            assert jn.analysis.optimum(bench, limit=(size, 9)).value == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"^Expected a limit that some architecture keeps to, got -1, below 0"):
        jn.analysis.optimum(bench, limit=("latency", -1))


def test_a_penalty_is_part_of_the_optimum_and_of_the_runs():
    bench = random_bench("small")
    table = bench.table.with_columns({"latency": (np.arange(125, dtype=np.float32), "milliseconds")})
    bench = jn.TableBenchmark(table, space=SMALL)
    penalized = jn.penalized(bench, 0.01, "latency")
    rows = np.arange(125)[:, None]
    np.testing.assert_allclose(penalized.held_out.runs(rows), bench.held_out.runs(rows) - 0.01 * rows, rtol=1e-5)
    expected = crossfit(bench.held_out.runs(rows) - 0.01 * rows)
    assert jn.analysis.optimum(penalized)[:2] == pytest.approx(tuple(expected))
    assert jn.analysis.optimum(penalized).value < jn.analysis.optimum(bench).value


def test_trials_of_another_space_are_refused():
    trials = jn.run(jn.random_search(MIXED), random_bench("mixed"), num_trials=3, num_runs=2)
    for call in (jn.regret, lambda *each: summary({"a": each[0]}, each[1]), jn.analysis.to_frame):
        with pytest.raises(ValueError, match=r"^Expected trials of grid, of 4 decisions, got trials of 3 decisions"):
            call(trials, make_bench(GRID, *np.zeros((2, 256, 1, 1))))
    other = jn.SearchSpace("other", tuple(jn.Decision(name, range(2)) for name in "abc"))
    with pytest.raises(ValueError, match=r"^Expected trials of architectures of other, got others"):
        jn.regret(trials, make_bench(other, *np.zeros((2, 8, 1, 1))))
    with pytest.raises(ValueError, match=r"^Expected trials of the 1 fidelities of .*, got trials of fidelity 1"):
        jn.regret(trials, make_bench(MIXED, *np.zeros((2, 12, 1, 1))))
