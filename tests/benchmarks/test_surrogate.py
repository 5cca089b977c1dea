"""Surrogates: the same query has the same answer, files are checked, noise is that of the data, a fit learns."""

import dataclasses
import functools
import json

import jax
import numpy as np
import pytest
from helpers.samples import SMALL, all_archs, make_bench

import jaxnas as jn
from jaxnas import prng
from jaxnas.analysis.surrogate_report import held_out_report, misses, region_report, region_reports
from jaxnas.benchmarks import surrogate_files
from jaxnas.benchmarks.surrogate import SurrogateBenchmark, normal_of
from jaxnas.benchmarks.surrogate_fitting import fitted_surrogate, local_optima, surrogate_id
from jaxnas.cli.main import main
from jaxnas.predictors import surrogates
from jaxnas.predictors.named import predictor_named

SPACE = jn.CellSpace(3, ("none", "skip_connect", "nor_conv_3x3"), name="tiny")


def live(archs):
    return np.asarray(jax.jit(jax.vmap(SPACE.pruned))(archs))


@functools.cache
def table():
    """Returns a table of which the scores are sums over the choices of live edges, with noise that falls with them."""
    random = np.random.RandomState(0)
    archs = live(all_archs(SPACE))
    means = 0.4 + 0.15 * (archs == 2).sum(1) + 0.05 * (archs == 1).sum(1)
    noise = random.randn(len(archs), 8, 1) * 0.05 * (1 - means)[:, None, None]
    scores = (means[:, None, None] * np.asarray([0.8, 1.0]) + noise).astype(np.float32)
    return make_bench(SPACE, scores, scores, (1, 2)).table


@pytest.fixture(scope="module")
def fitted():
    patched = pytest.MonkeyPatch()
    patched.setattr(surrogates, "NUM_TAUGHT", 256)
    patched.setattr(surrogates, "NUM_STEPS", 1000)
    with patched.context():
        factory = functools.partial(predictor_named("knn"), num_neighbors=2)
        found = fitted_surrogate(table(), factory, name="knn", space=SPACE, fraction=0.8)
    patched.undo()
    return found


ask = jax.jit(jax.vmap(lambda query, *parts: query(jn.Query(*parts[:3]), parts[3]), (None, 0, 0, 0, 0)))


def asked(bench, rows, seeds, fidelity=1, keys=0):
    """Returns the answers to queries of rows, one for each of the seeds or keys."""
    shape = np.broadcast_shapes(np.shape(rows), np.shape(seeds), np.shape(keys))
    rows, seeds, fidelities, keys = (np.broadcast_to(each, shape) for each in (rows, seeds, fidelity, keys))
    made = jax.vmap(lambda key: prng.make_key(key, "hash"))(keys)
    found = ask(bench.query, all_archs(SPACE)[rows], fidelities, seeds, made)
    return jax.tree.map(np.asarray, found)


def test_the_same_query_has_the_same_answer_and_each_run_its_own(fitted):
    bench = fitted.bench
    scores = asked(bench, 26, np.asarray([0, 0, 1, 2])).score
    assert scores[0] == scores[1]
    assert len(set(scores)) == 3
    answers = asked(bench, 26, np.full(4, -1), keys=np.arange(4))
    assert len(set(answers.seed)) == 4
    np.testing.assert_array_equal(asked(bench, 26, answers.seed, keys=np.arange(9, 13)).score, answers.score)
    nothing = np.flatnonzero(~live(all_archs(SPACE)).any(1))
    assert len(set(asked(bench, nothing[:4], np.full(4, 3)).score)) == 1  # nothing passes through any of them
    assert asked(bench, 26, np.zeros(4, int), fidelity=0).cost.tolist() == [1] * 4
    assert bench.price(all_archs(SPACE)[26], 1) == 2


def test_runs_vary_as_in_the_data_and_have_the_mean_that_is_said(fitted):
    bench = fitted.bench
    arch = all_archs(SPACE)[26]
    runs = asked(bench, 26, np.arange(4000)).score
    assert abs(float(runs.mean()) - bench.validation_scores(arch)) < 0.001
    assert 0.5 < float(runs.std()) / 0.0075 < 2  # 0.05 * (1 - 0.85)
    low, high = bench.interval(arch)
    assert low < float(runs.mean()) < high
    words = np.random.default_rng(0).integers(2**32, size=20_000, dtype=np.uint32)
    assert abs(float(normal_of(words).std()) - 1) < 0.02


def test_a_fit_ranks_what_was_left_and_says_so(fitted):
    report = held_out_report(fitted)
    assert report["classes_fitted"] == round(0.8 * len(fitted.trained.archs) / 0.8)
    assert report["fitted"]["tau"] > 0.6
    assert report["left"]["tau"] > 0.3
    assert fitted.bench.held_out.optimum >= fitted.bench.held_out.scores(all_archs(SPACE)).max() - 1e-6
    report["left"]["coverage_of_95"] = 0.5
    assert misses(report) == ["The 95 % interval holds 50.0 % of the runs that were left."]


def test_bias_and_coverage_are_of_three_regions(fitted):
    found = region_reports(fitted, jn.TableBenchmark(table(), space=SPACE))
    assert list(found) == ["random", "upper_tenth", "climbed"]
    ends = local_optima(fitted.bench, 20)
    said = fitted.bench.validation_scores(ends)
    around = np.asarray(jax.vmap(SPACE.neighbors)(ends))
    assert (fitted.bench.validation_scores(around).max(1) <= said).all()
    assert found["climbed"]["classes"] == len(ends) == len(np.unique(live(ends), axis=0))
    means = np.nanmean(table().scores("validation")[..., -1], axis=1)[np.asarray(SPACE.index(ends))]
    assert found["climbed"]["bias"] == pytest.approx((said - means).mean(), abs=1e-6)
    whole = fitted._replace(left=fitted.left[:0], rest=fitted.trained)
    by_folds = region_reports(whole, None)
    assert list(by_folds) == ["random", "upper_tenth"]
    assert by_folds["random"]["classes"] == len(fitted.used)
    assert by_folds["random"]["coverage_of_95"] == pytest.approx(0.95, abs=0.01)  # what the interval is scaled to


def test_what_is_said_too_well_is_missed():
    said, scores = np.asarray([0.9, 0.92, 0.91]), np.asarray([[0.88, np.nan], [0.9, 0.91], [0.88, 0.9]])
    region = region_report(said, said - 0.02, said + 0.02, scores)
    assert region["bias"] == pytest.approx((0.02 + 0.015 + 0.02) / 3)
    assert region["coverage_of_95"] == pytest.approx(0.6, abs=0.21)
    (line,) = misses({"left": None, "regions": {"climbed": region}})
    assert line.startswith("On 3 architectures that climbing on it ends at it says 0.0183 more than trainings score")
    assert misses({"left": None, "regions": {"random": region | {"bias": 0.001}}}) == []


def test_searches_run_on_it(fitted):
    trials = jn.run(jn.random_search, fitted.bench, num_trials=20, num_runs=50)
    regrets = jn.regret(trials, fitted.bench)
    assert (np.diff(regrets.mean(0)) < 0.01).all()
    assert regrets[:, -1].mean() < regrets[:, 0].mean()


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [("fidelities", -1, "ascending positive"), ("fidelities", 2**31, "ascending"), ("prices", 0.0, "above 0")],
)
def test_numbers_that_no_search_can_use_are_refused_though_hashes_fit(name, change, problem, fitted, tmp_path):
    values = list(fitted.bench.manifest[name])
    values[0] = change
    manifest = fitted.bench.manifest | {name: values}
    surrogate_files.write(tmp_path, fitted.fit.surrogate, manifest, "# card", {})
    with pytest.raises(ValueError, match=problem):
        SurrogateBenchmark.read(tmp_path, space=SPACE)


def test_a_folder_is_what_was_written_and_what_was_changed_is_refused(fitted, tmp_path, capsys):
    manifest = surrogate_files.write(tmp_path / "s", fitted.fit.surrogate, fitted.bench.manifest, "# card", {})
    read = SurrogateBenchmark.read(tmp_path / "s", space=SPACE)
    assert read.content_hash == manifest["content_hash"]
    archs = all_archs(SPACE)
    np.testing.assert_array_equal(read.validation_scores(archs), fitted.bench.validation_scores(archs))
    with pytest.raises(ValueError, match=r"^Expected space= for .*, got none for 'tiny'"):
        SurrogateBenchmark.read(tmp_path / "s")
    with pytest.raises(ValueError, match=r"got small of others"):
        SurrogateBenchmark.read(tmp_path / "s", space=SMALL)
    data = bytearray((tmp_path / "s" / surrogate_files.ARRAYS_FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "s" / surrogate_files.ARRAYS_FILE).write_bytes(data)
    with pytest.raises(ValueError, match=r"surrogate\.npz with another hash"):
        SurrogateBenchmark.read(tmp_path / "s", space=SPACE)
    assert main(["compare", "--benchmark", str(tmp_path / "s"), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "s" / "manifest.json").write_text(json.dumps({"kind": "surrogate"}))
    with pytest.raises(ValueError, match="got: nothing for schema_version"):
        SurrogateBenchmark.read(tmp_path / "s")


def test_variances_are_found():
    random = np.random.default_rng(0)
    values = random.normal(size=4000)
    residuals = random.normal(size=(4000, 2)) * np.exp(0.5 * (-2 + 0.8 * values))[:, None]
    residuals[random.uniform(size=residuals.shape) < 0.3] = np.nan
    found = surrogates.log_variance(residuals, values, np.asarray([0.0, 1.0]))
    np.testing.assert_allclose(found, [-2, 0.8, 0], atol=0.1)


def test_names_and_wrong_arguments():
    assert surrogate_id("nb201-cifar10-v1") == "nb201-cifar10-surrogate-v1"
    assert surrogate_id("mine") == "mine-surrogate-v1"
    factory = predictor_named("knn")
    with pytest.raises(ValueError, match=r"^Expected 20 trained classes or more to fit to, got 3 of 27"):
        fitted_surrogate(table(), factory, name="knn", space=SPACE, fraction=0.1)
    other = dataclasses.replace(SPACE, num_nodes=4)
    with pytest.raises(ValueError, match=r"^Expected the space that"):
        fitted_surrogate(table(), factory, name="knn", space=other)


def test_what_ships_is_what_its_manifest_says():
    names = surrogate_files.shipped_ids(surrogate_files.SURROGATES)
    assert names == ["nb201x5-shifted-digits-surrogate-v1"]
    for name in names:
        assert surrogate_files.is_surrogate(name)
        report = json.loads((surrogate_files.folder_of(name) / surrogate_files.REPORT_FILE).read_text())
        assert report["regions"].keys() == {"random", "upper_tenth", "climbed"}
        assert report["misses"] == misses(report) != []  # it is optimistic where climbing ends
        assert SurrogateBenchmark.read(name).space.num_architectures == 5**10


def test_a_surrogate_is_verified_and_values_that_are_not_finite_are_refused(fitted, tmp_path, capsys):
    assert main(["verify", "nb201x5-shifted-digits-surrogate-v1"]) == 0
    assert main(["verify", "nb201x5-shifted-digits-surrogate-v1", "--sample", "1"]) == 2
    assert "which has no trainings" in capsys.readouterr().err
    surrogate_files.write(
        tmp_path, fitted.fit.surrogate._replace(shared=np.full(2, np.nan)), fitted.bench.manifest, "", {}
    )
    assert main(["verify", str(tmp_path)]) == 1
    assert "shared with values that are not finite" in capsys.readouterr().err
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="too deep to read"):
        surrogate_files.read_files(tmp_path)
    assert main(["verify", str(tmp_path)]) == 1
    assert "too deep to read" in capsys.readouterr().err
