"""Column packs: joined by row to a table of the same space, and then sizes like its own."""

import numpy as np
import pytest

import jaxnas as jn
from experiments.robustness import made_files
from jaxnas.report.comparison import aim_of
from jaxnas.tables.published.named import importer_named
from jaxnas.tables.published.nats_topology import row_of
from jaxnas.tables.table import column_pack, write

TABLE = "nb201-cifar10-v1"


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """Returns the folder of a pack of latencies and energies on CIFAR-10."""
    folder = tmp_path_factory.mktemp("pack")
    path = made_files.hw_nas_bench(folder / "HW-NAS-Bench-v1_0.pickle", made_files.shuffled_cells())
    found = next(iter(importer_named("hw-nas-bench")(path, folder / "work", lambda *_: None)))
    write(found.table, folder / "pack", found.card)
    return folder / "pack"


@pytest.fixture(scope="module")
def bench(pack):
    return jn.load(TABLE, columns=[pack])


def test_columns_of_a_pack_are_sizes(bench, pack):
    assert {"parameters", "latency", "latency_raspi4", "energy_eyeriss"} <= set(bench.size_names)
    arch = bench.space.arch_at(row_of(made_files.FIRST_CELL))
    for name in ("latency_raspi4", "energy_edgegpu"):
        device, measure = name.split("_")[::-1]
        expected = made_files.FIRST_CELL_COSTS[f"{device}_{measure}"]
        assert bench.sizes(name, arch) == expected
        assert float(bench.size(name)(arch)) == pytest.approx(expected)
    (joined,) = bench.table.manifest["joined"]
    assert joined == {"id": "nb201-hwnas-cifar10", "content_hash": jn.Table.read(pack).manifest["content_hash"]}
    assert bench.content_hash == jn.load(TABLE).content_hash


def test_columns_are_objectives_and_constraints(bench):
    assert aim_of("accuracy,latency_raspi4", bench).size == "latency_raspi4"
    with pytest.raises(ValueError, match="Did you mean latency_raspi4"):
        aim_of("accuracy,latency_raspi", bench)
    space = bench.space.enumerated()
    size = bench.size("latency_edgetpu")
    limit = float(np.nanquantile(bench.sizes("latency_edgetpu", space.arch_at(np.arange(15_625))), 0.3))
    trials = jn.run(jn.constrained(jn.random_search(space), space, size, limit), bench, num_trials=20, num_runs=20)
    found = bench.sizes("latency_edgetpu", trials.query.arch)
    assert found.max() <= limit  # and none is NaN: the device runs all of them


def test_a_network_that_a_device_cannot_run_fails_where_its_latency_is_in_the_score(bench):
    penalized = jn.penalized(bench, 1e-3, "latency_edgetpu")
    cells = made_files.shuffled_cells()
    archs = bench.space.arch_at(np.asarray([row_of(cells[0]), row_of(cells[-1])]))
    found = penalized.validation_scores(archs)
    assert found[0] == pytest.approx(float(bench.validation_scores(archs)[0]) - 1e-3 * 0.9571811309997429, abs=1e-6)
    assert np.isnan(found[1])


def test_packs_that_do_not_fit_are_refused_in_one_line(tmp_path, pack):
    small = jn.SearchSpace("small", (jn.Decision("a", (1, 2)),))
    write(column_pack(small, "other", {"cost": (np.ones(2), "seconds")}), tmp_path / "other", "card")
    with pytest.raises(ValueError, match=r"^Expected columns for the space nb201, got other of other architectures\.$"):
        jn.load(TABLE, columns=[tmp_path / "other"])
    with pytest.raises(ValueError, match=r"^Expected columns that nb201-cifar10-v1 lacks, got energy_edgegpu, [^\n]+$"):
        jn.load(TABLE, columns=[pack, pack])
    values = np.ones(jn.NB201.num_architectures)
    write(column_pack(jn.NB201, "again", {"flops": (values, "multiply-accumulates")}), tmp_path / "again", "card")
    with pytest.raises(ValueError, match=r"^Expected columns that nb201-cifar10-v1 lacks, got flops [^\n]+$"):
        jn.load(TABLE, columns=[tmp_path / "again"])
    with pytest.raises(ValueError, match=r"^Did you mean [^\n]+ Expected a folder [^\n]+$"):
        jn.load(TABLE, columns=["nb201-hwnas"])
    with pytest.raises(ValueError, match=r"^Expected a table of scores, [^\n]+$"):
        jn.load(pack)
