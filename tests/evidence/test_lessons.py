"""Exercises refuse wrong answers and accept right ones, and the notebooks of the lessons run."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.pages import fenced
from sklearn.datasets import load_digits

import jaxnas as jn
from jaxnas.evidence.lessons import check, exercises

LESSONS = sorted((Path(__file__).parents[2] / "docs/tutorials").glob("lesson_*.md"))


def cells(page: Path) -> list[str]:
    """Returns the cells of a notebook in Markdown, without their tags."""
    blocks = [text for info, text in fenced(page.read_text()) if info.startswith("{code-cell}")]
    return ["\n".join(line for line in text.splitlines() if not line.startswith(":tags:")) for text in blocks]


def shown(cell: str) -> str:
    """Returns a cell that shows the value of its last line as a notebook does."""
    last = ast.parse(cell).body[-1]
    if not isinstance(last, ast.Expr):
        return cell
    lines = cell.splitlines()
    before, value = lines[: last.lineno - 1], "\n".join(lines[last.lineno - 1 :])
    return "\n".join([*before, f"show({value.strip()})"])


SHOW = """
def show(value):
    if type(value).__name__ == "Verdict":
        assert value, value
    rich = [getattr(value, name)() for name in ("_repr_html_", "_repr_svg_") if hasattr(value, name)]
    print(len(repr(value)), [len(each) for each in rich])
"""


def test_there_are_six_lessons_with_all_exercises():
    assert len(LESSONS) == 6
    text = "\n".join("\n".join(cells(page)) for page in LESSONS)
    assert [each for each in exercises._EXERCISES if f'jn.lessons.check("{each}"' not in text] == []


@pytest.mark.nightly
@pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.stem)
def test_a_lesson_runs_and_its_answers_are_right(page, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    code = SHOW + "\n".join(map(shown, cells(page)))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=600
    )
    assert done.returncode == 0, done.stderr


def test_an_answer_that_cannot_be_checked_is_wrong():
    assert "cannot be checked" in check("3a", "many").text
    with pytest.raises(ValueError, match="Expected an exercise"):
        check("9z", 1)


def refused_and_accepted(exercise: str, wrong: object, right: object) -> None:
    """Asserts that a wrong answer is refused with a hint, and a right one accepted."""
    refused, accepted = jn.lessons.check(exercise, wrong), jn.lessons.check(exercise, right)
    assert not refused
    assert isinstance(refused, jn.lessons.Verdict)
    assert len(repr(refused)) > len(exercise) + 20
    assert accepted, accepted


@pytest.mark.parametrize(
    ("exercise", "wrong", "right"),
    [
        ("1a", 5260, 15_625),
        ("1b", 15_625, 5260),
        ("3b", 0.92, 0.70),  # docs/tables.md has 0.70
        ("4a", "nwot", "meco"),
        ("4b", "nwot", "meco"),
    ],
)
def test_exercises_of_a_number_or_a_name(exercise, wrong, right):
    refused_and_accepted(exercise, wrong, right)


def test_the_best_cell():
    bench = jn.load("nb201-cifar10-v1")
    archs = bench.space.arch_at(np.arange(bench.space.num_architectures))
    order = np.argsort(bench.held_out.scores(archs))
    refused_and_accepted("1c", bench.space.to_str(archs[order[-9]]), bench.space.to_str(archs[order[-1]]))


def test_exercises_of_luck_and_of_baselines():
    bench = jn.load("nb201-shifted-digits-v1")
    scores = bench.table.scores("validation")[..., -1].astype(float)
    best = scores[np.nanargmax(scores[:, 0])]
    refused_and_accepted("3a", 100 * (best[0] - best.mean()), 100 * (best[0] - best[1:].mean()))
    archs = bench.space.arch_at(bench.table.representatives)
    test, sizes = bench.held_out.scores(archs), bench.sizes("parameters", archs)
    median, largest = (100 * (np.nanmax(test) - value) for value in (np.nanmedian(test), test[np.argmax(sizes)]))
    refused_and_accepted("5a", largest, median)
    refused_and_accepted("5b", median, largest)


def test_exercises_of_strategies():
    refused_and_accepted("2a", jn.random_search, jn.local_search)
    refused_and_accepted("2b", "random_search", "local_search")


def test_exercises_of_a_task_and_a_model():
    images, labels = load_digits(return_X_y=True)
    three = np.isin(labels, [3, 5, 8])
    pictures = images.reshape(-1, 8, 8)
    refused_and_accepted(
        "6a", jn.task_from_arrays(pictures, labels), jn.task_from_arrays(pictures[three], labels[three])
    )
    space = jn.space("mlp-small")
    arch = space.arch_at(space.num_architectures - 1)
    task = jn.task_from_arrays(images[three], labels[three])
    trained = jn.Trainer(space, task, num_epochs=15).fit(arch, 0)
    refused_and_accepted("6b", 0.99, trained)
