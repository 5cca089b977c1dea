"""Tables: what is written is what is read, and any change is noticed."""

import json
import subprocess
import sys

import numpy as np
import pytest
from samples import MIXED, SMALL

from jaxnas.tables import table
from jaxnas.tables.table import Table


def make_table(num_seeds: int = 2, num_fidelities: int = 3, floats: bool = False, space=MIXED) -> Table:
    random = np.random.RandomState(1)
    shape = (space.num_architectures, num_seeds, num_fidelities)
    validation, test = (random.randint(0, 101, shape) for _ in range(2))
    if floats:
        return Table.from_arrays(space, "noise", validation / 100, test / 100, [1, 3, 9])
    return Table.from_arrays(space, "noise", validation, test, [1, 3, 9], num_images={"validation": 100, "test": 200})


def with_classes() -> Table:
    """A table as a build makes it: classes, one not trained, one training failed."""
    table = make_table()
    half = table.num_architectures // 2
    arrays = {name: getattr(table, name)[:half] for name in ("validation", "test")}
    loss = np.ones(arrays["test"].shape, np.float32)
    loss[1, 0, 1:] = np.inf
    trained = np.ones(half, bool)
    trained[2] = False
    loss[2], arrays["validation"][2], arrays["test"][2] = 0, 0, 0
    manifest = table.manifest | {
        "metric": table.manifest["metric"] | {"denominators": dict.fromkeys(table.SPLITS, 100)}
    }
    return Table(
        manifest,
        class_of=np.arange(table.num_architectures, dtype=np.int32) // 2,
        representatives=np.arange(half, dtype=np.int32) * 2,
        num_parameters=np.arange(half) + 10,
        num_flops=np.arange(half) + 20,
        train=arrays["validation"] // 2,
        loss=loss,
        first_loss=loss[:, :, 0] * trained[:, None],
        first_gradient_norm=2 * loss[:, :, 0] * trained[:, None],
        trained=trained,
        **arrays,
    )


@pytest.mark.parametrize("make", [make_table, lambda: make_table(floats=True), with_classes])
def test_reading_gives_what_was_written(make, tmp_path):
    written = table.write(make(), tmp_path, "a card")
    read = Table.read(tmp_path)
    for name, value in vars(written).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(read, name), value, err_msg=name)
        else:
            assert getattr(read, name) == value
    for split in ("validation", "test"):
        np.testing.assert_array_equal(read.scores(split), written.scores(split))


def test_writing_twice_gives_the_same_files(tmp_path):
    table.write(with_classes(), tmp_path / "a", "a card")
    table.write(with_classes(), tmp_path / "b", "a card")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_counts_become_proportions_of_their_own_split():
    table = make_table()
    np.testing.assert_allclose(table.scores("validation"), table.validation / 100, rtol=1e-6)
    np.testing.assert_allclose(table.scores("test"), table.test / 200, rtol=1e-6)


def test_failed_and_missing_trainings_have_no_score_and_are_kept():
    table = with_classes()
    missing = np.isnan(table.scores("validation"))
    assert missing[2].all()
    assert missing[1, 0].tolist() == [False, True, True]
    assert missing.sum() == missing[2].size + 2


@pytest.mark.parametrize("name", [table.TABLE_FILE, table.MANIFEST_FILE, table.CARD_FILE])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.9, 0.999])
def test_any_changed_bit_is_noticed_and_the_file_named(name, place, tmp_path):
    table.write(make_table(), tmp_path, "a card\n" * 20)
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"^Expected .*{name}"):
        Table.read(tmp_path)


def test_changed_arrays_with_honest_files_are_noticed(tmp_path):
    written = table.write(make_table(), tmp_path, "a card")
    lying = written.manifest | {"content_hash": "0" * 64}
    lying["manifest_hash"] = table._manifest_hash(lying)
    (tmp_path / table.MANIFEST_FILE).write_bytes(table._manifest_bytes(lying))
    with pytest.raises(ValueError, match="content_hash"):
        Table.read(tmp_path)


def test_truncated_and_missing_files_are_noticed(tmp_path):
    table.write(make_table(), tmp_path, "a card")
    path = tmp_path / table.TABLE_FILE
    path.write_bytes(path.read_bytes()[:100])
    assert table.check_files(tmp_path)[0].startswith(f"Expected {path}")
    path.unlink()
    assert "missing" in table.check_files(tmp_path)[0]


def test_content_hash_depends_on_every_array_and_not_on_the_file_layout():
    table = with_classes()
    hashes = {table.content_hash(table)}
    arrays = [name for name, value in vars(table).items() if isinstance(value, np.ndarray)]
    for name in arrays:
        changed = getattr(table, name).copy()
        changed.reshape(-1)[-1] = ~changed.reshape(-1)[-1] if changed.dtype == bool else changed.reshape(-1)[-1] + 1
        hashes.add(table.content_hash(Table(**vars(table) | {name: changed})))
    assert len(hashes) == len(arrays) + 1
    wider = Table(**vars(table) | {"validation": table.validation.astype(np.int16)})
    assert table.content_hash(wider) == table.content_hash(table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"validation": np.zeros((3, 1, 3))}, "Expected validation of shape"),
        ({"test": np.zeros((12, 1, 2))}, "Expected test of shape"),
        ({"fidelities": [3, 1, 9]}, "Expected ascending fidelities"),
        ({"num_images": None}, "Expected num_images"),
        ({"test": np.zeros((12, 5, 3), int)}, "of one shape"),
    ],
)
def test_wrong_arrays_are_refused(change, message):
    arguments = {
        "space": MIXED,
        "task": "noise",
        "validation": np.zeros((12, 1, 3), int),
        "test": np.zeros((12, 1, 3), int),
        "fidelities": [1, 3, 9],
        "num_images": 100,
    }
    with pytest.raises(ValueError, match=message):
        Table.from_arrays(**arguments | change)


def test_an_unknown_table_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="did you mean nb201-shifted-digits"):
        Table.read("nb201-shifted-digit")
    with pytest.raises(ValueError, match=r"or a folder with a manifest\.json"):
        Table.read(tmp_path)


@pytest.mark.parametrize("name", table.shipped_ids())
def test_a_shipped_table_is_complete_and_describes_itself(name):
    table = Table.read(name)
    assert table.id == name
    assert table.trained.all()
    assert table.train is not None
    assert not np.array_equal(table.validation, table.test)
    for split in table.SPLITS:
        assert getattr(table, split).max() <= table.manifest["metric"]["denominators"][split]
    card = (table.find(name) / table.CARD_FILE).read_text()
    assert name in card
    assert "## Limits" in card
    assert {"training", "plan", "versions", "machine", "licence"} <= set(table.manifest)


def test_shipped_tables_stay_small():
    total = sum(path.stat().st_size for path in table.shipped_folder().rglob("*") if path.is_file())
    assert total < 12e6


def test_reading_a_table_loads_no_jax():
    code = (
        "import sys, jaxnas\n"
        f"jaxnas.Table.read({table.shipped_ids()[0]!r}).scores('validation')\n"
        "print([name for name in ('jax', 'flax', 'pandas', 'sklearn') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(output.replace("'", '"')) == []


def test_the_rows_of_the_file_are_architectures_in_index_order(tmp_path):
    import pyarrow.parquet as pq

    table = make_table(space=SMALL)
    table.write(table, tmp_path, "a card")
    rows = pq.read_table(tmp_path / table.TABLE_FILE).to_pylist()
    assert len(rows) == SMALL.num_architectures
    row = int(SMALL.index(SMALL.from_str("|skip_connect~0|+|none~0|tanh~1|")))
    assert rows[row]["validation"] == table.validation[row].reshape(-1).tolist()
