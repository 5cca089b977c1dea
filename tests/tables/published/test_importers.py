"""Every importer on a file in its layout: the numbers that are in it, for the architectures that they are of."""

import bz2
import hashlib
import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from experiments.robustness import made_files
from jaxnas import catalog
from jaxnas.spaces.cells.space import NB201
from jaxnas.spaces.named import space_named
from jaxnas.tables.published import graph_bench, nasbench101, nats_topology, tfrecord, zero_cost
from jaxnas.tables.published.cards import Imported
from jaxnas.tables.published.named import importer_named
from jaxnas.tables.table import Table, write

FILES = Path(__file__).parent / "files"
DATA_SETS = ("cifar10", "cifar100", "imagenet16-120")


def imported(name: str, path: Path, work: Path) -> list[Imported]:
    """Returns what an importer gives, after writing and reading each table."""
    found = list(importer_named(name)(path, work / "work", lambda *_: None))
    for each in found:
        write(each.table, work / each.table.id, each.card)
        again = Table.read(work / each.table.id)
        assert set(again.columns) == set(each.table.columns)
        assert again.manifest["licence"]
        for part in (each.table.id, "## Limits", "## License and citation", again.manifest["source"]["paper"]):
            assert part in each.card
    return found


def by_task(found: list[Imported]) -> dict[str, Table]:
    return {each.table.manifest["task"]["name"]: each.table for each in found}


@pytest.fixture(scope="module")
def cells() -> list[str]:
    return made_files.shuffled_cells()


@pytest.fixture(scope="module")
def topology(tmp_path_factory) -> dict[str, Table]:
    folder = tmp_path_factory.mktemp("topology")
    return by_task(imported("nats-tss", FILES / "NATS-tss-v1_0-3ffb9-simple", folder))


def test_importers_say_what_they_cite():
    from jaxnas.report.bibliography import entries

    for name in catalog.IMPORTERS:
        keys = catalog.cites(name, catalog.IMPORTERS)
        assert keys
        assert set(keys) <= set(entries())


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_official_files_have_the_numbers_of_the_tables_that_ship(topology, data_set):
    """Those were made of other files (see their cards), in which validation after 12 epochs is of another version."""
    table, shipped = topology[data_set], Table.read(f"nb201-{data_set}-v1")
    rows = np.flatnonzero(table.trained)
    assert len(rows) == 3
    np.testing.assert_array_equal(
        np.sort(table.scores("validation")[rows, :, 0]), np.sort(shipped.scores("validation")[rows, :, 0])
    )
    np.testing.assert_allclose(table.means("test")[rows, -1], shipped.means("test")[rows, -1], atol=1e-6)
    for name in ("latency", "num_parameters", "num_flops"):
        np.testing.assert_allclose(table.columns[name].values[rows], shipped.columns[name].values[rows], rtol=1e-6)
    np.testing.assert_allclose(
        table.columns["training_seconds"].values[rows, 1], shipped.columns["training_seconds"].values[rows], rtol=1e-6
    )


def test_architectures_are_found_by_their_strings(topology):
    """Numbers 0, 11 and 284 of the benchmark are other rows here."""
    rows = np.flatnonzero(topology["cifar10"].trained)
    assert nats_topology.row_of(made_files.FIRST_CELL) in rows
    assert not set(rows) & {0, 11, 284}
    for row in (0, 7, 15_624, *rows):
        assert nats_topology.row_of(NB201.to_str(NB201.arch_at(row))) == row


def test_validation_of_cifar10_is_that_of_the_half_of_the_images(topology):
    table = topology["cifar10"]
    assert (table.columns["validation"].denominator, table.columns["test"].denominator) == (25_000, 10_000)
    assert table.columns["validation"].runs != table.columns["test"].runs
    protocol = table.protocol("published")
    assert (protocol.told, protocol.reported, table.cost_unit(protocol)) == ("validation@12", "test", "seconds")
    row = nats_topology.row_of(made_files.FIRST_CELL)
    assert table.prices(protocol)[row, 0] == pytest.approx(12 * 7.221092998981476 + 2.5489792369660877)


def test_losses_are_of_the_runs_of_the_validation(topology):
    table = topology["cifar100"]
    row = nats_topology.row_of(made_files.FIRST_CELL)
    losses = table.columns["train_loss"].values[row]
    assert np.isfinite(losses).all()
    assert (losses[:, -1] < losses[:, 0]).all()
    assert [each.epoch for each in table.column_fidelities("train_loss")] == [1, 5, 10, 25, 50, 100, 150, 200]


def test_official_files_of_the_size_space(tmp_path):
    found = by_task(imported("nats-sss", FILES / "NATS-sss-v1_0-50262-simple", tmp_path))
    table = found["cifar100"]
    rows = np.flatnonzero(table.trained)
    strings = [space_named("nats-sss").to_str(space_named("nats-sss").arch_at(row)) for row in rows]
    assert "8:8:8:16:32" in strings
    assert (table.num_runs("validation")[rows] == 1).all()
    assert (table.num_runs("validation@12")[rows] == 3).all()
    assert table.means("validation")[rows].min() > 0.1


def test_files_are_those_of_the_list_of_architectures_where_it_is_there(tmp_path, cells):
    folder = tmp_path / "simple"
    folder.mkdir()
    names = [made_files.FIRST_CELL, *cells[1:3]]
    for number, name in enumerate(names):
        record = {str(epochs): made_files.architecture(name, number, epochs, (777,)) for epochs in (12, 200)}
        (folder / f"{number:06d}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(record, 4)))
    read = importer_named("nats-tss")
    meta = folder / "meta.pickle.pbz2"
    for listed, message in [
        (names, None),
        ([*names[:2], "another"], "got: .*in 000002.pickle.pbz2"),
        (names[:2], "got: .*in 000002.pickle.pbz2"),
    ]:
        meta.write_bytes(bz2.compress(pickle.dumps({"meta_archs": listed, "total_archs": 3, "arch2infos": {}})))
        if message is None:
            assert len(list(read(folder, tmp_path / "work", lambda *_: None))) == 3
        else:
            with pytest.raises(ValueError, match=f"^Expected .*meta.pickle.pbz2 to be the list .*{message}"):
                list(read(folder, tmp_path / "work", lambda *_: None))


def test_a_number_that_a_table_cannot_hold_is_refused(tmp_path):
    path = made_files.graphs(tmp_path / "proteins.bench", "proteins")
    numbers = pickle.loads(path.read_bytes())
    numbers[next(iter(numbers))]["latency"] = 1e300  # finite here, infinite as float32
    path.write_bytes(pickle.dumps(numbers, 3))
    with pytest.raises(ValueError, match="got: numbers that are not finite"):
        list(importer_named("nb-graph")(path, tmp_path / "work", lambda *_: None))


def test_a_time_that_a_table_cannot_hold_is_refused(tmp_path, cells):
    record = {str(epochs): made_files.architecture(cells[0], 0, epochs) for epochs in (12, 200)}
    next(iter(record["200"]["all_results"].values()))["train_times"][0] = 1e300  # finite here, infinite as float32
    (tmp_path / "000000.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(record, 4)))
    with pytest.raises(ValueError, match="got: times or sizes that are not finite"):
        list(importer_named("nats-tss")(tmp_path, tmp_path / "work", lambda *_: None))


def test_an_import_that_was_stopped_reads_no_file_twice(tmp_path, monkeypatch):
    from jaxnas.tables.published import nats

    folder = FILES / "NATS-tss-v1_0-3ffb9-simple"
    monkeypatch.setattr(nats, "_PER_PART", 1)
    read, seen = nats._read_one, []

    def stopping(path, records):
        seen.append(path.name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        read(path, records)

    monkeypatch.setattr(nats, "_read_one", stopping)
    with pytest.raises(KeyboardInterrupt):
        list(importer_named("nats-tss")(folder, tmp_path / "work", lambda *_: None))
    (tmp_path / "work" / ".plan.json.12345678.tmp").write_text("half")  # of a killed one
    monkeypatch.setattr(nats, "_read_one", lambda path, records: (seen.append(path.name), read(path, records)))
    found = list(importer_named("nats-tss")(folder, tmp_path / "work", lambda *_: None))
    assert seen == ["000000.pickle.pbz2", "000011.pickle.pbz2", "000284.pickle.pbz2", "000284.pickle.pbz2"]
    assert found[0].table.trained.sum() == 3
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("name", ["nats-tss", "nb201"])
def test_files_of_all_architectures(name, cells, tmp_path):
    names = cells[:4]
    if name == "nb201":
        path = made_files.legacy_torch(
            tmp_path / "NAS-Bench-201-v1_1-096897.pth", made_files.whole_benchmark(names, {"less": 12, "full": 200})
        )
    else:
        path = made_files.nats_archive(tmp_path / "archive.pickle.pbz2", names, {"12": 12, "200": 200})
    found = by_task(imported(name, path, tmp_path))
    table = found["imagenet16-120"]
    rows = [nats_topology.row_of(text) for text in names]
    assert sorted(np.flatnonzero(table.trained)) == sorted(rows)
    record = made_files.architecture(names[2], 2, 200)["all_results"]["ImageNet16-120", 888]
    assert table.scores("test")[rows[2], 1, 0] == pytest.approx(record["eval_acc1es"]["x-test@199"] / 100, abs=1e-6)
    assert (table.num_runs("validation")[rows] == 2).all()


@pytest.fixture(scope="module")
def graphs(tmp_path_factory) -> Table:
    (found,) = imported("nb101", FILES / "carbon_4V9E.tfrecord", tmp_path_factory.mktemp("nb101"))
    return found.table


def test_rows_in_the_layout_of_nas_bench_101(graphs):
    """Seven graphs, four numbers of epochs, three runs; the md5 of a row is that of another one where its code is."""
    rows = np.flatnonzero(graphs.trained)
    assert len(rows) == 7
    assert graphs.validation[rows].max() <= 9984
    assert graphs.columns["validation"].denominator == 9984
    assert [each.epoch for each in graphs.column_fidelities("validation")] == [4, 12, 36, 108]
    text = "0101001000010000|input,conv3x3-bn-relu,conv3x3-bn-relu,output"
    space = space_named("nb101")
    row = int(space.index(space.from_str(text)))
    assert graphs.columns["num_parameters"].values[row] == 20_346_506
    found = np.sort(graphs.validation[row, :, 2])
    assert {round(value * 9984) for value in (0.9254807829856873, 0.9263821840286255)} <= set(found.tolist())


def official_hash(matrix: str, operations: str) -> str:
    """Returns the md5 that the benchmark gives a graph all of whose vertices count."""
    names = operations.split(",")
    numbers = {"input": -1, "output": -2, "conv3x3-bn-relu": 0, "conv1x1-bn-relu": 1, "maxpool3x3": 2}
    edges = np.asarray([int(digit) for digit in matrix]).reshape(len(names), -1)
    hashes = [
        hashlib.md5(str((int(edges[at].sum()), int(edges[:, at].sum()), numbers[name])).encode()).hexdigest()
        for at, name in enumerate(names)
    ]
    for _ in names:
        hashes = [
            hashlib.md5(
                "|".join(
                    ["".join(sorted(hashes[each] for each in np.flatnonzero(around))) for around in pair] + [own]
                ).encode()
            ).hexdigest()
            for own, pair in zip(hashes, zip(edges.T, edges, strict=True), strict=True)
        ]
    return hashlib.md5(str(sorted(hashes)).encode()).hexdigest()


def test_hashes_of_nas_bench_101_and_codes_of_graphs_agree():
    """In the file rows have one hash where their graphs have one row here, and the hash is that of the benchmark."""
    space, hashes, packed = space_named("nb101"), [], []
    with (FILES / "carbon_4V9E.tfrecord").open("rb") as file:
        for record, _ in tfrecord.records(file):
            md5, _, matrix, operations, _ = json.loads(record)
            assert md5 == official_hash(matrix, operations)
            packed.append(nasbench101.packed_graph(matrix, operations))
            hashes.append(md5)
    rows = list(range(0, space.num_architectures, 200_003))
    for row in rows:
        matrix, _, names = space.to_str(space.arch_at(row)).partition("|")
        packed.append(nasbench101.packed_graph(matrix, names))
    found = nasbench101.rows_of(space, np.asarray(packed)).tolist()
    assert found[len(hashes) :] == rows
    assert len(set(found[: len(hashes)])) == len(set(hashes)) == len(set(zip(hashes, found, strict=False))) == 7


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"operations": "input,pool,conv3x3-bn-relu,output"}, "a graph"),
        ({"matrix": "0101001000011000"}, "an edge back"),
        ({"epochs": 5}, "a training of 5 epochs"),
        ({"scores": (1, 1, 20_000, 1)}, "accuracies of 9,984"),
        ({"md5": "0" * 32}, "two hashes"),
    ],
)
def test_rows_that_cannot_be_are_refused(change, problem, tmp_path):
    row = {
        "md5": "b5fb4f6193360330b6ff6a52cbf0cad7",
        "epochs": 4,
        "matrix": "0101001000010000",
        "operations": "input,conv3x3-bn-relu,conv3x3-bn-relu,output",
        "scores": (5000, 5001, 8000, 8001),
        "seconds": 10.0,
    }
    path = tmp_path / "nasbench_full.tfrecord"
    path.write_bytes(made_files.tfrecord([made_files.nasbench101_row(**each) for each in (row, row | change)]))
    with pytest.raises(ValueError, match=f"^Expected .*{problem}[^\n]*$"):
        imported("nb101", path, tmp_path)


def test_macro_tells_test_accuracy_and_says_so(tmp_path):
    (found,) = imported("nb-macro", made_files.macro(tmp_path / "nas-bench-macro_cifar10.json"), tmp_path)
    table = found.table
    assert (table.protocol().told, table.protocol().reported) == ("test", "test")
    assert "No validation split" in found.card
    assert "No validation split" in table.manifest["warning"]
    space = space_named("nb-macro")
    row = int(space.index(space.from_str("22212220")))
    np.testing.assert_allclose(table.scores("test")[table.class_of[row], :, 0], [0.865, 0.87, 0.875])
    assert table.columns["num_parameters"].values[table.class_of[row]] == 13_500


def test_macro_has_a_class_for_each_network(tmp_path):
    path = made_files.macro(tmp_path / "nas-bench-macro_cifar10.json")
    (found,) = imported("nb-macro", path, tmp_path)
    space, table = space_named("nb-macro"), found.table
    assert len(table.representatives) == len(table.test) == 3_969
    np.testing.assert_array_equal(table.representatives[table.class_of], space.classes())
    one, twin = (int(table.class_of[int(space.index(space.from_str(text)))]) for text in ("22210220", "22201220"))
    assert one == twin
    results = json.loads(path.read_text())
    results["22210220"]["test_acc"][1] += 1
    path.write_text(json.dumps(results))
    with pytest.raises(ValueError, match=r"got: different results of architectures that are one network"):
        imported("nb-macro", path, tmp_path)


def test_transnas_has_both_spaces_and_every_epoch(tmp_path):
    macro = space_named("transnas-macro")
    rows = range(macro.num_architectures)
    strings = [macro.to_str(arch) for arch in np.asarray(macro.arch_at(np.arange(len(rows))))]
    micro = ["64-41414-{}_{}{}_{}{}{}".format(*digits) for digits in itertools.product("0123", repeat=6)]
    path = made_files.transnas(tmp_path / "transnas.pth", {"micro": micro[::-1], "macro": strings}, epochs=2)
    tables = {each.table.id: each.table for each in imported("transnas", path, tmp_path)}
    assert set(tables) == {"transnas-micro-jigsaw", "transnas-macro-jigsaw"}
    table, space = tables["transnas-micro-jigsaw"], space_named("transnas-micro")
    row, number = int(space.index(space.from_str("64-41414-1_02_333"))), micro[::-1].index("64-41414-1_02_333")
    np.testing.assert_allclose(table.scores("validation")[row, 0], [number, number + 0.1], rtol=1e-5)
    assert table.scores("test")[row, 0, 0] == pytest.approx(number + 0.6)
    np.testing.assert_allclose(table.prices(table.protocol())[row], [30, 60])


def test_asr_counts_errors(tmp_path):
    architectures = [[[number % 6, 0], [1, 0, number // 6 % 2], [2, 0, 0, 1]] for number in range(12)]
    (found,) = imported("nb-asr", made_files.asr(tmp_path / "nb-asr", architectures), tmp_path)
    table = found.table
    assert (table.metric.better, table.num_architectures, len(table.fidelities)) == (-1, 12, 40)
    assert {"latency_gtx_1080ti_fp32", "parameters"} <= set(table.size_names)
    # operation 5 of the first node and no skips but the last one: number 5 of the list, and the 11th code of its node
    assert table.means("test")[10, 0] == pytest.approx(25)
    assert table.columns["num_parameters"].values[10] == 1005


def test_graph_keys_are_digits_of_all_operations():
    space, proteins = space_named("nb-graph"), space_named("nb-graph-proteins")
    keys = np.asarray([0, 81_357, 1111])
    assert graph_bench.vectors_of(space, keys).tolist() == [[0, 0, 0, 0, 0], [8, 1, 3, 5, 7], [0, 1, 1, 1, 1]]
    assert graph_bench.vectors_of(proteins, keys[2:]).tolist() == [[0, 0, 0, 0, 0]]
    with pytest.raises(ValueError, match="has not"):
        graph_bench.vectors_of(proteins, keys[:1])


def test_files_of_nas_bench_graph(tmp_path):
    spec = pytest.importorskip("importlib.util").find_spec("nas_bench_graph")
    if spec is None:
        pytest.skip("nas-bench-graph is not installed")
    tables = by_task(imported("nb-graph", Path(spec.submodule_search_locations[0]), tmp_path))
    assert tables["cora"].means("validation").max() == pytest.approx(0.8193, abs=1e-4)
    assert tables["proteins"].num_architectures == 2_021


def test_costs_of_hardware(cells, tmp_path):
    found = imported("hw-nas-bench", made_files.hw_nas_bench(tmp_path / "HW-NAS-Bench-v1_0.pickle", cells), tmp_path)
    pack = found[0].table
    assert pack.id == "nb201-hwnas-cifar10"
    assert pack.protocols == ()
    row = nats_topology.row_of(made_files.FIRST_CELL)
    for name, value in made_files.FIRST_CELL_COSTS.items():
        device, _, measure = name.partition("_")
        assert pack.sizes(f"{measure}_{device}")[row] == value
    missing = np.flatnonzero(np.isnan(pack.sizes("latency_edgetpu")))
    assert missing.tolist() == [nats_topology.row_of(cells[-1])]


def test_latencies_of_help(cells, tmp_path):
    (found,) = imported("help", made_files.help_latencies(tmp_path / "nasbench201", cells), tmp_path)
    for number in (0, 1, 15_624):
        for device in ("1080ti_1", "pixel3"):
            assert found.table.sizes(f"latency_{device}")[nats_topology.row_of(cells[number])] == number + 1


def test_zero_cost_scores_are_of_the_architectures_that_naslib_means(tmp_path):
    """Its operations are Identity, Zero, Conv3x3, Conv1x1, AvgPool, its edges 1-2, 1-3, 1-4, 2-3, 2-4, 3-4."""
    text = "|avg_pool_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|none~1|nor_conv_3x3~2|"
    assert zero_cost.row_of("(4, 0, 2, 3, 1, 2)") == nats_topology.row_of(text)
    best = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    assert zero_cost.row_of("(2, 2, 0, 2, 2, 2)") == nats_topology.row_of(best)
    path = made_files.suite_zero(tmp_path / "zc_nasbench201.json", {"(2, 2, 0, 2, 2, 2)": 7.5})
    (found,) = imported("suite-zero", path, tmp_path)
    assert found.table.sizes("synflow")[nats_topology.row_of(best)] == 7.5
    assert np.isfinite(found.table.sizes("synflow")).sum() == 1
    assert {"nwot", "zero_params", "zero_flops", "seconds_synflow"} <= set(found.table.size_names)


def test_zero_cost_scores_of_transnas_are_of_its_own_spaces(tmp_path):
    """Its digits are those of the benchmark's strings, by target: GRAF's list of networks has the sizes for it."""
    keys = {"(1, 0, 2, 3, 3, 3)": 2.5, "(2, 3, 2, 3, 2, 3)": 1.0}
    path = made_files.suite_zero(tmp_path / "zc_transbench101_micro.json", keys, ("class_scene", "jigsaw"))
    scene, jigsaw = (each.table for each in imported("suite-zero", path, tmp_path))
    assert (scene.id, jigsaw.id) == ("transnas-micro-zero-class-scene", "transnas-micro-zero-jigsaw")
    space = space_named("transnas-micro")
    assert scene.manifest["space"] == space.description()
    assert scene.sizes("nwot")[int(space.index(space.from_str("64-41414-1_02_333")))] == 2.5
    path = made_files.suite_zero(tmp_path / "zc_transbench101_macro.json", {"(1, 2, 3, 4, 0, 0)": 4.5}, ("normal",))
    (found,) = imported("suite-zero", path, tmp_path)
    space = space_named("transnas-macro")
    assert found.table.sizes("nwot")[int(space.index(space.from_str("64-1234-basic")))] == 4.5


@pytest.mark.parametrize(
    ("name", "key", "data_set", "problem"),
    [
        ("zc_nasbench201.json", "(2, 3, 2, 3, 2, 3)", "class_scene", "Expected a data set of nb201.*'class_scene'"),
        ("zc_nasbench201.json", "(2, 3, 2, 3, 2, 5)", "cifar10", r"six digits of nb201 .*got '\(2, 3, 2, 3, 2, 5\)'"),
        ("zc_transbench101_micro.json", "(4, 0, 3, 1, 4, 3)", "jigsaw", "six digits of transnas-micro"),
        ("zc_transbench101_macro.json", "(1, 1, 1, 1, 0, 0)", "jigsaw", "six digits of transnas-macro"),
        (
            "scores.json",
            "(2, 3, 2, 3, 2, 3)",
            "cifar10",
            "names that say of which space the keys are, got .*scores.json",
        ),
    ],
)
def test_zero_cost_scores_of_unknown_spaces_and_data_sets_are_refused(name, key, data_set, problem, tmp_path):
    path = made_files.suite_zero(tmp_path / name, {key: 1.0}, (data_set,))
    with pytest.raises(ValueError, match=problem):
        imported("suite-zero", path, tmp_path)


@pytest.mark.parametrize("name", catalog.IMPORTERS)
def test_what_is_no_file_of_the_benchmark_ends_in_one_line(name, tmp_path):
    text, json_file, empty = tmp_path / "notes.txt", tmp_path / "other.json", tmp_path / "folder"
    text.write_text("hello\n" * 100)
    json_file.write_text(json.dumps({"a": {"b": [1]}}))
    empty.mkdir()
    for path in (text, json_file, empty):
        with pytest.raises(ValueError, match=r"^Expected [^\n]+$"):
            imported(name, path, tmp_path / "out")
