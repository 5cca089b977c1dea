"""Damaged files of every format: each is read or refused in one line. `experiments/robustness` tries 10,000."""

import pytest

from experiments.robustness import importers

FORMATS = (
    "nats-tss",
    "nats-archive",
    "nats-sss",
    "nb101",
    "nb-macro",
    "nb-graph",
    "nb-asr",
    "hw-nas-bench",
    "help",
    "suite-zero",
    "nb201-legacy",
    "nb201-zip",
    "transnas",
)
NUMBER = 50
FEW = {"nb101": 16}
"""Files of which each is read into a table of 423,624 rows."""


@pytest.fixture(scope="module")
def formats(tmp_path_factory) -> dict[str, importers.Format]:
    found = importers.small(tmp_path_factory.mktemp("attack") / "files")
    assert set(found) == set(FORMATS)
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_end_in_one_line(name, formats, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    number = FEW.get(name, NUMBER)
    figures = importers.attack(formats[name], number, seed=0)
    assert figures["read"] + figures["refused"] == number
    assert figures["refused"] > number // 4


def test_files_of_whole_benchmarks_are_read_undamaged(tmp_path, monkeypatch):
    """Of parts, such as those above, some importers read nothing."""
    formats = importers.whole(tmp_path / "files")
    monkeypatch.chdir(tmp_path)
    for name, each in formats.items():
        assert not each.is_part
        figures = importers.attack(each, 4, seed=0)  # an error where the undamaged file is refused
        assert figures["read"] + figures["refused"] == 4, name
