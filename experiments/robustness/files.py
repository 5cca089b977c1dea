"""Mutated files of every format are refused in one line, or read with their original contents.

Claim: of 10,000 mutations a format none ends in another exception than a ValueError of one line, and none is accepted
with other contents if the format has a hash. CSV and Parquet files of your data have none: a changed digit is other
data.
Command: python experiments/robustness/files.py [--formats table,manifest,...] [--number 10000] [--seed 0]
Run time: 10 minutes on one core of a 2-core Intel Xeon for all formats at 10,000.
Output: a line of counts a format; last, one JSON object with all.
Page: docs/robustness.md
"""

import argparse
import contextlib
import io
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from sklearn.datasets import load_iris

import jaxnas as jn
from experiments.robustness import summaries
from experiments.robustness.mutations import Attack, Tally, mutated, with_other_value
from jaxnas.array_files import array_bytes
from jaxnas.benchmarks import surrogate_files
from jaxnas.files import MANIFEST_FILE, TABLE_FILE
from jaxnas.predictors.surrogates import Surrogate
from jaxnas.predictors.zero_cost import pack
from jaxnas.search.loop.chained_lines import CHECK
from jaxnas.search.loop.journaled import JOURNAL_FILE, journaled
from jaxnas.search.one_shot.checkpoint import checkpoint_path, read_checkpoint, write_checkpoint
from jaxnas.tables import format
from jaxnas.tables.building.plan import Chunk, read_shard, shard_bytes, shard_path
from jaxnas.tables.table import Table, column_pack, write
from jaxnas.tasks.files import task_from_file
from jaxnas.training.curves import Curves
from jaxnas.training.fitted import FittedModel
from jaxnas.training.saved import HASH, MODEL_FILE, _hash_of

SPACE = jn.SearchSpace("mixed", (jn.Decision("depth", range(3)), jn.Decision("width", (8, 16, 32))))


def make_table(random: np.random.Generator) -> Table:
    """Returns a table of counts, as a build writes one."""
    validation, test = random.integers(0, 101, (2, 9, 2, 3))
    sizes = {"num_parameters": (np.arange(9), "parameters")}
    return Table.from_arrays(SPACE, "noise", validation, test, [1, 2, 3], 100, columns=sizes)


def attack_table(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of table, manifest and card changed; `Table.read`."""
    written = write(make_table(random), folder, "# a card\n" * 20)
    return attack_folder("table", folder, number, random, Table.read, lambda found: found.manifest == written.manifest)


def attack_manifest(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Parts of a manifest changed, its hashes made right again, as whoever makes a hostile table would; `jn.load`."""
    tally, written = Tally("manifest with honest hashes"), write(make_table(random), folder, "# a card")
    for _ in range(number):
        manifest = with_other_value(written.manifest, random)
        manifest["manifest_hash"] = format.manifest_hash(manifest)
        (folder / MANIFEST_FILE).write_bytes(format.manifest_bytes(manifest))
        tally.attempt(lambda: jn.load(folder), lambda bench: bench.content_hash == written.manifest["content_hash"])
    return tally


def attack_parquet(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of a table's Parquet file changed, its hash in the manifest made right again."""
    tally, written = Tally("table.parquet with honest hashes"), write(make_table(random), folder, "# a card")
    original = (folder / TABLE_FILE).read_bytes()
    for _ in range(number):
        data = mutated(original, random)
        (folder / TABLE_FILE).write_bytes(data)
        manifest = written.manifest | {"files": written.manifest["files"] | {TABLE_FILE: format.sha256(data)}}
        manifest["manifest_hash"] = format.manifest_hash(manifest)
        (folder / MANIFEST_FILE).write_bytes(format.manifest_bytes(manifest))
        tally.attempt(lambda: Table.read(folder), lambda table: _same_columns(table, written))
    return tally


def _same_columns(one: Table, other: Table) -> bool:
    return all(np.array_equal(one.columns[name].values, column.values) for name, column in other.columns.items())


def attack_shard(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of a shard of a build changed: a damaged one counts as missing, and is trained again."""
    tally, chunk = Tally("shard"), Chunk("chunk", (3, 1, 4))
    curves = {name: random.integers(0, 40, (3, 2, 30)).astype(np.int32) for name in ("train", "validation", "test")}
    curves |= {"loss": random.uniform(size=(3, 2, 30)).astype(np.float32)}
    curves |= {name: random.uniform(size=(3, 2)).astype(np.float32) for name in ("first_loss", "first_gradient_norm")}
    original = shard_bytes(chunk, Curves(**curves))
    shard_path(folder, chunk).parent.mkdir()

    def read() -> dict:
        found = read_shard(folder, chunk, (2, 30, 30))
        if found is None:
            raise ValueError("Expected a whole shard.")
        return found

    for _ in range(number):
        shard_path(folder, chunk).write_bytes(mutated(original, random))
        tally.attempt(read, lambda found: all(np.array_equal(found[name], each) for name, each in curves.items()))
    return tally


def attack_surrogate(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of any file of a surrogate changed; what `jn.load` reads."""
    _, manifest = write_surrogate(folder)
    return attack_folder(
        "surrogate", folder, number, random, surrogate_files.read_files, lambda found: found[1] == manifest
    )


def write_surrogate(folder: Path) -> tuple[Surrogate, dict]:
    """Returns the arrays and the manifest of the surrogate that ships, written into a folder."""
    arrays, manifest = surrogate_files.read_files(surrogate_files.folder_of("nb201x5-shifted-digits-surrogate-v1"))
    return arrays, surrogate_files.write(folder, arrays, manifest, "# a card", {})


def attack_folder(
    name: str,
    folder: Path,
    number: int,
    random: np.random.Generator,
    read: Callable[[Path], Any],
    is_same: Callable[[Any], bool],
) -> Tally:
    """Bytes of any file of a folder changed, of one file after the other."""
    tally = Tally(name)
    originals = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    for trial in range(number):
        path = list(originals)[trial % len(originals)]
        path.write_bytes(mutated(originals[path], random))
        tally.attempt(lambda: read(folder), is_same)
        path.write_bytes(originals[path])
    return tally


def attack_surrogate_manifest(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Parts of a surrogate's manifest changed, its hashes made right again."""
    tally = Tally("surrogate with honest hashes")
    before, manifest = write_surrogate(folder)
    for _ in range(number):
        changed = with_other_value(manifest, random)
        with contextlib.suppress(KeyError):
            changed["content_hash"] = surrogate_files.content_hash(before, changed)
        changed["manifest_hash"] = format.manifest_hash(changed)
        (folder / MANIFEST_FILE).write_text(json.dumps(changed))
        tally.attempt(lambda: jn.load(folder), lambda bench: bench.content_hash == manifest["content_hash"])
    return tally


def attack_pack(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of any file of a column pack changed; `Table.read`."""
    written = write(column_pack(SPACE, "costs", {"cost": (random.uniform(size=9), "seconds")}), folder, "# a card")
    return attack_folder("pack", folder, number, random, Table.read, lambda found: found.manifest == written.manifest)


def _is_same(found: dict, arrays: dict) -> bool:
    return all(np.array_equal(found[name], values) for name, values in arrays.items())


def attack_proxies(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of a shard of proxies changed: a damaged one counts as missing, and is computed again."""
    tally, path = Tally("proxy shard"), folder / "gradient.arrays"
    arrays = {name: random.normal(size=(64, 2)).astype(np.float32) for name in ("snip", "grad_norm")}
    original = array_bytes({"scores": "gradient"}, arrays)

    def read() -> dict:
        found = pack._read(folder, "gradient", arrays, (64, 2))
        if found is None:
            raise ValueError("Expected a whole shard.")
        return found

    for _ in range(number):
        path.write_bytes(mutated(original, random))
        tally.attempt(read, lambda found: _is_same(found, arrays))
    return tally


def attack_checkpoint(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of a one-shot checkpoint changed; a damaged one is set aside, and its search begins again."""
    tally, path = Tally("one-shot checkpoint"), checkpoint_path(folder, 0)
    state = {name: random.normal(size=(3, 40)).astype(np.float32) for name in ("weights", "alpha")}
    empty = {"steps": np.zeros(0, np.int64), "losses": np.zeros((0, 2), np.float32)}
    records = {"steps": np.array([1, 2]), "losses": np.ones((2, 2), np.float32)}
    write_checkpoint(path, {"seed": 0, "method": "darts"}, 2, state, records)
    original = path.read_bytes()

    def read() -> tuple:
        found = read_checkpoint(path, {"seed": 0, "method": "darts"}, state, np.arange(4), empty)
        if found is None:
            raise ValueError("Expected a whole checkpoint.")
        return found

    for _ in range(number):
        path.write_bytes(mutated(original, random))
        tally.attempt(read, lambda found: _is_same(found[0], state) and _is_same(found[1], records))
    return tally


class Journal:
    """A journal of a search with an evaluator, and what reading it again gives."""

    def __init__(self, folder: Path):
        self.bench = jn.benchmarks.EvaluatorBenchmark(SPACE, lambda arch: arch["width"] / 3 - arch["depth"])
        self.folder, self.path = folder, folder / JOURNAL_FILE
        nas = jn.NAS(SPACE, evaluator=self.bench.evaluator, strategy="random_search", folder=folder, progress=False)
        nas.search(9)
        self.lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        self.header = {name: value for name, value in self.lines[0].items() if name != CHECK}

    def read(self) -> list[dict]:
        """Returns the lines of the journal as the search takes them."""
        bench = journaled(self.bench, self.folder, self.header)
        bench.close()
        return bench._file.lines

    def is_equal(self, found: list[dict]) -> bool:
        """Returns whether lines are those that were written, but perhaps a last one that was cut."""
        written = [{name: value for name, value in line.items() if name != CHECK} for line in self.lines]
        return found in (written, written[:-1]) or (len(found) == 1 and found == written[:1])


def attack_journal(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of a journal changed; accepted only without a last line that was cut off, and never overwritten."""
    tally, journal = Tally("journal"), Journal(folder)
    original = journal.path.read_bytes()
    for _ in range(number):
        data = mutated(original, random)
        journal.path.write_bytes(data)
        tally.attempt(journal.read, lambda found, data=data: _is_prefix(found, data, journal))
    return tally


def _is_prefix(found: list[dict], data: bytes, journal: Journal) -> bool:
    """Returns whether lines are the first of those written, as many as the file had whole before it was cut."""
    written = [{name: value for name, value in line.items() if name != CHECK} for line in journal.lines]
    return found == written[: len(found)] and len(found) >= max(data.count(b"\n"), 1)


def attack_lines(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Values in a journal changed, its checksums made right again: never an exception but a line."""
    tally, journal = Tally("journal with honest checksums"), Journal(folder)
    lines = [{name: value for name, value in line.items() if name != CHECK} for line in journal.lines]
    for _ in range(number):
        position = int(random.integers(1, len(lines)))
        changed = [*lines[:position], with_other_value(lines[position], random), *lines[position + 1 :]]
        journal.path.write_bytes(_signed(changed))
        tally.attempt(journal.read, journal.is_equal)
    return tally


def _signed(lines: list[dict]) -> bytes:
    from jaxnas.search.loop.chained_lines import _checked_text

    check, texts = "", []
    for line in lines:
        text, check = _checked_text(line, check)
        texts.append(text)
    return b"".join(texts)


def attack_task(kind: str) -> Attack:
    """Returns the attack on bytes of a data file: an `.npz`, a `.csv`, a `.parquet`."""

    def attack(folder: Path, number: int, random: np.random.Generator) -> Tally:
        tally, path = Tally(f"task.{kind}"), folder / f"iris.{kind}"
        data = load_iris()
        if kind == "npz":
            np.savez_compressed(path, X=data.data, y=data.target)
        else:
            columns = {name: data.data[:, number] for number, name in enumerate(("a", "b", "c", "d"))}
            table = pa.table(columns | {"label": data.target})
            if kind == "csv":
                text = io.BytesIO()
                pa.csv.write_csv(table, text)
                path.write_bytes(text.getvalue())
            else:
                pq.write_table(table, path, write_page_checksum=True)
        original, expected = path.read_bytes(), task_from_file(path).sha256
        for _ in range(number):
            path.write_bytes(mutated(original, random))
            tally.attempt(lambda: task_from_file(path), lambda task: task.sha256 == expected)
        return tally

    return attack


def _saved(folder: Path) -> tuple[FittedModel, np.ndarray]:
    task = jn.task_from_arrays(*load_iris(return_X_y=True))
    space = jn.MLPSpace(max_layers=1, max_units=8)
    trainer = jn.Trainer(space, task, num_epochs=1)
    model = trainer.fit(space.arch_at(3))
    model.save(folder)
    return model, load_iris().data[:5]


def attack_model(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of any file of a saved model changed; `FittedModel.load`, and what it predicts."""
    tally, (model, examples) = Tally("model"), _saved(folder)
    expected = model.predict_proba(examples)
    originals = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    for trial in range(number):
        path = list(originals)[trial % len(originals)]
        path.write_bytes(mutated(originals[path], random) if originals[path] else b"x")
        tally.attempt(
            lambda: FittedModel.load(folder), lambda found: np.array_equal(found.predict_proba(examples), expected)
        )
        path.write_bytes(originals[path])
    return tally


def attack_description(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Parts of a model's description changed, its hash made right again."""
    tally, (model, examples) = Tally("model.json with an honest hash"), _saved(folder)
    expected = model.predict_proba(examples)
    original = json.loads((folder / MODEL_FILE).read_text())
    del original[HASH]
    for _ in range(number):
        found = with_other_value(original, random)
        (folder / MODEL_FILE).write_text(json.dumps({**found, HASH: _hash_of(found)}))
        tally.attempt(
            lambda: FittedModel.load(folder), lambda found: np.array_equal(found.predict_proba(examples), expected)
        )
    return tally


ATTACKS: dict[str, Attack] = {
    "surrogate": attack_surrogate,
    "surrogate_manifest": attack_surrogate_manifest,
    "pack": attack_pack,
    "proxies": attack_proxies,
    "checkpoint": attack_checkpoint,
    "table": attack_table,
    "manifest": attack_manifest,
    "parquet": attack_parquet,
    "shard": attack_shard,
    "journal": attack_journal,
    "lines": attack_lines,
    **{f"task.{kind}": attack_task(kind) for kind in ("npz", "csv", "parquet")},
    "model": attack_model,
    "description": attack_description,
    **summaries.ATTACKS,
}


def run(names: list[str], number: int, seed: int) -> list[dict]:
    """Returns the counts of attacks, and prints them."""
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of repeated examples, and of Orbax
            tally = ATTACKS[name](Path(folder), number, np.random.default_rng(seed))
        tally.show()
        rows.append(tally.row())
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", default=",".join(ATTACKS))
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = run(options.formats.split(","), options.number, options.seed)
    print(json.dumps({"number": options.number, "seed": options.seed, "attacks": rows}))


if __name__ == "__main__":
    main()
