"""Tasks of sequences and text: a user's data, the files that ship, and generated ones with a known optimum."""

import itertools
import re

import numpy as np
import pytest

import jaxnas as jn
from jaxnas.tasks import generated
from jaxnas.tasks.arrays import task_from_arrays
from jaxnas.tasks.base import SPLITS, Split, Task
from jaxnas.tasks.sequences import encoded, is_text, padded
from jaxnas.tasks.vendored import SHA256

RANDOM = np.random.RandomState(0)
WORDS = ["".join(letters) for letters in itertools.product("abc", repeat=4)] + ["ab", "c"]
SEQUENCES = [RANDOM.randn(length, 2) for length in RANDOM.randint(2, 6, 60)]
ENDS = [word[-1] for word in WORDS]


def test_texts_are_characters_and_keep_their_vocabulary():
    task = task_from_arrays(WORDS, ENDS)
    assert (task.kind, task.goal, task.shape, task.num_tokens) == ("tokens", "class", (4,), 3)
    assert (task.vocabulary, task.classes) == (("a", "b", "c"), ("a", "b", "c"))
    row = [word for word in WORDS if len(word) == 2]
    np.testing.assert_array_equal(encoded(row, task.vocabulary, 4), [[0, 1, -1, -1]])
    for split in SPLITS:
        tokens, labels = getattr(task, split)
        last = np.take_along_axis(tokens[0], (tokens[0] >= 0).sum(1)[:, None] - 1, 1)[:, 0]
        np.testing.assert_array_equal(last, labels)


REPEATED = pytest.mark.filterwarnings("ignore:Expected different examples in each split")


@REPEATED
def test_the_next_token_is_the_label_of_each_step_and_padding_has_none():
    task = task_from_arrays(["abc", "b"] * 30 + ["ab"], goal="next")
    assert (task.shape, task.num_classes, task.metric) == ((2,), 3, jn.tasks.Metric("cross entropy", "nats", -1))
    rows = {tuple(row) for row in np.concatenate([task.train.inputs[0], task.train.labels], 1).tolist()}
    assert rows <= {(0, 1, 1, 2), (1, -1, -1, -1), (0, 1, 1, -1)}


def test_sequences_of_unequal_length_are_padded_and_normalized_by_their_real_steps():
    task = task_from_arrays(SEQUENCES, np.arange(60) % 2)
    assert (task.kind, task.shape) == ("sequences", (5, 2))
    steps = task.train.inputs[0]
    real = ~np.isnan(steps[..., 0])
    np.testing.assert_allclose(steps[real].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(steps[real].std(0), 1, rtol=1e-5)
    given = task_from_arrays(padded(SEQUENCES), np.arange(60) % 2, kind="sequences")
    assert given.sha256 == task.sha256
    tags = task_from_arrays(SEQUENCES, [[1] * len(each) for each in SEQUENCES], goal="tags")
    assert ((tags.train.labels == 1) == ~np.isnan(tags.train.inputs[0, ..., 0])).all()


def test_real_labels_are_normalized_and_said_so():
    values = 100 + 3 * RANDOM.randn(60)
    task = task_from_arrays(RANDOM.randn(60, 3), values, goal="value")
    assert (task.num_classes, task.metric.name) == (1, "R2")
    assert task.train.labels.dtype == np.float32
    assert abs(task.train.labels.mean()) < 1e-4
    back = np.concatenate([getattr(task, split).labels for split in SPLITS]) * task.label_deviation + task.label_mean
    np.testing.assert_allclose(np.sort(back), np.sort(values), rtol=1e-6)


@REPEATED
def test_a_file_says_what_kind_its_arrays_are(tmp_path):
    labels = np.asarray(ENDS)
    tokens = encoded(WORDS, "abc")
    np.savez(tmp_path / "text.npz", X=np.asarray(WORDS), y=labels)
    np.savez(tmp_path / "tokens.npz", X=tokens, y=labels, kind="tokens")
    np.savez(tmp_path / "steps.npz", X=padded(SEQUENCES), y=np.arange(60) % 2, kind="sequences")
    np.savez(tmp_path / "next.npz", X=tokens, kind="tokens", goal="next")
    found = {name: jn.task(str(tmp_path / f"{name}.npz")) for name in ("text", "tokens", "steps", "next")}
    assert found["text"].sha256 == found["tokens"].sha256 == task_from_arrays(WORDS, ENDS).sha256
    assert found["steps"].sha256 == task_from_arrays(SEQUENCES, np.arange(60) % 2).sha256
    assert found["next"].goal == "next"


@REPEATED
@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((["", "a"] * 20, [0, 1] * 20), {}, "Expected texts of one or more characters, got an empty one in row 0"),
        (([[1.0, 2], [np.nan]] * 20, [0, 1] * 20), {}, "got padding alone in row 1"),
        (
            ([np.ones((3, 2)), np.ones((2, 3))] * 20, [0, 1] * 20),
            {},
            "Expected 2 features in each step .* got 3 in row 1",
        ),
        (([[1.0, 2], ["a"]] * 20, [0, 1] * 20), {}, "Expected sequences of numbers, .* got others in row 1"),
        (([[1.0, np.inf], [1.0]] * 20, [0, 1] * 20), {}, "Expected finite sequences, got NaN or infinite values"),
        ((WORDS, np.zeros(len(WORDS), int)), {}, "labels of two or more classes, got 1"),
        ((WORDS, [0.5] * len(WORDS)), {}, "Expected labels that are classes, integers or strings"),
        ((WORDS, [1]), {}, r"Expected one label for each of 83 examples, got labels of shape \[1\]"),
        ((WORDS, [[0, 1, 1, 1, 1]] * len(WORDS)), {"goal": "tags"}, "an integer for each of up to 4 steps"),
        ((["ab"] * 60, [[0, 1]] * 60), {"goal": "tags"}, "that differ, got constant ones"),
        ((["ab"] * 60, [[0, 1]] * 59 + [[1]]), {"goal": "tags"}, "a tag for each of the 2 steps of row 59, got 1"),
        ((["ab"] * 60, [[0, 2**40]] * 60), {"goal": "tags"}, "integers below 65,536, got 1099511627776 in row 0"),
        (
            (["ab", "a"] * 30, [[0, 1]] * 60),
            {"goal": "tags"},
            "Expected labels of real steps alone, got one of padding",
        ),
        ((WORDS, ENDS), {"goal": "next"}, "Expected texts or tokens alone to predict the next one of, got labels"),
        (([[1.0, np.nan, 2], [1.0]] * 20, [0, 1] * 20), {}, "padding after the last real step alone, .* in row 0"),
        (([[1, 2], [1, -1, 2]] * 20, [0, 1] * 20), {"kind": "tokens"}, "padding after the last real .* in row 1"),
        (([[1, 2], [1, 2**40]] * 20, [0, 1] * 20), {"kind": "tokens"}, "tokens below 65,536, got 1099511627776"),
        ((np.ma.masked_equal([[1, 2], [1, 3]] * 20, 3), [0, 1] * 20), {"kind": "tokens"}, "tokens without a mask"),
        (([[1j], [1.0, 2.0]] * 20, [0, 1] * 20), {}, "Expected sequences of numbers, .* got others in row 0"),
        (([[1e300], [1.0, 2.0]] * 20, [0, 1] * 20), {}, "Expected finite sequences"),
        (([np.ma.masked_equal([2, 3], 3), [1.0]] * 20, [0, 1] * 20), {}, "sequences without a mask, .* in row 0"),
        ((5, [0, 1]), {"kind": "sequences"}, "Expected sequences, arrays .* got int"),
        ((np.asarray(5), [0, 1]), {"kind": "sequences"}, "Expected sequences, arrays .* got ndarray"),
        ((WORDS, [[1], [1, 2]]), {}, "Expected one label for each example, got parts of unequal shapes"),
        ((np.ones((40, 3)), ENDS), {"kind": "tokens"}, r"Expected texts, or tokens int\[n, T\]"),
        (([[0, 1], [2, 0.5]] * 30, [0, 1] * 30), {"kind": "tokens"}, r"Expected texts, or tokens int\[n, T\]"),
        (([[0, 1, 2], [-1]] * 30, [0, 1] * 30), {"kind": "tokens"}, "Expected a real step in each sequence"),
        (([[0, 1, 2], []] * 30, [0, 1] * 30), {"kind": "tokens"}, "Expected sequences of one or more tokens"),
        (([[0, 1, 2], [0.5]] * 30, [0, 1] * 30), {"kind": "tokens"}, "Expected an integer for each of up to 3 steps"),
        (([[1.0, 2.0], [1.0]] * 30, [0, 1] * 30), {"kind": "vectors"}, "Expected images or vectors of one shape, got"),
        ((WORDS, ENDS), {"goal": "tag"}, "Did you mean tags.*Expected a goal of .*"),
        ((RANDOM.randn(40, 3), [np.nan] * 40), {"goal": "value"}, "Expected labels that are finite numbers"),
        (
            (RANDOM.randn(60, 3), [2.0] * 60),
            {"goal": "value"},
            "Expected labels of training that differ, got 36 times 2",
        ),
    ],
)
def test_wrong_data_are_one_line(arguments, options, message):
    with pytest.raises(ValueError, match=f"^.*{message}") as error:
        task_from_arrays(*arguments, **options)
    assert "Expected " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_task_checks_labels_and_tokens():
    good = {part: Split(np.zeros((1, 2, 3), np.int32), np.zeros(2, np.int32)) for part in SPLITS}
    assert Task("mine", **good, num_classes=2, card="", num_tokens=1).kind == "tokens"
    for change, message in [
        ({"num_tokens": 0}, "Expected tokens below num_tokens, 0, got 0 in train"),
        ({"num_classes": 0, "num_tokens": 1}, "Expected labels from 0 to -1, got 0 to 0 in train"),
        ({"goal": "tags", "num_tokens": 1}, "Expected labels of shape [2, 3] for tags, got [2] in train"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            Task("mine", **good, **{"num_classes": 2, "card": "", **change})


def test_what_is_text_is_seen_without_reading_numbers_one_by_one():
    assert is_text(["a", "b"])
    assert is_text(np.asarray(["a"]))
    assert not is_text([])
    assert not is_text(["a", 1])
    assert not is_text(np.zeros(3))


@pytest.mark.parametrize("name", SHA256)
def test_tasks_that_ship_have_splits_a_card_and_a_license(name):
    task = jn.task(name)
    assert task.card.startswith(f"# {name}: ")
    assert "Splits: " in task.card
    assert task.license != "unspecified"
    seen = [{example.tobytes() for example in getattr(task, split).inputs[0]} for split in SPLITS]
    assert not seen[0] & seen[1] | seen[0] & seen[2] | seen[1] & seen[2]
    assert set(task.train.labels) == set(range(task.num_classes))


def test_rows_of_digits_are_the_shifted_digits():
    rows, images = jn.task("digits-rows"), jn.task("shifted-digits")
    np.testing.assert_array_equal(rows.train.inputs, images.train.inputs[..., 0])
    assert (rows.kind, rows.shape) == ("sequences", (8, 8))


def test_brackets_and_copies_have_the_tags_that_their_rules_give():
    task = generated.brackets()
    for tokens, tags in zip(task.test.inputs[0, :50].tolist(), task.test.labels[:50].tolist(), strict=True):
        stack = []
        for token, tag in zip(tokens, tags, strict=True):
            kind, closes = divmod(token, 2)
            if closes:
                assert stack.pop() == kind
            else:
                stack.append(kind)
            assert tag == (1 + stack[-1] if stack else 0)
    copy = generated.copy()
    np.testing.assert_array_equal(copy.test.inputs[0, :, :3], copy.test.labels[:, -3:])
    assert (copy.test.labels[:, :-3] == -1).all()


def test_the_optimum_of_the_hidden_markov_model_is_that_of_all_its_paths():
    task = generated.hmm()
    few = Split(task.test.inputs[:, :5, :4], task.test.labels[:5, :4])
    move, emit = generated._hmm_chances()
    np.testing.assert_allclose([move.sum(1), emit.sum(1)], 1)

    def chance(symbols):
        paths = itertools.product(range(3), repeat=len(symbols))
        return sum(
            np.prod([emit[state, symbol] for state, symbol in zip(path, symbols, strict=True)])
            * np.prod([move[before, after] for before, after in itertools.pairwise(path)])
            / 3
            for path in paths
        )

    whole = [[*inputs, labels[-1]] for inputs, labels in zip(few.inputs[0].tolist(), few.labels.tolist(), strict=True)]
    losses = [-np.log(chance(row) / chance(row[:1])) / 4 for row in whole]
    assert generated.hmm_optimum(few) == pytest.approx(np.mean(losses))
    assert 1.2 < generated.hmm_optimum(task.test) < np.log(6) - 0.2
