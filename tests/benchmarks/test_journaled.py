"""Journals: one search at a time, every line checked, and nothing but a cut last line given up."""

import contextlib
import functools
import json
import subprocess
import sys
import threading

import numpy as np
import pytest
from helpers.samples import MIXED

import jaxnas as jn
from jaxnas.search.loop.chained_lines import CHECK, JournalFile
from jaxnas.search.loop.journaled import JOURNAL_FILE

NUM_TRIALS = 6


def score(architecture: dict) -> float:
    return architecture["width"] / 8 - architecture["depth"]


def search(folder, evaluator=score, **options):
    return jn.NAS(MIXED, evaluator=evaluator, folder=folder, progress=False, **options).search(NUM_TRIALS)


@pytest.fixture(scope="module")
def journal(tmp_path_factory) -> bytes:
    """Returns the journal of a whole search."""
    folder = tmp_path_factory.mktemp("journal")
    search(folder)
    return (folder / JOURNAL_FILE).read_bytes()


def signed(path, lines: list[dict]) -> None:
    """Writes lines with checksums that are right, as a forger would."""
    file = JournalFile(path, lines[0])
    for line in lines[1:]:
        file.append(line)
    file.close()


def bare(journal: bytes) -> list[dict]:
    """Returns the lines of a journal without their checksums."""
    lines = [json.loads(line) for line in journal.splitlines()]
    return [{name: value for name, value in line.items() if name != CHECK} for line in lines]


def test_a_changed_byte_anywhere_is_refused_or_changes_nothing(journal, tmp_path):
    random = np.random.default_rng(0)
    expected = search(tmp_path / "whole").scores
    for _ in range(60):
        position, bit = random.integers(len(journal)), random.integers(8)
        changed = bytearray(journal)
        changed[position] ^= 1 << bit
        (tmp_path / JOURNAL_FILE).write_bytes(changed)
        with contextlib.suppress(ValueError):
            np.testing.assert_array_equal(search(tmp_path).scores, expected)
            continue
        assert (tmp_path / JOURNAL_FILE).read_bytes() == changed


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
        lambda lines: [*lines[:2], *lines[3:]],
        lambda lines: [*lines[:3], lines[2], *lines[3:]],
        lambda lines: [*lines[:2], b"\n", *lines[2:]],
        lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]],
        lambda lines: [line.replace(b'"score": 1.0', b'"score": 2.0') for line in lines],
        lambda lines: [line.replace(b'", "check', b'" , "check') for line in lines],
    ],
    ids=["swapped", "lost", "doubled", "blank", "byte order mark", "another score", "blanks"],
)
def test_lines_that_were_moved_or_edited_are_refused_and_left(change, journal, tmp_path):
    changed = b"".join(change(journal.splitlines(keepends=True)))
    assert changed != journal
    (tmp_path / JOURNAL_FILE).write_bytes(changed)
    with pytest.raises(ValueError, match=r"^Expected .* as a search writes it, got line \d+ that is damaged or of "):
        search(tmp_path)
    assert (tmp_path / JOURNAL_FILE).read_bytes() == changed


@pytest.mark.parametrize("text", ["my diary", '{"a": 1}', "{", "\x00"])
def test_a_file_of_one_line_without_an_end_is_not_taken_for_a_cut_header(text, tmp_path):
    (tmp_path / JOURNAL_FILE).write_text(text)
    if text != "{":  # which a header begins with
        with pytest.raises(ValueError, match="got line 1 that is damaged or of something else"):
            search(tmp_path)
        assert (tmp_path / JOURNAL_FILE).read_text() == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trial", "2"),
        ("trial", 7),
        ("arch", [0, 0, "x"]),
        ("arch", [0, 0]),
        ("arch", [0, 0, 9]),
        ("arch", None),
        ("fidelity", 3),
        ("fidelity", 1e300),
        ("score", "high"),
        ("score", float("inf")),
        ("score", [1]),
        ("cost", None),
        ("seed", 2**70),
        ("failure", 0),
        ("extra", 0),
    ],
)
def test_lines_of_other_types_are_refused_in_one_line(name, value, journal, tmp_path):
    lines = bare(journal)
    lines[3] = {**lines[3], name: value}
    signed(tmp_path / JOURNAL_FILE, lines)
    with pytest.raises(ValueError, match=r"^Expected .* with trials of this search, got \{") as error:
        search(tmp_path)
    assert "\n" not in str(error.value)


def test_two_searches_in_one_folder_the_second_is_refused(tmp_path):
    started, finish = threading.Event(), threading.Event()

    def slow(architecture):
        started.set()
        finish.wait(60)
        return score(architecture)

    first = threading.Thread(target=search, args=(tmp_path, slow))
    first.start()
    started.wait(60)
    try:
        with pytest.raises(ValueError, match=r"^Expected no other search in .*, got one that is running"):
            search(tmp_path, slow)
    finally:
        finish.set()
        first.join()
    assert len(search(tmp_path, slow).scores) == NUM_TRIALS  # the lock went with the search


LOCKING = """
import os, signal, sys
from pathlib import Path
from jaxnas.search.loop.chained_lines import JournalFile
file = JournalFile(Path(sys.argv[1]), {"seed": 0})
print("locked", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.mark.processes
def test_the_lock_of_a_killed_process_is_gone(tmp_path):
    path = tmp_path / JOURNAL_FILE
    process = subprocess.Popen([sys.executable, "-c", LOCKING, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(ValueError, match=r"^Expected no other search"):
        JournalFile(path, {"seed": 0})
    process.kill()
    process.communicate()
    JournalFile(path, {"seed": 0}).close()


def test_a_line_that_cannot_be_written_leaves_the_journal_whole(journal, tmp_path, monkeypatch):
    lines = bare(journal)
    file = JournalFile(tmp_path / JOURNAL_FILE, lines[0])
    before = (tmp_path / JOURNAL_FILE).read_bytes()

    def full(_):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            file.append(lines[1])
    assert (tmp_path / JOURNAL_FILE).read_bytes() == before
    for line in lines[1:]:
        file.append(line)
    file.close()
    assert (tmp_path / JOURNAL_FILE).read_bytes() == journal


def power(exponent: int, architecture: dict) -> float:
    return score(architecture) ** exponent


class Scaled:
    def __init__(self, factor: float):
        self.factor = factor

    def __call__(self, architecture: dict) -> float:
        return self.factor * score(architecture)


def scaled(factor):
    return lambda architecture: factor * score(architecture)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *[(lambda a: a["width"], lambda a: -a["width"])],
        (functools.partial(power, 1), functools.partial(power, 3)),
        (Scaled(1), Scaled(2)),
        (scaled(1), scaled(2)),
        (scaled(np.float32(1)), scaled(np.ones(()) * 2)),
    ],
    ids=["lambdas", "partials", "objects", "closures", "arrays"],
)
def test_another_evaluator_of_the_same_name_is_refused(before, after, tmp_path):
    search(tmp_path, before)
    with pytest.raises(ValueError, match="journal of a search with another code of the evaluator"):
        search(tmp_path, after)
    search(tmp_path, before)  # the same resumes


def test_an_evaluator_that_counts_its_calls_resumes_and_says_what_is_not_compared(tmp_path):
    calls = []

    def counting(architecture):
        calls.append(architecture)
        return score(architecture)

    search(tmp_path, counting)
    search(tmp_path, counting)
    header = json.loads((tmp_path / JOURNAL_FILE).read_text().splitlines()[0])
    assert header["not compared"] == ["calls, a list"]


def test_scores_are_finite_in_float32_and_compared_in_float64(tmp_path):
    large = {8: 1e39, 16: 10**400, 32: 1e300}

    def evaluator(architecture):
        if architecture["depth"] == 0:
            return large[architecture["width"]]
        return -1e8 + architecture["width"] / 1000 + (architecture["act"] == "tanh") / 1e6

    for _ in range(2):  # the second time from the journal
        result = jn.NAS(
            MIXED, evaluator=evaluator, strategy="exhaustive_search", folder=tmp_path, progress=False
        ).search(12, num_finalists=0)
        assert result.architecture == {"depth": 1, "width": 32, "act": "tanh"}
        assert result.score == -1e8 + 0.032 + 1e-6
        assert sum(failure != "" for failure in result.failures) == 6
    assert {failure for failure in result.failures if failure} == {
        "Expected the evaluator to return a number of at most 3.4e+38, got 1e+39.",
        "Expected the evaluator to return a number of at most 3.4e+38, got 1e+300.",
        "Expected the evaluator to return a finite number, got inf.",
    }


def test_a_decision_with_very_many_values_is_described_in_short(tmp_path):
    space = jn.SearchSpace("long", (jn.Decision("x", range(2**31 - 1)), jn.Decision("y", range(3))))
    nas = jn.NAS(space, evaluator=lambda a: a["y"], strategy="random_search", folder=tmp_path, progress=False)
    assert len(nas.search(3).scores) == 3
    assert (tmp_path / JOURNAL_FILE).stat().st_size < 10_000
