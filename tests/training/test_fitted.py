"""Fitted models take data as they are, and are the same after a journey through a file."""

import json
import os
import pickle
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import NETWORKS, SMALL, TINY, make_task, network_of
from sklearn.datasets import load_digits

import jaxnas as jn
from jaxnas.training.fitted import PREDICTION_BATCH, FittedModel
from jaxnas.training.inputs import Inputs
from jaxnas.training.saved import HASH, MODEL_FILE, _hash_of
from jaxnas.training.trainer import Trainer, default_config

SPACE = jn.MLPSpace(max_layers=2, max_units=16)
ARCH = SPACE.arch_at(5)
CONFIG = replace(default_config(SPACE), num_epochs=8)


@pytest.fixture(scope="module")
def model() -> FittedModel:
    return Trainer(SPACE, jn.task("digits"), CONFIG).fit(ARCH)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return load_digits().images


def test_scores_are_those_of_the_training(model):
    curves = Trainer(SPACE, jn.task("digits"), CONFIG).network(ARCH)[1]
    assert model.score("test") == pytest.approx(curves.test[-1] / 387)
    assert model.score("validation") == pytest.approx(curves.validation[-1] / 386)
    assert model.score("train") > 0.5


def test_images_are_taken_as_they_are(model, images):
    labels = load_digits().target
    task = jn.task("digits")
    whole = np.mean(
        [model.score(split) * getattr(task, split).num_examples for split in ("train", "validation", "test")]
    )
    assert model.score(images, labels) == pytest.approx(3 * whole / len(images))
    np.testing.assert_array_equal(model.predict(images[..., None]), model.predict(images))


def test_what_a_row_gives_depends_on_it_alone(model, images):
    probabilities = model.predict_proba(images[: 2 * PREDICTION_BATCH + 3])
    np.testing.assert_allclose(probabilities.sum(1), 1)
    for rows in (slice(0, 1), slice(5, 50), slice(250, 259)):
        np.testing.assert_array_equal(model.predict_proba(images[rows]), probabilities[rows])
    assert model.predict_proba(images[:0]).shape == (0, 10)


def test_a_saved_model_and_a_pickled_one_predict_the_same(model, images, tmp_path):
    expected = model.predict_proba(images[:50])
    model.save(tmp_path / "model")
    model.save(tmp_path / "model")  # over the first
    for copy in (FittedModel.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(copy.predict_proba(images[:50]), expected)
        assert copy.architecture == model.architecture
        assert copy.config == CONFIG
        assert copy.score("test") == model.score("test")  # the task is in the catalog


def test_a_model_knows_its_task_again_when_it_was_trained_on_validation_data_too(tmp_path):
    model = Trainer(SPACE, jn.task("digits").without_validation(), replace(CONFIG, num_epochs=1)).fit(ARCH)
    model.save(tmp_path)
    copy = FittedModel.load(tmp_path)
    assert [copy.score(split) for split in ("train", "test")] == [model.score(split) for split in ("train", "test")]


def test_a_training_that_diverges_makes_no_model():
    task = jn.task("digits")
    config = replace(CONFIG, num_epochs=1, batch_size=task.train.num_examples, learning_rate=1e38)  # one step
    with pytest.raises(FloatingPointError, match=r"with seed 3 that diverged in epoch 1 of 1"):
        Trainer(SPACE, task, config).fit(ARCH, 3)


def test_a_model_with_functions_of_one_s_own_is_loaded_with_its_space(tmp_path):
    task = make_task()
    model = Trainer(SMALL, task, TINY).fit(SMALL.arch_at(-1 + 5**3))
    model.save(tmp_path)
    with pytest.raises(ValueError, match=r"^Expected the space small of this model"):
        FittedModel.load(tmp_path)
    with pytest.raises(ValueError, match=r"^Expected the space small that this model was saved with, got nb201"):
        FittedModel.load(tmp_path, space=jn.NB201)
    copy = FittedModel.load(tmp_path, space=SMALL)
    examples = np.random.RandomState(0).randn(7, 6, 5, 1)
    np.testing.assert_array_equal(copy.predict_proba(examples), model.predict_proba(examples))
    with pytest.raises(ValueError, match=r"^Expected a model with its task to score test, got one without"):
        copy.score("test")
    assert isinstance(jax.tree.leaves(copy.network)[0], jax.Array)


ELSEWHERE = ("cells", "perceptrons", "recurrent", "graph_networks")
"""Kinds whose saved models other tests of this file, of texts and of graphs load."""


@pytest.mark.parametrize("kind", [kind for kind in NETWORKS if kind.split(".")[2] not in ELSEWHERE])
def test_a_model_of_every_kind_is_saved_with_all_that_raw_data_need(kind, tmp_path):
    """Its arrays are random: nothing is trained."""
    space, config, task = network_of(kind)
    trainer = Trainer(space, task, config)
    arch = space.canonical(np.asarray([len(decision.values) - 1 for decision in space.decisions], np.int32))
    choices = tuple(np.asarray(arch).tolist())
    shapes = jax.eval_shape(trainer.networks.init, jax.random.key(0), arch)
    random = np.random.RandomState(0)
    variables = jax.tree.map(lambda shape: jnp.asarray(random.uniform(0.5, 1, shape.shape), shape.dtype), shapes)
    inputs = Inputs(task.spec, task.mean, task.deviation, np.arange(task.num_classes))
    model = FittedModel(trainer.networks.module(choices, variables), space, choices, config, inputs, None)
    loaded = FittedModel.load(model.save(tmp_path))
    raw = np.ones((2, 6, 5, 1)) if task.kind == "images" else [[0, 1], [2]]
    found = loaded.predict_proba(raw)
    np.testing.assert_array_equal(found, model.predict_proba(raw))
    assert len(found) == 2
    assert np.ptp(found[0]) > 0
    assert (loaded.arch, loaded.config, loaded.space) == (choices, config, space)


def test_labels_may_be_strings():
    random = np.random.RandomState(0)
    names = np.repeat(["night", "day"], 60)
    values = np.where(names == "day", 9.0, 3.0)[:, None, None] + random.randn(120, 4, 4)
    task = jn.task_from_arrays(values, names)
    model = Trainer(SPACE, task, replace(CONFIG, batch_size=16)).fit(ARCH)
    assert model.inputs.classes.tolist() == ["day", "night"]
    assert model.score(values, names) > 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 9, 9)),), r"Expected examples of shape \[n, 8, 8, 1\], got \[3, 9, 9\]"),
        ((np.full((3, 8, 8), np.nan),), "Expected finite examples, got NaN or infinite values"),
        ((np.full((3, 8, 8), "dark"),), "Expected examples of numbers, got <U4"),
    ],
    ids=["shape", "nan", "strings"],
)
def test_wrong_examples_say_what_was_expected(arguments, message, model):
    with pytest.raises(ValueError, match=f"^{message}"):
        model.predict(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tests",), "Expected a split of train, validation, test, got 'tests'"),
        ((np.zeros((3, 8, 8)),), "Expected classes y with X, got none"),
        ((np.zeros((3, 8, 8)), [1, 2]), r"Expected a class for each of 3 examples, got shape \[2\]"),
    ],
)
def test_wrong_scores_say_what_was_expected(arguments, message, model):
    with pytest.raises(ValueError, match=f"^{message}"):
        model.score(*arguments)


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / MODEL_FILE).write_text(json.dumps({})[:1])
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ValueError, match=r"^Expected a folder that FittedModel.save wrote, got"):
            FittedModel.load(folder)


@pytest.fixture
def saved(model, tmp_path):
    """Returns the folder of a saved model."""
    return model.save(tmp_path / "model")


def files_of(folder) -> list:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_changed_byte_of_any_file_is_refused_in_one_line(saved):
    random = np.random.RandomState(0)
    for path in files_of(saved):
        data = path.read_bytes()
        for _ in range(5):
            changed = bytearray(data)
            changed[random.randint(len(data))] ^= 1 << random.randint(7)
            path.write_bytes(changed)
            with pytest.raises(ValueError, match=r"^Expected ") as error:
                FittedModel.load(saved)
            assert "\n" not in str(error.value)
        path.write_bytes(data)
    FittedModel.load(saved)


def test_a_missing_or_additional_array_file_is_refused(saved):
    path = next(path for path in files_of(saved) if path.name != MODEL_FILE)
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(ValueError, match="was changed or is missing"):
        FittedModel.load(saved)
    path.write_bytes(data)
    path.with_name("more").write_bytes(data)
    with pytest.raises(ValueError, match="was changed or is missing"):
        FittedModel.load(saved)


def test_a_save_that_is_killed_leaves_the_older_model(model, saved, images, monkeypatch):
    expected = model.predict_proba(images[:5])
    other = Trainer(SPACE, jn.task("digits"), replace(CONFIG, num_epochs=1)).fit(SPACE.arch_at(9))

    def killed(*_):
        raise KeyboardInterrupt

    for number in range(2):  # before the arrays are in place, and before the description is
        steps = iter([os.replace] * number + [killed])
        with monkeypatch.context() as patch:
            patch.setattr("os.replace", lambda *paths, steps=steps: next(steps)(*paths))
            with pytest.raises(KeyboardInterrupt):
                other.save(saved)
        np.testing.assert_array_equal(FittedModel.load(saved).predict_proba(images[:5]), expected)
    for name in ("arrays-0123456789abcdef", ".arrays-12345678.tmp", ".arrays-12345678.tmp.orbax-checkpoint-tmp"):
        (saved / name).mkdir()
    other.save(saved)
    assert len(list(saved.iterdir())) == 2  # killed writers leave nothing beside description and arrays
    assert FittedModel.load(saved).arch == other.arch
    assert len(FittedModel.load(saved).architecture) == len(other.architecture)


def test_files_of_others_stay(model, tmp_path):
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays" / "precious.npy").write_text("data")
    (tmp_path / "arrays-of-mine").mkdir()
    for _ in range(2):
        model.save(tmp_path)
    assert (tmp_path / "arrays" / "precious.npy").read_text() == "data"
    assert (tmp_path / "arrays-of-mine").is_dir()
    (tmp_path / MODEL_FILE).write_text('{"weights": 3}')
    with pytest.raises(ValueError, match=r"with a model.json that FittedModel.save did not write"):
        model.save(tmp_path)
    assert (tmp_path / MODEL_FILE).read_text() == '{"weights": 3}'


def test_a_saved_model_holds_no_absolute_path(saved):
    for path in files_of(saved):
        assert str(saved).encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("config", {"num_epochs": "ten"}),
        ("config", None),
        ("spec", {"kind": "images"}),
        ("spec", {"kind": "images", "goal": "class", "shape": [10**6, 10**6, 1], "num_outputs": 10}),
        ("arch", [0, 10**9]),
        ("arch", None),
        ("classes", [0, 1]),
        ("classes", 3),
        ("mean", {"a": 1}),
        ("space_fields", {"type": "Popen", "args": ["touch", "PWNED"]}),
        ("space_fields", {"type": "MLPSpace", "max_layers": 10**9}),
        ("task", 5),
        ("arrays", "../elsewhere"),
        ("files", []),
    ],
)
def test_a_description_of_other_types_with_an_honest_hash_is_refused_in_one_line(name, value, saved):
    found = json.loads((saved / MODEL_FILE).read_text())
    del found[HASH]
    found[name] = value
    (saved / MODEL_FILE).write_text(json.dumps({**found, HASH: _hash_of(found)}))
    with pytest.raises(ValueError, match=r".") as error:
        FittedModel.load(saved)
    assert "\n" not in str(error.value)


def test_features_far_from_zero_are_predicted_as_they_were_trained():
    random = np.random.RandomState(0)
    labels = np.arange(120) % 2
    seconds = 1.7e9 + 60 * labels + random.randint(0, 20, 120)
    features = np.stack([seconds, random.randn(120)], axis=1)
    task = jn.task_from_arrays(features, labels)
    assert len(np.unique(task.train.inputs[0, :, 0])) > 20
    model = Trainer(SPACE, task, replace(CONFIG, batch_size=16)).fit(ARCH)
    assert model.score(features, labels) > 0.95
