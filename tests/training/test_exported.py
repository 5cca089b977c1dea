"""An exported network gives the predictions of its model in a process that has JAX and not jaxnas."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.samples import NETWORKS, SMALL, TINY, make_task, network_of

import jaxnas as jn
from jaxnas.training.fitted import FittedModel
from jaxnas.training.inputs import Inputs
from jaxnas.training.trainer import Trainer, default_config

pytest.importorskip("flatbuffers")

READER = """
import pathlib, sys
import jax, jax.export
import numpy as np
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.bin")):
    call = jax.export.deserialize(bytearray(path.read_bytes())).call
    raw = np.load(path.with_suffix(".in.npy"))
    for count in (len(raw), 1):
        np.save(path.with_suffix(f".{count}.npy"), np.asarray(call(raw[:count])))
assert "jaxnas" not in sys.modules
assert "flax" not in sys.modules
"""
CHEAP = ("cells", "macro", "perceptrons", "recurrent", "transformers")


def model_of(kind: str) -> tuple[FittedModel, np.ndarray]:
    """Returns a model of random arrays and normalization, and raw inputs; nothing is trained."""
    space, config, task = network_of(kind)
    trainer, random = Trainer(space, task, config), np.random.RandomState(0)
    arch = space.canonical(np.asarray([len(decision.values) - 1 for decision in space.decisions], np.int32))
    choices = tuple(np.asarray(arch).tolist())
    shapes = jax.eval_shape(trainer.networks.init, jax.random.key(0), arch)
    variables = jax.tree.map(lambda shape: jnp.asarray(random.uniform(0.1, 0.5, shape.shape), shape.dtype), shapes)
    inputs = Inputs(task.spec, task.mean, task.deviation, np.arange(task.num_classes))
    model = FittedModel(trainer.networks.module(choices, variables), space, choices, config, inputs, None)
    view = task.test.inputs[0][:5]
    return model, view if task.kind == "tokens" else (view * task.deviation + task.mean).astype(np.float32)


def check_read_elsewhere(models: dict[str, tuple[FittedModel, np.ndarray]], folder: Path) -> None:
    for name, (model, raw) in models.items():
        model.export(folder / f"{name}.bin")
        np.save(folder / f"{name}.in.npy", raw)
    subprocess.run([sys.executable, "-P", "-c", READER, str(folder)], check=True, cwd=folder)
    for name, (model, raw) in models.items():
        real = model.inputs.spec.goal == "value"
        expected = model.predict(raw) if real else model.predict_proba(raw)
        assert np.ptp(expected) > 0
        for count in (len(raw), 1):
            found = np.load(folder / f"{name}.{count}.npy")
            np.testing.assert_allclose(found, expected[:count], rtol=1e-5, atol=1e-5, err_msg=name)


def test_models_of_several_kinds_and_goals_are_read_without_jaxnas(tmp_path):
    models = {kind.split(".")[2]: model_of(kind) for kind in NETWORKS if kind.split(".")[2] in CHEAP}
    assert set(models) == set(CHEAP)
    space, random = jn.MLPSpace(max_layers=2, max_units=16), np.random.RandomState(0)
    rows = random.normal(50, 9, (90, 4))
    task = jn.task_from_arrays(rows, 1000 + 30 * rows[:, 0], name="line", goal="value")
    config = replace(default_config(space), num_epochs=2)
    models["value"] = Trainer(space, task, config).fit(space.arch_at(5)), rows[:7].astype(np.float32)
    check_read_elsewhere(models, tmp_path)


@pytest.mark.nightly
def test_models_of_every_kind_are_read_without_jaxnas(tmp_path):
    check_read_elsewhere({kind.split(".")[2]: model_of(kind) for kind in NETWORKS}, tmp_path)


@pytest.fixture(scope="module")
def model() -> FittedModel:
    return next(model_of(kind)[0] for kind in NETWORKS if "perceptrons" in kind)


def test_a_file_is_replaced_only_if_asked(model, tmp_path):
    path = tmp_path / "network.bin"
    path.write_text("mine")
    with pytest.raises(ValueError, match=r"^Expected a new file to export to, got .*network.bin; give another path"):
        model.export(path)
    with pytest.raises(ValueError, match=r"^Expected a new file to export to"):
        model.export(tmp_path, overwrite=True)
    assert path.read_text() == "mine"
    for written in (model.export(path, overwrite=True), model.export(tmp_path / "new" / "network.bin")):
        assert jax.export.deserialize(bytearray(written.read_bytes())).in_avals[0].shape[1:] == model.inputs.spec.shape


def test_a_missing_package_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(ValueError, match=r"got none: pip install 'jaxnas\[export\]'\.$"):
        model.export(tmp_path / "network.bin")
    assert not list(tmp_path.iterdir())


class Fixed(nnx.Module):
    """A user's network that needs the size of its batch."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.zeros((len(x), 3))


def test_a_network_that_needs_the_size_of_its_batch_is_refused(tmp_path):
    task = make_task()
    inputs = Inputs(task.spec, task.mean, task.deviation, np.arange(3))
    with pytest.raises(ValueError, match=r"^Expected a network for batches of any size, got one that fails"):
        FittedModel(Fixed(), SMALL, (0, 0, 0), TINY, inputs, None).export(tmp_path / "network.bin")
    assert not list(tmp_path.iterdir())
