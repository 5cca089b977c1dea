"""The memo of the reader of pickles: a dictionary of numbers that forgets those in the middle of a large file."""

import numpy as np
import pytest

from jaxnas.tables.published import pickle_memo
from jaxnas.tables.published.pickle_memo import Memo


def test_it_is_a_dictionary_that_keeps_the_first_and_the_last_numbers(monkeypatch):
    for name, value in {"KEPT_FIRST": 10, "KEPT_LAST": 30, "MOST_KEPT": 60}.items():
        monkeypatch.setattr(pickle_memo, name, value)
    random, memo, expected, following = np.random.default_rng(0), Memo(), {}, 0
    for step in range(300):
        values = [(step, each) for each in range(int(random.integers(1, 6)))]
        match step % 4:
            case 0:
                memo.extend(values)
            case 1:
                memo.put_all(range(following, following + len(values)), values)
            case 2:
                values = values[:1]
                memo.append(values[0])
            case 3:
                values = values[:1]
                memo.put(following, values[0])
        expected.update(zip(range(following, following + len(values)), values, strict=True))
        following += len(values)
        for number in (*range(min(10, following)), *range(max(0, following - 30), following)):
            assert memo.get(number) == expected[number]
        assert memo._count <= 10 + 30 + 2 * 5 + 30
    memo.put(following - 1, "another")
    assert memo.get(following - 1) == "another"
    for number in (-1, 40, following, 2**31):
        with pytest.raises(ValueError, match=r"^Expected a value that the pickle has had, got number"):
            memo.get(number)


def test_a_file_cannot_make_it_forget_at_each_value(monkeypatch):
    for name, value in {"KEPT_FIRST": 10, "KEPT_LAST": 30, "MOST_KEPT": 60}.items():
        monkeypatch.setattr(pickle_memo, name, value)
    memo, calls = Memo(), []
    monkeypatch.setattr(memo, "_forget", lambda: (calls.append(1), Memo._forget(memo)))
    memo.extend(["a long list"] * 50)
    for number in range(3000):
        memo.put(number % 50, number)
    assert 0 < len(calls) < 3000 / 20
