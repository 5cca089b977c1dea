"""Tasks from your own arrays: what comes out, and the errors on wrong data."""

import re

import numpy as np
import pytest
from helpers.samples import SMALL, TINY

import jaxnas as jn
from jaxnas.tasks.arrays import task_from_arrays
from jaxnas.tasks.files import task_from_npz
from jaxnas.training.trainer import Trainer


def arrays(shape=(9, 7, 3), num_images=100, num_classes=4):
    random = np.random.RandomState(0)
    return random.uniform(0, 255, (num_images, *shape)), np.arange(num_images) % num_classes


def test_the_splits_are_disjoint_complete_and_have_all_classes_alike():
    images, labels = arrays()
    task = task_from_arrays(images, labels)
    assert [len(split.labels) for split in (task.train, task.validation, task.test)] == [60, 20, 20]
    for split in (task.train, task.validation, task.test):
        assert len(set(np.bincount(split.labels))) == 1
    seen = np.concatenate([split.inputs[0] for split in (task.train, task.validation, task.test)])
    assert len(np.unique(seen.reshape(100, -1), axis=0)) == 100
    assert abs(task.train.inputs.mean()) < 1e-5
    assert abs(task.train.inputs.std() - 1) < 1e-5
    assert task.sha256 == task_from_arrays(images, labels).sha256


def test_a_split_of_one_s_own_and_string_labels_are_kept():
    images, labels = arrays()
    split = np.repeat(["train", "validation", "test"], [40, 30, 30])
    task = task_from_arrays(images, np.asarray(["d", "b", "c", "a"])[labels], split)
    assert [len(part.labels) for part in (task.train, task.validation, task.test)] == [40, 30, 30]
    np.testing.assert_array_equal(task.train.labels[:4], [3, 1, 2, 0])


def test_images_of_any_shape_are_trained_on():
    images, labels = arrays((9, 5, 3))
    task = task_from_arrays(images, labels)
    curves = Trainer(SMALL, task, TINY).curves([SMALL.from_str("|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|")])
    assert np.isfinite(curves.loss).all()
    assert (curves.test >= 0).all()
    assert (curves.test <= 20).all()


def test_an_npz_file_is_a_task_by_its_path(tmp_path):
    images, labels = arrays((8, 8))
    np.savez(tmp_path / "mine.npz", X=images, y=labels)
    task = jn.task(str(tmp_path / "mine.npz"))
    assert task.name == "mine"
    assert task.sha256 == task_from_arrays(images, labels).sha256


def changed(**change):
    images, labels = arrays()
    return {"images": images, "labels": labels} | change


def with_nan():
    images, _ = arrays()
    images[3, 2, 1] = np.nan
    return images


@pytest.mark.parametrize("num_channels", [1, 3])
def test_channels_first_are_refused_with_what_repairs_them(num_channels):
    images = np.random.default_rng(0).random((60, num_channels, 9, 8), np.float32)
    with pytest.raises(ValueError, match=r"^Images are \[N, height, width, channels\]: X\.transpose\(0, 2, 3, 1\)"):
        task_from_arrays(images, np.arange(60) % 2)
    assert task_from_arrays(images.transpose(0, 2, 3, 1), np.arange(60) % 2).shape == (9, 8, num_channels)


def test_large_images_are_accepted_with_what_a_training_costs(recwarn):
    images, labels = np.random.default_rng(0).random((60, 512, 512), np.float32), np.arange(60) % 2
    task_from_arrays(images[:, :32, :32], labels)
    assert not recwarn
    with pytest.warns(UserWarning, match="^A training on images of 512 x 512 takes about 256 times as long as"):
        task_from_arrays(images, labels)


@pytest.mark.parametrize(
    "change",
    [{"labels": None}, {"labels": np.zeros(9)}, {"split": ["train"] * 60}, {"images": np.full((60, 3), np.nan)}],
    ids=["no labels", "few labels", "one split", "nan"],
)
def test_vectors_are_not_called_images(change):
    given = {"images": np.random.default_rng(0).random((60, 3)), "labels": np.arange(60) % 2} | change
    with pytest.raises(ValueError, match=r"example|numbers") as error:
        task_from_arrays(**given)
    assert "image" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (changed(images=np.zeros(100)), r"of shape \[n, H, W\] .* or vectors of shape \[n, F\], got \[100\]"),
        (changed(images=np.full((100, 4, 4), "a")), "images or vectors of numbers"),
        (changed(images=with_nan()), "NaN or infinite"),
        (changed(images=np.ones((100, 4, 4))), "that differ"),
        (changed(labels=np.zeros(100, int)), "two or more classes, got 1"),
        (changed(labels=np.zeros(99, int)), "one label for each of 100 images"),
        (changed(split=np.full(100, "train")), "10 or more validation images, got 0"),
        (changed(split=np.full(100, "dev")), "got 'dev'"),
        (
            changed(split=np.repeat(["validation", "test", "train"], [40, 40, 20]), labels=np.arange(100)),
            "of every class",
        ),
    ],
)
def test_wrong_data_is_answered_with_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=f"Expected .*{message}"):
        task_from_arrays(**arguments)


def test_a_file_without_images_or_no_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="Expected arrays X and y"):
        task_from_npz(tmp_path / "other.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    for name in ("broken.npz", "missing.npz"):
        with pytest.raises(ValueError, match=f"Expected .*{name} to be an .npz file"):
            task_from_npz(tmp_path / name)


def test_vectors_are_normalized_by_feature_and_constant_features_are_zero():
    random = np.random.RandomState(0)
    features = random.randn(100, 4) * [1, 100, 0, 0.01] + [0, 5, 7, 3]
    features[60:, 2] = 8
    labels = np.arange(100) % 4
    task = task_from_arrays(features, labels, np.repeat(["train", "validation", "test"], [60, 20, 20]))
    assert task.shape == (4,)
    assert task.train.inputs.shape == (1, 60, 4)
    np.testing.assert_allclose(task.train.inputs[0].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(task.train.inputs[0].std(0), [1, 1, 0, 1], atol=1e-4)
    expected = (features[60:80] - features[:60].mean(0)) / np.where(np.arange(4) == 2, np.inf, features[:60].std(0))
    np.testing.assert_allclose(task.validation.inputs[0], expected, atol=1e-3)
    assert "your own vectors, 4" in task.card


def test_cells_refuse_vectors():
    features = np.random.RandomState(0).randn(100, 5)
    task = task_from_arrays(features, np.arange(100) % 4)
    for call in (lambda: Trainer(SMALL, task, TINY).curves([np.zeros(3, int)]), lambda: jn.Trainer(SMALL, task)):
        with pytest.raises(
            ValueError, match=r"^Expected a task of images for a CellSpace, got mine, vectors of shape \[5\]"
        ):
            call()


# Numbers at the edge


def test_features_are_normalized_before_they_are_cast_to_float32():
    labels = np.arange(100) % 2
    seconds = 1.7e9 + np.arange(100.0)
    task = task_from_arrays(np.stack([seconds, labels], axis=1), labels)
    assert len(np.unique(task.train.inputs[0, :, 0])) == 60
    assert abs(task.train.inputs[0, :, 0].std() - 1) < 1e-3


@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 123.456])
def test_constant_images_and_features_are_found_exactly(value):
    for kind, shape in (("images", (100, 4, 4)), ("vectors", (100, 3))):
        with pytest.raises(ValueError, match=f"^Expected training {kind} that differ, got constant ones"):
            task_from_arrays(np.full(shape, value), np.arange(100) % 2)
    features = np.random.RandomState(0).randn(100, 2)
    features[:, 1] = value
    task = task_from_arrays(features, np.arange(100) % 2)
    assert not task.train.inputs[..., 1].any()
    assert np.isfinite(task.test.inputs).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (changed(labels=np.array([b"a", b"b"] * 50)), "Expected labels that are classes, integers or strings, got |S1"),
        (
            changed(labels=np.array([1j, 2] * 50)),
            "Expected labels that are classes, integers or strings, got complex128",
        ),
        (
            changed(labels=np.array([None, "a"] * 50)),
            "Expected labels that are classes, integers or strings, got object",
        ),
        (
            changed(labels=np.array([np.inf, 1] * 50)),
            "Expected labels that are classes, integers or strings, got NaN or",
        ),
        (changed(labels=np.ma.masked_equal(np.arange(100) % 2, 1)), "Expected labels without a mask"),
        (changed(images=np.ma.masked_greater(arrays()[0], 200)), "Expected examples without a mask"),
        (changed(images=arrays()[0] * 1e300), "Expected finite numbers"),
    ],
    ids=["bytes", "complex", "mixed", "infinite", "masked labels", "masked images", "too large"],
)
def test_labels_and_values_that_cannot_be_kept_are_refused_at_the_start(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        task_from_arrays(**arguments)


def test_examples_in_two_splits_give_a_warning():
    images, labels = arrays((4, 4))
    images[80:] = images[:20]
    split = np.repeat(["train", "validation", "test"], [60, 20, 20])
    with pytest.warns(
        UserWarning, match="^Expected different examples in each split, got 20 test examples that are in"
    ):
        task_from_arrays(images, labels, split)


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_features_whose_squares_float64_does_not_hold_are_normalized(size):
    features = np.random.default_rng(0).normal(size=(60, 2))
    expected, found = (jn.task_from_arrays(features * scale, np.arange(60) % 2) for scale in (1.0, size))
    np.testing.assert_allclose(found.train.inputs, expected.train.inputs, rtol=1e-4, atol=1e-6)
