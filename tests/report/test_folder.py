"""A folder of results is replaced whole: what a killed writer leaves, two writers at once, foreign and stale files."""

import ast
import contextlib
import json
import os
import threading
from pathlib import Path

import pytest

from jaxnas.report import result_folder as folders
from jaxnas.report.result_folder import COMPARISON, NOTE, SEARCH, check_free, fresh_folder, publish

OLD = ("trials.npz", "fronts.svg", "regret_by_trials.svg", "report.html", "summary.json")
NEW = (
    "trials.npz",
    "ranks.csv",
    "regret_by_trials.svg",
    "report.html",
    "summary.json",
    "a/report.html",
    "a/summary.json",
)


def write(folder: Path, names: tuple, text: str, kind: str = COMPARISON, **arguments) -> None:
    """Publishes files of one text."""
    with fresh_folder(folder) as fresh:
        for name in names:
            (fresh / name).parent.mkdir(exist_ok=True)
            (fresh / name).write_text(text)
        publish(fresh, folder, kind, **arguments)


def contents(folder: Path) -> dict[str, str]:
    """Returns the files of a folder but for the note."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != NOTE)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def test_results_replace_all_of_those_before(tmp_path):
    for names, text in ((OLD, "one"), (NEW, "two"), (OLD, "three")):
        write(tmp_path, names, text)
        assert contents(tmp_path) == dict.fromkeys(names, text)
    assert not (tmp_path / "a").exists()
    write(tmp_path, OLD, "four", kept=["trials.npz"])
    assert contents(tmp_path)["fronts.svg"] == "four"
    assert {path.name for path in tmp_path.iterdir()} == {*OLD, NOTE}


class Killed(BaseException):
    """What a test raises where a process would be killed."""


@pytest.mark.parametrize("step", range(20))
def test_a_writer_that_is_killed_leaves_whole_results_or_visibly_none(step, tmp_path, monkeypatch):
    write(tmp_path, OLD, "old")
    (tmp_path / "mine.txt").write_text("mine")
    old, steps = contents(tmp_path), iter(range(100))

    def dies(do):
        def done(*arguments, **options):
            if next(steps) == step:
                raise Killed
            return do(*arguments, **options)

        return done

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dies(os.replace))
        patched.setattr(Path, "unlink", dies(Path.unlink))
        patched.setattr(folders, "replace_file", dies(folders.replace_file))
        with contextlib.suppress(Killed):
            write(tmp_path, NEW, "new")
    found = contents(tmp_path)
    assert found.pop("mine.txt") == "mine"
    del old["mine.txt"]
    assert "summary.json" not in found or found in (old, dict.fromkeys(NEW, "new"))
    write(tmp_path, OLD, "again")
    assert contents(tmp_path) == {"mine.txt": "mine", **dict.fromkeys(OLD, "again")}


def test_half_a_file_that_a_killed_writer_left_is_removed_once_the_file_is_whole(tmp_path):
    for name in (".report.html.12345678.tmp", ".search-0.arrays.12345678.tmp"):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "search-0.arrays").write_text("whole")
    write(tmp_path, OLD, "one")
    assert {path.name for path in tmp_path.iterdir()} == {*OLD, NOTE, "search-0.arrays"}


def test_two_writers_never_mix(tmp_path):
    texts = [f"writer {number}" for number in range(8)]
    threads = [
        threading.Thread(target=write, args=(tmp_path, NEW if n % 2 else OLD, text)) for n, text in enumerate(texts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = contents(tmp_path)
    assert set(found) in (set(OLD), set(NEW))
    assert len(set(found.values())) == 1


def test_files_that_jaxnas_did_not_write_are_neither_replaced_nor_removed(tmp_path):
    (tmp_path / "notes.md").write_text("mine")
    write(tmp_path, OLD, "one")
    (tmp_path / "ranks.csv").write_text("mine")
    with pytest.raises(ValueError, match=r"^Expected a folder that is new or holds a comparison .* ranks\.csv"):
        check_free(tmp_path, COMPARISON)
    with pytest.raises(ValueError, match=r"ranks\.csv"):
        write(tmp_path, NEW, "two")
    assert contents(tmp_path) == {**dict.fromkeys(OLD, "one"), "ranks.csv": "mine", "notes.md": "mine"}
    with pytest.raises(ValueError, match="holds a search"):
        check_free(tmp_path, SEARCH)


@pytest.mark.parametrize("name", ["../precious/summary.json", "mine.txt", "link/summary.json", "/etc/passwd", 7])
def test_a_note_leads_to_no_other_files(name, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "summary.json").write_text("mine")
    out = tmp_path / "out"
    write(out, OLD, "one")
    (out / "mine.txt").write_text("mine")
    (out / "link").symlink_to(tmp_path / "precious")
    note = json.loads((out / NOTE).read_text())
    (out / NOTE).write_text(json.dumps(note | {"files": [*note["files"], name]}))
    with contextlib.suppress(ValueError):
        write(out, OLD, "two")
    assert (out / "mine.txt").read_text() == (tmp_path / "precious" / "summary.json").read_text() == "mine"


def test_what_a_killed_writer_left_is_removed_and_what_is_being_written_is_not(tmp_path):
    abandoned = tmp_path / ".jaxnas-abandoned.tmp"
    abandoned.mkdir()
    (abandoned / "summary.json").write_text("half")
    with fresh_folder(tmp_path) as first, fresh_folder(tmp_path) as second:
        assert not abandoned.exists()
        assert first.exists()
        assert second.exists()
    assert list(tmp_path.iterdir()) == []


def test_pages_made_from_results_that_were_replaced_meanwhile_are_not_published(tmp_path):
    write(tmp_path, OLD, "one")
    with pytest.raises(RuntimeError, match=r"^Expected .* to stay as it was read"):
        write(tmp_path, ("report.html",), "late", made_from={"summary.json": b"zero"}, kept=["summary.json"])
    assert contents(tmp_path) == dict.fromkeys(OLD, "one")


def test_files_respect_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path, OLD, "one")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.name != NOTE} == {0o640}


def test_every_text_is_read_and_written_with_its_encoding_stated():
    found = []
    for path in Path(folders.__file__).parents[1].rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = call.func if isinstance(call, ast.Call) else None
            is_text = isinstance(name, ast.Attribute) and name.attr in ("read_text", "write_text")
            if is_text and not any(keyword.arg == "encoding" for keyword in call.keywords):
                found.append(f"{path.name}:{call.lineno}")
    assert found == []
