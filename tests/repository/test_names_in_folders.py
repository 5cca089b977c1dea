"""No text in a folder that jaxnas reads leads to an import: names of files and of modules in it run nothing."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxnas as jn
from experiments.robustness import files, summaries
from jaxnas import array_files
from jaxnas.benchmarks import surrogate_files
from jaxnas.files import MANIFEST_FILE
from jaxnas.predictors.zero_cost import pack
from jaxnas.report.comparison_files import CHECKSUM, SUMMARY_FILE, checksum, write_again
from jaxnas.report.figures import gallery
from jaxnas.search.one_shot.checkpoint import read_checkpoint, write_checkpoint
from jaxnas.tables import format, overwriting
from jaxnas.tables.building.plan import Chunk, read_shard
from jaxnas.tables.shipped import SURROGATES, shipped_folder
from jaxnas.tables.table import column_pack, write
from jaxnas.training.fitted import FittedModel
from jaxnas.training.saved import HASH, MODEL_FILE, _hash_of

CODE = "import pathlib; pathlib.Path({ran!r}).write_text('it ran'); SPACE = TASK = None\n"
Kind = Callable[[Path], Iterator[Callable[[], Any]]]


@pytest.fixture
def names(tmp_path, monkeypatch):
    """Returns names of a file and a module that note that they were run, and the note."""
    there = tmp_path / "there"
    there.mkdir()
    ran = tmp_path / "ran"
    (there / "hostile_file.py").write_text(CODE.format(ran=str(ran)))
    monkeypatch.chdir(there)
    monkeypatch.syspath_prepend(there)
    return ("hostile_file.py:SPACE", f"{there / 'hostile_file.py'}:SPACE", "hostile_file:SPACE"), ran


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from [(*path, key)] if isinstance(child, str) else places(child, (*path, key))


def changed(value: Any, names: tuple[str, ...]) -> Iterator[Any]:
    """Gives a JSON value with each name in each text of it, once for all texts that differ in positions of lists."""
    alike = {tuple("" if isinstance(step, int) else step for step in path): path for path in places(value)}
    for path in alike.values():
        for name in names:
            copy = json.loads(json.dumps(value))
            inner = copy
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = name
            yield copy


def tables(folder: Path, names: tuple) -> Iterator[Callable]:
    table = files.make_table(np.random.default_rng(0))
    costs = column_pack(files.SPACE, "costs", {"cost": (np.arange(9.0), "seconds")})
    for own, reads in ((table, lambda: jn.load(folder)), (costs, lambda: jn.Table.read(folder))):
        written = write(own, folder, "# a card").manifest
        for manifest in changed(written, names):
            manifest["manifest_hash"] = format.manifest_hash(manifest)
            (folder / MANIFEST_FILE).write_bytes(format.manifest_bytes(manifest))
            yield reads
            yield lambda: jn.verify(folder, sample=1)
            yield lambda written=written: overwriting.check_replaceable(folder, written, 9)


def surrogates(folder: Path, names: tuple) -> Iterator[Callable]:
    (shipped,) = (path for path in shipped_folder(SURROGATES).iterdir() if path.is_dir())
    shutil.copytree(shipped, folder, dirs_exist_ok=True)
    surrogate = surrogate_files.read(folder)[1]
    for manifest in changed(json.loads((folder / MANIFEST_FILE).read_text()), names):
        manifest["content_hash"] = surrogate_files.content_hash(surrogate, manifest)
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
        yield lambda: jn.load(folder)
        yield lambda: jn.verify(folder)


def models(folder: Path, names: tuple) -> Iterator[Callable]:
    files._saved(folder)
    described = json.loads((folder / MODEL_FILE).read_text())
    del described[HASH]
    for description in changed(described, names):
        (folder / MODEL_FILE).write_text(json.dumps({**description, HASH: _hash_of(description)}))
        yield lambda: FittedModel.load(folder).task


def journals(folder: Path, names: tuple) -> Iterator[Callable]:
    journal = files.Journal(folder)
    lines = [{name: value for name, value in line.items() if name != files.CHECK} for line in journal.lines]
    for found in changed(lines, names):
        journal.path.write_bytes(files._signed(found))
        yield journal.read


def resumable(folder: Path, names: tuple) -> Iterator[Callable]:
    """Shards of builds and of proxies, and checkpoints."""
    (folder / "shards").mkdir()
    state, bounds = {"weights": np.ones(3, np.float32)}, np.arange(3)
    records = {"steps": np.zeros(0, np.int64), "losses": np.zeros((0, 2), np.float32)}
    description = {"space": {"name": "nb201"}, "task": "digits", "method": "darts", "code": None, "fields": ["a"]}
    path = folder / "search-0.arrays"
    write_checkpoint(path, description, 0, state, records)
    header, arrays = array_files.arrays_of(path.read_bytes())
    for text in changed({"header": header, "chunk": "chunk", "scores": "name"}, names):
        path.write_bytes(array_files.array_bytes(text["header"], arrays))
        yield lambda: read_checkpoint(path, description, state, bounds, records)
        for name in ("chunk", "scores"):
            shard = folder / "shards" / f"{name}.arrays"
            shard.write_bytes(array_files.array_bytes({name: text[name]}, {text[name]: np.ones((2, 1), np.float32)}))
        yield lambda: read_shard(folder, Chunk("chunk", (1,)), (1, 1, 1))
        yield lambda: pack._read(folder / "shards", "scores", ["snip"], (2, 1))


def results(folder: Path, names: tuple) -> Iterator[Callable]:
    summary = json.loads(summaries._summary(folder))
    for found in changed(summary, names[1:2]):  # a page each
        found[CHECKSUM] = checksum(found)
        (folder / SUMMARY_FILE).write_text(json.dumps(found))
        yield lambda: write_again(folder)


@pytest.mark.parametrize("kind", [tables, surrogates, models, journals, resumable, results])
def test_a_name_in_a_folder_runs_nothing(kind, names, tmp_path, monkeypatch):
    hostile, ran = names
    monkeypatch.setattr(gallery, "figures_of", lambda result: {})  # which take seconds and read no names
    (tmp_path / "folder").mkdir()
    number = 0
    for number, read in enumerate(kind(tmp_path / "folder", hostile), start=1):
        try:
            read()
        except (ValueError, RuntimeError) as error:
            assert "\n" not in str(error)  # noqa: PT017
        assert not ran.exists(), (kind.__name__, number)
        assert "hostile_file" not in sys.modules
    assert number > 20
