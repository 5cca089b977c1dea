"""Nothing that a user wrote, and no table of other content, is overwritten unasked."""

import numpy as np
import pytest
from helpers.samples import MIXED

import jaxnas as jn
from jaxnas.benchmarks import surrogate_files
from jaxnas.tables import overwriting
from jaxnas.tables.published import importing
from jaxnas.tables.published.cards import Imported
from jaxnas.tables.table import column_pack, write

CARD = "# mine\nimported by `jaxnas import x`"


def table(num_runs=1, name="task"):
    scores = np.random.default_rng(0).uniform(size=(MIXED.num_architectures, num_runs, 1))
    return jn.Table.from_arrays(MIXED, name, scores, scores, [1])


def test_an_import_replaces_the_same_table_only(tmp_path, monkeypatch):
    given = [table(2)]
    monkeypatch.setattr(importing, "importer_named", lambda name: lambda *_: [Imported(given[0], CARD)])
    (folder,) = importing.import_table("x", tmp_path, out=tmp_path / "out")
    importing.import_table("x", tmp_path, out=tmp_path / "out")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    given[0] = table(1)
    with pytest.raises(
        ValueError, match=r"with the table mixed-task of 12 classes and 2 seeds; give another folder by -"
    ):
        importing.import_table("x", tmp_path, out=tmp_path / "out")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "README.md").write_text("# my notes\n")
    with pytest.raises(ValueError, match=r"with README\.md, which jaxnas did not write; give another folder by --out"):
        importing.import_table("x", tmp_path, out=tmp_path / "out")


def test_packs_lose_no_columns_and_what_was_interrupted_is_written_again(tmp_path):
    values = np.arange(float(MIXED.num_architectures))
    both = column_pack(MIXED, "pack", dict.fromkeys(("a", "b"), (values, "score")))
    one = column_pack(MIXED, "pack", {"a": (values, "score")})
    write(both, tmp_path, CARD)
    overwriting.check_table_replaceable(tmp_path, both)
    with pytest.raises(ValueError, match="with pack with the column b"):
        overwriting.check_table_replaceable(tmp_path, one)
    (tmp_path / "manifest.json").unlink()  # as a killed command leaves it
    overwriting.check_table_replaceable(tmp_path, one)
    (tmp_path / "README.md").unlink()
    with pytest.raises(ValueError, match=r"with table\.parquet, which jaxnas did not write"):
        overwriting.check_table_replaceable(tmp_path, one)


def test_a_surrogate_replaces_the_same_one_only(tmp_path):
    (tmp_path / "README.md").write_text("# my notes\n")
    with pytest.raises(ValueError, match=r"README\.md, which jaxnas did not write; give another by --out"):
        surrogate_files.check_replaceable(tmp_path, {"id": "mine"})
    folder = surrogate_files.folder_of("nb201x5-shifted-digits-surrogate-v1")
    manifest = surrogate_files.read_files(folder)[1]
    surrogate_files.check_replaceable(folder, manifest)
    with pytest.raises(ValueError, match="with a surrogate of another seed; give another"):
        surrogate_files.check_replaceable(folder, manifest | {"seed": 1})
