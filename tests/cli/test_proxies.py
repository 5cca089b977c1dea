"""`jaxnas proxies` writes a column pack, takes up where it was stopped, and says what is wrong in one line."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import tiny_kind
from helpers.elsewhere import Elsewhere
from helpers.samples import NB201
from helpers.tiny_kind import TINY_KIND

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.predictors.zero_cost import pack
from jaxnas.report.comparison import _minimized, aim_of
from jaxnas.tables.shipped import PACKS, find, shipped_ids


@pytest.fixture(scope="module")
def task_file(tmp_path_factory):
    generator = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("task") / "points.npz"
    np.savez(path, X=generator.normal(size=(60, 5)).astype(np.float32), y=generator.integers(0, 3, 60))
    return str(path)


SPACE = f"{Path(tiny_kind.__file__)}:TINY_KIND"


def command(task_file, folder, *more, space=SPACE):
    return main(["proxies", "--space", space, "--task", task_file, "--out", str(folder), *more])


@pytest.fixture(scope="module")
def written(task_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    assert command(task_file, folder, "--names", "snip,params", "--inits", "2") == 0
    return folder


def test_the_pack_holds_scores_by_class_and_initialization_and_joins_a_table(written):
    table = jn.Table.read(written)
    assert set(table.columns) == {"zero_params", "snip"}
    assert table.columns["snip"].values.shape == (2, 2)
    assert table.columns["zero_params"].values.tolist() == [5 * 4 + 4 * 4 + 4 * 3 + 4, 5 * 4 + 4 * 3 + 4]
    scores = jn.Table.from_arrays(TINY_KIND, "points", *np.full((2, 2, 1, 1), 0.5, np.float32), (1,))
    bench = jn.TableBenchmark(scores, space=TINY_KIND, columns=[table])
    assert set(bench.size_names) == {"zero_params", "snip"}
    means = table.columns["snip"].values.mean(1)
    np.testing.assert_allclose(bench.sizes("snip", [[0], [1]]), means, rtol=1e-6)
    assert float(bench.size("snip")(np.asarray([1]))) == pytest.approx(means[1])
    minimized = _minimized(bench, aim_of("accuracy,snip", bench))
    np.testing.assert_allclose(minimized.sizes("snip", [[0], [1]]), -means, rtol=1e-6)  # a size is to be small
    assert _minimized(bench, aim_of("accuracy,zero_params<=50", bench)) is bench
    with pytest.raises(ValueError, match=r"^Expected columns for the space nb201, got .* of other architectures"):
        jn.load("nb201-mnist5k-v1", columns=[written])


def test_a_second_call_computes_only_what_is_missing_or_damaged(written, task_file, monkeypatch, capsys):
    before = jn.Table.read(written).columns["snip"].values
    asked, real = [], pack.pass_scores
    monkeypatch.setattr(pack, "pass_scores", lambda *args, **more: asked.append(args[1].name) or real(*args, **more))
    shard = next((written / "shards").glob("gradient-*.arrays"))
    shard.write_bytes(b"PK")
    half = shard.with_name(f".{shard.name}.12345678.tmp")
    half.write_bytes(b"")
    os.utime(half, (1, 1))
    assert command(task_file, written, "--names", "snip,params", "--inits", "2") == 0
    assert ".damaged, and its 2 classes are scored again" in capsys.readouterr().err
    assert asked == ["gradient"]
    assert not half.exists()
    np.testing.assert_array_equal(jn.Table.read(written).columns["snip"].values, before)


def test_scores_of_another_version_are_computed_again(written, task_file, tmp_path, monkeypatch):
    assert jn.Table.read(written).id.endswith(f"-proxies-v{pack.VERSION}")
    shutil.copytree(written / "shards", tmp_path / "shards")
    asked, real = [], pack.pass_scores
    monkeypatch.setattr(pack, "pass_scores", lambda *args, **more: asked.append(args[1].name) or real(*args, **more))
    monkeypatch.setattr(pack, "VERSION", pack.VERSION - 1)
    assert command(task_file, tmp_path, "--names", "snip,params", "--inits", "2") == 0
    assert sorted(asked) == ["gradient", "sizes"]


def test_chunks_that_are_scored_elsewhere_are_those_of_here(written, task_file, tmp_path, monkeypatch):
    cluster, own = Elsewhere(), tmp_path / "tiny.py"
    shutil.copy(tiny_kind.__file__, own)  # since its class is unpickled in this process, which changes its attributes
    monkeypatch.setattr(pack, "executor", lambda address: cluster)
    monkeypatch.setattr(pack, "CHUNK", 1)
    assert (
        command(
            task_file, tmp_path / "out", "--names", "snip,params", "--inits", "2", "--ray", space=f"{own}:TINY_KIND"
        )
        == 0
    )
    assert cluster.functions == ["scores"] * 2  # sizes are counted here
    assert cluster.ended
    assert jn.Table.read(tmp_path / "out").manifest["content_hash"] == jn.Table.read(written).manifest["content_hash"]
    cluster.failure = "OSError: no"
    next((tmp_path / "out" / "shards").glob("gradient-*.arrays")).unlink()
    assert (
        command(
            task_file, tmp_path / "out", "--names", "snip,params", "--inits", "2", "--ray", space=f"{own}:TINY_KIND"
        )
        == 1
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--space", "nb201", "--task", "digits", "--names", "nwott"], "Did you mean nwot"),
        (["--space", "nb101", "--task", "digits"], "Expected a space with networks"),
        (["--space", "nb201", "--task", "nothing"], "Expected a task of"),
        (["--space", "mlp", "--task", "digits"], "Expected a space of at most"),
        (
            ["--space", "nb201", "--task", "digits", "--batch-size", "1"],
            "Expected batch_size to be an int of at least 2",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments, message, tmp_path, capsys):
    assert main(["proxies", *arguments, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("jaxnas proxies: ")
    assert message in line


def test_rounded_scores_keep_what_is_not_finite_and_whole():
    values = np.asarray([[np.nan, -np.inf, 3.0, 1 / 3, 123457.0]], np.float32)
    found = pack.rounded(values)
    np.testing.assert_array_equal(found[:, :3], values[:, :3])
    assert found[0, 4] == 123457
    assert found[0, 3] != values[0, 3]
    assert found[0, 3] == pytest.approx(1 / 3, rel=2**-16)


@pytest.mark.parametrize("name", shipped_ids(PACKS))
def test_a_shipped_pack_joins_the_tables_of_its_space(name):
    table = jn.Table.read(name)
    assert table.id == name
    assert (find(name) / "README.md").read_text().startswith(f"# {name}")
    space = table.manifest["space"]["name"]
    assert space in (NB201.name, "mlp-small", "recurrent-3")
    for column in table.columns.values():
        assert column.unit == "score"
        assert np.isfinite(column.values).mean() > 0.5
