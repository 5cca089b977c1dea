"""One-shot searches: what a step may see and change, what methods find, and that an interruption changes nothing."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.elsewhere import Elsewhere
from helpers.planted import BEST, PLANTED, planted_task
from helpers.samples import NB201, SMALL, SMALL_MLP, make_bench, make_task

import jaxnas as jn
from jaxnas.array_files import arrays_of
from jaxnas.search.one_shot import one_shot, step
from jaxnas.search.one_shot.base import Sample
from jaxnas.search.one_shot.checkpoint import checkpoint_path
from jaxnas.search.one_shot.correlation import rank_correlation, splits_of, taus_of
from jaxnas.search.one_shot.methods import darts, rsps
from jaxnas.search.one_shot.named import method_named
from jaxnas.search.one_shot.one_shot_files import summary_of, write
from jaxnas.search.one_shot.pack import supernet_pack
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.named import space_named
from jaxnas.spaces.sizes.space import SizeSpace
from jaxnas.training.config import TrainConfig

TASK = make_task()
TINY = TrainConfig(num_epochs=1, batch_size=16, network=Skeleton(num_channels=2, num_stages=1))
"""Networks of one stage, which compile in seconds."""
NUM_SEEDS = 10


@functools.cache
def made(name: str) -> jn.OneShot:
    """Returns a search by a method of the catalog, with few candidates, compiled once for all tests."""
    factory = method_named(name)
    method = factory(SMALL, num_candidates=20) if name == "rsps" else factory(SMALL)
    return jn.OneShot(SMALL, TASK, method, config=TINY, table=False, progress=False)


@functools.cache
def searched(name: str) -> jn.oneshot.OneShotResult:
    return made(name).search(6, num_seeds=2)


def one_step(search: jn.OneShot, state, data, alpha_rate=0.1):
    schedule = search.schedule(jax.random.key(1), 10)._replace(alpha_rate=jnp.float32(alpha_rate))
    return step.advanced(search.setting, data, state, jnp.int32(0), jnp.int32(1), schedule)[0]


def begun(search: jn.OneShot):
    return jax.jit(step.initial, static_argnums=0)(search.setting, jax.random.key(0))


def equal(one, other) -> bool:
    return all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True))


def test_a_supernet_of_partial_channels_scores_what_it_trained():
    method = method_named("pc_darts")(SMALL)
    result = jn.OneShot(SMALL, TASK, method, config=TINY, table=False, progress=False).search(2)
    supernet = result.supernets[0]
    weights = np.eye(len(SMALL.operations), dtype=np.float32)[result.arch]
    np.testing.assert_array_equal(supernet.scores(result.arch[None]), supernet.mixture_scores(weights[None]))


def test_edges_of_pc_darts_have_weights_of_their_own():
    method = method_named("pc_darts")(SMALL)
    alpha = {"choices": jnp.zeros((3, 5)), "edges": jnp.asarray([1.0, 2.0, 0.0])}
    sample = method.sample(jax.random.key(0), alpha, jnp.float32(0))
    np.testing.assert_allclose(sample.weights, 0.2, rtol=1e-6)
    np.testing.assert_allclose(sample.gates.scale, [1, *jax.nn.softmax(alpha["edges"][1:])], rtol=1e-6)
    assert dict(method.hyperparameters)["partial"] == 2  # of the 4 channels of the default skeleton


def test_neither_half_of_the_data_reaches_the_other_parameters():
    search = made("darts")
    state, (own, other) = begun(search), search.data
    changed = [split._replace(inputs=split.inputs + 1) for split in (own, other)]
    first = one_step(search, state, (own, other))
    assert equal(one_step(search, state, (changed[0], other)).alpha, first.alpha)
    assert not equal(one_step(search, state, (own, changed[1])).alpha, first.alpha)
    still = [one_step(search, state, (own, each), 0.0).parameters for each in (other, changed[1])]
    assert equal(*still)
    assert not equal(one_step(search, state, (changed[0], other), 0.0).parameters, still[0])


@pytest.mark.parametrize("idle", ["frozen", "decay"])
def test_idle_operations_are_frozen_or_decay(idle):
    method = rsps(SMALL)
    method = method._replace(
        sample=lambda key, alpha, t: Sample(arch=jnp.asarray([1, 2, 0])), recipe=method.recipe._replace(idle=idle)
    )
    search = jn.OneShot(SMALL, TASK, method, config=TINY, table=False, progress=False)
    state = begun(search)
    state = state._replace(momentum=jax.tree.map(jnp.ones_like, state.momentum))
    after = one_step(search, state, search.data)
    before_cell, after_cell = (each.parameters["cells"][0][:, 0] for each in (state, after))
    trained = np.asarray(search.setting.networks.trained()["cells"][0][0]) > 0
    moved = (np.asarray(before_cell) != np.asarray(after_cell))[:, trained].all(1)
    np.testing.assert_array_equal(moved, [idle == "decay", True, idle == "decay"])
    assert equal(before_cell[:, ~trained], after_cell[:, ~trained])  # scales and biases


@pytest.mark.parametrize("method", ["gdas_reference", "darts_pt"])
def test_a_planted_optimum_is_found_by_every_seed(method):
    """The other methods are in `experiments/validity/one_shot_planted.py`."""
    result = jn.OneShot(PLANTED, planted_task(), method, table=False, progress=False).search(300, num_seeds=NUM_SEEDS)
    assert result.num_distinct == 1
    np.testing.assert_array_equal(result.arch, BEST)


def test_a_search_says_what_it_found():
    result = searched("darts")
    assert [run.seed for run in result.runs] == [0, 1]
    assert result.runs[0].probabilities.shape == (6, 3, 5)
    np.testing.assert_allclose(result.runs[0].probabilities.sum(-1), 1, rtol=1e-5)
    assert np.isfinite(result.runs[0].losses).all()
    assert result.parameter_free().shape == (2, 7)
    assert "darts found " in repr(result)
    assert "<svg" in result._repr_html_()
    assert result.num_trainings > 0
    again = made("darts").search(6)
    assert equal(again.runs[0].supernet.parameters, result.runs[0].supernet.parameters)


def test_paths_of_a_space_with_a_users_operation_are_searched():
    result = searched("rsps")
    assert result.parameter_free() is None
    assert result.arch.shape == (3,)
    with pytest.raises(ValueError, match=r"^Expected a run from 0 to 1, got 2"):
        result.train(2)


def test_scores_of_a_supernet_are_those_of_its_paths():
    net = searched("rsps").supernets[0]
    archs = np.asarray([[2, 2, 2], [0, 0, 0], [1, 4, 3]])
    inputs, labels = net._inputs[0], net._labels[0]
    expected = [
        (
            np.asarray(step.outputs_of(net.setting, net.parameters, Sample(arch=jnp.asarray(arch)), inputs)).argmax(1)
            == labels
        ).mean()
        for arch in archs
    ]
    np.testing.assert_allclose(net.scores(archs), expected)
    assert net.scores(archs[:1])[0] == pytest.approx(expected[0])


def test_a_search_resumes_as_if_it_had_not_been_interrupted(tmp_path, monkeypatch):
    search = made("darts")
    monkeypatch.setattr(search, "folder", tmp_path)
    write_checkpoint, written = one_shot.write_checkpoint, []

    def interrupted(*arguments):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(arguments[0])
        write_checkpoint(*arguments)

    monkeypatch.setattr(one_shot, "write_checkpoint", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search.search(6)
    monkeypatch.setattr(one_shot, "write_checkpoint", write_checkpoint)
    run, expected = search.search(6).runs[0], searched("darts").runs[0]
    assert equal(run.supernet.parameters, expected.supernet.parameters)
    for name in ("arch", "losses", "probabilities", "steps"):
        np.testing.assert_array_equal(getattr(run, name), getattr(expected, name))
    assert search.search(6).runs[0].score == expected.score
    with pytest.raises(ValueError, match=r"of another search\. Expected one with this num_steps"):
        search.search(7)
    checkpoint_path(tmp_path, 0).write_bytes(b"nothing")
    with pytest.warns(
        RuntimeWarning, match=r"search-0.arrays is damaged: it is now search-0.damaged, and its search beg"
    ):
        np.testing.assert_array_equal(search.search(6).runs[0].arch, expected.arch)


def test_seeds_that_are_searched_elsewhere_find_what_is_found_here(tmp_path, monkeypatch):
    search, cluster = made("darts"), Elsewhere()
    monkeypatch.setattr(search, "folder", tmp_path)
    search.search(6)  # whose checkpoint travels along
    monkeypatch.setattr(one_shot, "executor", lambda address: cluster)
    monkeypatch.setattr(search, "_ray", "auto")
    found, expected = search.search(6, num_seeds=2).runs, searched("darts").runs
    assert cluster.functions == ["checkpoint_of"] * 2
    for run, other in zip(found, expected, strict=True):
        assert equal(run.supernet.parameters, other.supernet.parameters)
        np.testing.assert_array_equal(run.arch, other.arch)
    with pytest.raises(ValueError, match="Expected a folder, for the checkpoints that come from a Ray cluster"):
        jn.OneShot(SMALL, TASK, "rsps", config=TINY, table=False, ray="")


def test_losses_that_are_not_finite_end_with_the_last_good_checkpoint(tmp_path, monkeypatch):
    search = made("darts")
    monkeypatch.setattr(search, "folder", tmp_path)
    finite = search.data
    search.search(2)
    steps = [0]

    def advanced(setting, data, *arguments):
        steps[0] += 1
        split = data[0]._replace(inputs=data[0].inputs * (jnp.nan if steps[0] > 2 else 1))
        return step.advanced(setting, (split, data[1]), *arguments)

    monkeypatch.setattr(one_shot, "advanced", advanced)
    with pytest.raises(
        RuntimeError, match=r"^Expected finite losses.* between steps 2 and 3 of 5 with seed 9; the state af"
    ):
        search.search(5, seed=9)
    assert arrays_of(checkpoint_path(tmp_path, 9).read_bytes())[0]["step"] == 2
    monkeypatch.setattr(one_shot, "advanced", step.advanced)
    assert search.search(5, seed=9).runs[0].steps.tolist() == [1, 2, 3, 4, 5]
    assert search.data is finite


def test_a_method_of_a_user_is_a_function_in_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from jaxnas.search.one_shot.methods import darts\n"
        "from jaxnas.search.one_shot.regularizers import entropy\n\n"
        "def clear(space):\n"
        "    return darts(space)._replace(name='clear', regularize=entropy(1.0))\n"
    )
    search = jn.OneShot(SMALL, TASK, f"{path}:clear", config=TINY, table=False, progress=False)
    assert search.method.name == "clear"
    assert search.description()["code of the method"]


def test_what_does_not_fit_together_is_said():
    given = {"config": TINY, "table": False, "progress": False}
    with pytest.raises(ValueError, match=r"^Did you mean .*darts.*Expected a method of .*, got 'drats'"):
        jn.OneShot(SMALL, TASK, "drats", **given)
    with pytest.raises(
        ValueError, match=r"^Expected a space whose choices can be mixed for mine, .* CellSpace can, got s"
    ):
        jn.OneShot(SMALL_MLP, TASK, darts(SMALL)._replace(name="mine"), table=False)
    with pytest.raises(ValueError, match=r"^Expected a space with as many choices in each decision for a mixture"):
        jn.OneShot(SMALL_MLP, TASK, "darts", table=False)
    with pytest.raises(ValueError, match=r"Expected a space with networks"):
        jn.OneShot(space_named("nb101"), TASK, "rsps", table=False)
    with pytest.raises(ValueError, match=r"^A custom method is a .* to be a function"):
        jn.OneShot(SMALL, TASK, 3, **given)
    with pytest.raises(ValueError, match="that 4 divides, got 2"):
        jn.OneShot(SMALL, TASK, method_named("pc_darts")(SMALL, partial=4), **given)
    with pytest.raises(ValueError, match=r"^Expected a space of sizes for the sandwich rule"):
        jn.OneShot(NB201, TASK, "sandwich", table=False)
    with pytest.raises(ValueError, match="num_steps to be an int of at least 1"):
        made("darts").search(0)


THIN = jn.MLPSpace(1, widths=(2, 4), activations=("relu",), dropout_rates=(0,), name="thin")


@pytest.mark.parametrize(
    "space",
    [THIN, pytest.param(SizeSpace(2, (2, 4), "narrow"), marks=pytest.mark.nightly)],
    ids=lambda space: space.name,
)
def test_the_sandwich_rule_searches_widths(space):
    method = method_named("sandwich")(space, num_candidates=5)
    result = jn.OneShot(space, TASK, method, table=False, progress=False).search(3)
    assert result.arch.shape == (len(space.decisions),)
    assert result.num_trainings > 0


# Tables


@functools.cache
def bench() -> jn.TableBenchmark:
    """Returns a table of five runs in which convolutions are good."""
    random = np.random.RandomState(0)
    archs = np.asarray(SMALL.arch_at(np.arange(125)))
    means = 0.5 + 0.1 * (archs == 2).sum(1)
    scores = (means[:, None, None] + 0.02 * random.randn(125, 5, 2)).astype(np.float32)
    return make_bench(SMALL, scores, scores, (1, 2))


def test_what_was_found_has_a_regret_beside_the_median_and_random_search():
    search = jn.OneShot(SMALL, TASK, made("rsps").method, config=TINY, table=bench().table, progress=False)
    result = search.search(4)
    by_table = result.by_table
    worse = [by_table.regrets[0] >= other for other in (by_table.median_regret, by_table.random_regret)]
    words = ["not better than" if each else "better than" for each in worse]
    assert result.lines()[-1] == (
        f"rsps is {words[0]} the median architecture and {words[1]} random search at equal cost"
    )
    assert by_table.table == bench().id
    scores = bench().held_out.scores(np.arange(125)[:, None])
    best = jn.analysis.optimum(bench()).value
    assert by_table.median_regret == pytest.approx(best - np.median(scores))
    assert 0 <= by_table.random_regret < by_table.median_regret
    with pytest.raises(ValueError, match=r"^Expected a table of the task stripes, got nb201-mnist5k-v1, of mnist5k"):
        jn.OneShot(NB201, TASK, "rsps", table="nb201-mnist5k-v1")


def test_tau_is_that_of_scipy_also_with_multiplicities():
    from scipy.stats import kendalltau

    random = np.random.RandomState(0)
    first, second = random.randint(0, 5, (2, 30)).astype(float)
    counts = random.multinomial(30, np.full(30, 1 / 30), 3)
    tau, drawn = taus_of(first, second, counts.astype(float))
    assert tau == pytest.approx(kendalltau(first, second).statistic)
    for found, count in zip(drawn, counts, strict=True):
        expected = kendalltau(first.repeat(count), second.repeat(count)).statistic
        assert found == pytest.approx(expected)


def test_strata_truth_and_baselines_have_runs_of_their_own():
    assert len(splits_of(5)) == 30
    assert len(splits_of(3)) == 6
    for split in [*splits_of(5), *splits_of(3)]:
        every = [*split.stratum, split.baseline, *split.truth]
        assert sorted(every) == sorted(set(every))
    with pytest.raises(ValueError, match=r"^Expected a table of 3 or more runs"):
        splits_of(2)


def test_rank_correlations_have_baselines_and_intervals():
    nets = searched("rsps").supernets
    found = rank_correlation(nets, bench().table, num_classes=60)
    assert found["num_supernets"] == 2
    assert found["num_classes"] == 60
    assert list(found["predictors"]) == ["supernet", "ranks", "epoch 1", "one training"]
    for strata in found["predictors"].values():
        assert list(strata) == ["all", "top half", "top fifth"]
        assert all(each["low"] <= each["tau"] + 0.2 and each["tau"] <= each["high"] + 0.2 for each in strata.values())
    assert found["predictors"]["one training"]["all"]["tau"] > 0.5
    assert json.loads(json.dumps(found)) == found
    with pytest.raises(ValueError, match=r"^Expected one supernet or more"):
        rank_correlation([], bench().table)


def test_supernet_scores_are_a_column_of_a_benchmark(tmp_path):
    nets = searched("rsps").supernets
    supernet_pack(nets, TASK, tmp_path)
    pack = jn.Table.read(tmp_path)
    joined = jn.TableBenchmark(bench().table, space=SMALL, columns=(pack,))
    arch = np.asarray(SMALL.arch_at(pack.representatives[7]))
    expected = np.mean([net.scores(arch[None])[0] for net in nets])
    assert float(joined.sizes("supernet", arch)) == pytest.approx(expected, rel=1e-5)
    assert pack.columns["supernet"].values.shape == (len(np.unique(SMALL.classes())), 2)


def test_a_page_is_written_and_written_again(tmp_path):
    result = searched("darts")
    page = write(tmp_path, result, command="jaxnas oneshot")
    text = page.read_text()
    assert "darts on" in text
    assert text.count("decision-") >= 3
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["runs"][1]["seed"] == 1
    assert np.shape(summary["runs"][0]["probabilities"]) == (6, 3, 5)
    page.unlink()
    from jaxnas.report.comparison_files import write_again

    assert write_again(tmp_path).read_text() == text
    assert summary_of(searched("rsps"))["runs"][0]["probabilities"] is None
    changed = summary | {"runs": []}
    changed.pop("checksum")
    (tmp_path / "summary.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=r"as `jaxnas oneshot` writes it"):
        write_again(tmp_path)
