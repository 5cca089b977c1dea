"""`jaxnas oneshot`: what it prints and writes, and how it ends."""

import json

import numpy as np
import pytest

from jaxnas.cli.main import main
from jaxnas.cli.parser import make_parser

SPACE = """
from jaxnas.spaces.perceptrons.space import MLPSpace

SPACE = MLPSpace(1, widths=(2, 4), activations=("relu",), initializers=("he_normal",), regularizers=("none",),
                 dropout_rates=(0.0,), name="thin")
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    random = np.random.RandomState(0)
    (tmp_path / "mine.py").write_text(SPACE)
    np.savez(tmp_path / "data.npz", X=random.randn(80, 3).astype(np.float32), y=np.arange(80) % 2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_search_leaves_a_page_a_model_and_checkpoints(files, capsys):
    command = ["oneshot", "--space", "mine.py:SPACE", "--task", "data.npz", "--steps", "3", "--epochs", "1"]
    assert main([*command, "--out", "found", "--pack"]) == 0
    output = capsys.readouterr().out
    assert "rsps found " in output
    assert "Column pack: found/pack, 2 classes" in output
    assert "trained on training and validation data" in output
    for name in (
        "report.html",
        "summary.json",
        "found.svg",
        "search-0.arrays",
        "model/model.json",
        "pack/manifest.json",
    ):
        assert (files / "found" / name).is_file(), name
    assert json.loads((files / "found" / "summary.json").read_text())["command"].startswith("jaxnas oneshot")
    assert main([*command, "--out", "found", "--method", "darts"]) == 2
    assert "Expected a space with as many choices" in capsys.readouterr().err


def test_names_are_checked(tmp_path, capsys):
    command = ["oneshot", "--space", "nb201", "--task", "digits", "--method", "dart", "--out", str(tmp_path)]
    assert main(command) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit):
        make_parser().parse_args(["oneshot", "--space", "nb201"])
