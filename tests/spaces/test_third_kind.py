"""A kind of space is one folder and one line of the catalog: a third one trains, is searched, saved and listed."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import tiny_kind
from helpers.elsewhere import Elsewhere
from helpers.samples import make_task
from helpers.third_kind.space import POOLED
from helpers.tiny_kind import TINY_KIND

import jaxnas as jn
from jaxnas import catalog
from jaxnas.cli.main import main
from jaxnas.spaces.named import space_named
from jaxnas.tables.building import driver
from jaxnas.tasks.named import task_named

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def line_of_the_catalog(monkeypatch):
    monkeypatch.setitem(catalog.SPACES, "pooled", "helpers.third_kind.space:POOLED")
    monkeypatch.setitem(catalog.TASKS, "stripes", "helpers.samples:make_task")


def test_it_is_listed_and_drawn(capsys, tmp_path):
    assert main(["list"]) == 0
    assert re.search(r"^ +pooled +8 architectures", capsys.readouterr().out, re.MULTILINE)
    out = tmp_path / "architecture.svg"
    assert main(["show", "1-1-0", "--space", "pooled", "--task", "stripes", "--out", str(out)]) == 0
    assert re.search(r"parameters +264 \(", capsys.readouterr().out)
    assert out.read_text().startswith("<svg")


def test_its_curves_are_those_of_the_network_that_is_taken_away():
    trainer = jn.Trainer(POOLED, make_task(num_images=160))
    curves = trainer.curves([POOLED.arch_at(row) for row in range(8)], [0, 1])
    assert curves.validation.shape == (8, 2, 3)
    assert (curves.loss[..., -1] < curves.loss[..., 0]).all()
    for row in (2, 5):
        network, own = trainer.network(POOLED.arch_at(row), seed=1)
        found = network(trainer.task.test.inputs[0]).argmax(-1) == trainer.task.test.labels
        assert found.sum() == own.test[-1] == curves.test[row, 1, -1]


@pytest.mark.nightly
def test_its_table_is_built_and_searched(monkeypatch, tmp_path):
    monkeypatch.setattr(driver, "executor", Elsewhere)
    table = driver.build("pooled", "stripes", tmp_path, driver.BuildConfig(num_seeds=2))
    assert table.trained.all()
    assert table.manifest["plan"] == "pooled-1"
    bench = jn.load(tmp_path)
    assert bench.space is POOLED
    comparison = jn.compare(["random_search", "local_search"], bench, num_trials=8, num_runs=5)
    assert comparison.summary().shape[0] == 2
    assert comparison.write(tmp_path / "report").exists()


def test_a_kind_of_sixty_lines_is_trained_built_searched_scored_and_shared(monkeypatch, tmp_path):
    """The helper `tiny_kind` has kernels, shows its inner arrays, and has a supernet of single paths."""
    monkeypatch.setitem(catalog.SPACES, "tiny", "helpers.tiny_kind:TINY_KIND")
    monkeypatch.setitem(catalog.TASKS, "vectors", "helpers.samples:make_vectors")
    assert len(Path(tiny_kind.__file__).read_text().splitlines()) <= 60
    monkeypatch.setattr(driver, "executor", Elsewhere)
    bench = jn.TableBenchmark(driver.build("tiny", "vectors", tmp_path / "table", driver.BuildConfig(num_seeds=2)))
    assert bench.held_out.scores([[0], [1]]).min() > 0.4  # a third by chance
    task = task_named("vectors")
    model = jn.NAS("tiny", task, strategy="random_search", progress=False).search(2).train()
    assert jn.FittedModel.load(model.save(tmp_path / "model")).score("test") == model.score("test")
    scores = jn.proxies.proxy_scores(TINY_KIND, [[0], [1]], task, ("nwot", "snip", "params"), num_inits=1)
    assert (scores["snip"][0] != scores["snip"][1]).all()
    found = jn.OneShot(TINY_KIND, task, "spos", table=False, progress=False).search(30)
    assert found.supernets[0].scores([[0], [1]]).min() > 0.4


@pytest.mark.nightly
def test_its_models_are_saved_and_loaded_by_the_name_of_their_class(tmp_path):
    nas = jn.NAS("pooled", make_task(num_images=160), strategy="local_search", progress=False)
    model = nas.search(6).train()
    again = jn.FittedModel.load(model.save(tmp_path))
    assert again.space == POOLED
    images = np.random.RandomState(0).normal(size=(5, 6, 5))
    np.testing.assert_array_equal(again.predict_proba(images), model.predict_proba(images))


def test_networks_for_other_inputs_are_refused():
    task = jn.task_from_arrays(np.random.RandomState(0).normal(size=(99, 4)), np.arange(99) % 3)
    with pytest.raises(
        ValueError, match=r"^Expected a task of images for a PoolSpace, got mine, vectors of shape \[4\]"
    ):
        jn.Trainer(POOLED, task)


@pytest.fixture(scope="module")
def documented(tmp_path_factory) -> Path:
    """Returns the folder of the file `mine.py` that the documentation prints, with vectors to train on."""
    folder = tmp_path_factory.mktemp("documented")
    code = re.search(
        r"^```python\n(from dataclasses .*?)^```", (DOCS / "spaces.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(code[1].splitlines()) < 55
    (folder / "mine.py").write_text(code[1])
    labels = np.arange(150) % 3
    vectors = np.random.RandomState(0).normal(size=(150, 6)) + 2 * np.eye(3)[labels].repeat(2, axis=1)
    np.savez(folder / "vectors.npz", X=vectors, y=labels)
    return folder


def test_the_documented_kind_is_searched_and_saved(documented):
    space = space_named(f"{documented / 'mine.py'}:SPACE")
    task = task_named(str(documented / "vectors.npz"))
    model = jn.NAS(space, task, strategy="random_search", progress=False).search(4).train()
    assert model.score("test") > 0.8
    with pytest.raises(ValueError, match=r"^Expected the space skip of this model, which has custom"):
        jn.FittedModel.load(model.save(documented / "model"))
    again = jn.FittedModel.load(documented / "model", space=space)
    np.testing.assert_array_equal(again.predict(task.test.inputs[0]), model.predict(task.test.inputs[0]))


@pytest.mark.processes
def test_the_documented_kind_is_built(documented, monkeypatch):
    monkeypatch.chdir(documented)
    command = ["build", "--space", "mine.py:SPACE", "--task", "vectors.npz", "--epochs", "2", "--processes", "1"]
    assert main([*command, "--out", "table"]) == 0
    bench = jn.TableBenchmark(jn.Table.read(documented / "table"))
    assert bench.space.num_architectures == 12
    assert bench.held_out.optimum > 0.5
