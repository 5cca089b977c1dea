"""Tables: every score of a search space on a task, as Parquet with a manifest and a card. Needs NumPy and PyArrow
only.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxnas.tables.files import replace_file

SCHEMA_VERSION = 1
SPLITS = ("train", "validation", "test")
TABLE_FILE, MANIFEST_FILE, CARD_FILE = "table.parquet", "manifest.json", "README.md"


_CURVES = (*SPLITS, "loss")
_FIRST_STEP = ("first_loss", "first_gradient_norm")


@dataclass(frozen=True, eq=False)
class Table:
    """The scores of a search space: G classes of A architectures, S seeds, F fidelities.

    Attributes:
        manifest: what the numbers are: space, task, metric, training, versions, hashes (see `write`).
        class_of: for each architecture in `index` order the number of its class, int32[A].
        representatives: for each class the row of the architecture that was trained, int32[G], ascending.
        num_parameters, num_flops: of the network of each class, int64[G]; None where not known.
        validation, test, train: [G, S, F]: integers are counts of correct images, floats are metric values; train
            may be None.
        loss: mean training loss, float32[G, S, F], not finite from the epoch on in which a training failed; None
            where not known.
        first_loss, first_gradient_norm: of the first step, float32[G, S]; None where not known.
        trained: which classes have been trained, bool[G].
    """

    manifest: dict
    class_of: np.ndarray
    representatives: np.ndarray
    num_parameters: np.ndarray | None
    num_flops: np.ndarray | None
    validation: np.ndarray
    test: np.ndarray
    train: np.ndarray | None
    loss: np.ndarray | None
    first_loss: np.ndarray | None
    first_gradient_norm: np.ndarray | None
    trained: np.ndarray

    @property
    def id(self) -> str:
        """Returns the table's identifier, `<space>-<task>-v<N>`."""
        return self.manifest["id"]

    @property
    def num_architectures(self) -> int:
        """Returns A."""
        return len(self.class_of)

    @property
    def num_seeds(self) -> int:
        """Returns S."""
        return self.validation.shape[1]

    @property
    def fidelities(self) -> list[int]:
        """Returns the epochs that the F fidelities stand for, ascending."""
        return list(self.manifest["fidelities"])

    def scores(self, split: str) -> np.ndarray:
        """Returns the metric of a split, float32[G, S, F]: the proportion of correct images for counts.

        NaN for failed or missing trainings.
        """
        values = getattr(self, split)
        if values is None:
            raise ValueError(f"Expected a split that {self.id} has scores of, got {split!r}.")
        if np.issubdtype(values.dtype, np.integer):
            values = values / np.float32(self.manifest["metric"]["denominators"][split])
        return np.where(self.succeeded(), values.astype(np.float32), np.float32(np.nan))

    def succeeded(self) -> np.ndarray:
        """Returns where there is a score: the class was trained, and its loss was finite by then. bool[G, S, F]."""
        succeeded = np.broadcast_to(self.trained[:, None, None], self.validation.shape)
        return succeeded if self.loss is None else succeeded & np.isfinite(self.loss)

    @staticmethod
    def read(source: str | os.PathLike) -> "Table":
        """Returns the table of an identifier, or of a folder, after checking its hashes.

        Raises:
            ValueError: where there is no such table, or a file is missing, unreadable or not what the manifest says.
        """
        folder = find(source)
        problems = check_files(folder)
        if problems:
            raise ValueError(problems[0])
        manifest = read_manifest(folder)
        table = _from_columns(manifest, _read_columns(folder))
        if content_hash(table) != manifest["content_hash"]:
            raise ValueError(f"Expected the arrays of {folder} to have the content_hash of its manifest, got others.")
        return table

    @staticmethod
    def from_arrays(
        space, task, validation, test, fidelities: Sequence[int], num_images: int | dict[str, int] | None = None
    ) -> "Table":
        """Returns a table of one's own scores, every architecture a class of its own.

        Args:
            space: a search space; its `index` order is that of the scores.
            task: a Task, or a name.
            validation, test: [A, S, F]; floats are metric values (larger is better), integers are counts of correct
                images.
            fidelities: the epochs of the F columns, ascending.
            num_images: the images behind counts, one number or one for each split, `{"validation": n, "test": m}`.

        Raises:
            ValueError: where the arguments do not fit together.
        """
        scores = {"validation": np.asarray(validation), "test": np.asarray(test)}
        size = space.num_architectures
        for split, values in scores.items():
            if values.ndim != 3 or values.shape[0] != size or values.shape[2] != len(fidelities):
                raise ValueError(f"Expected {split} of shape [{size}, S, {len(fidelities)}], got {list(values.shape)}.")
        if scores["validation"].shape != scores["test"].shape:
            raise ValueError(
                f"Expected validation and test of one shape, got {[list(v.shape) for v in scores.values()]}."
            )
        _check_ascending(fidelities)
        counts = [np.issubdtype(values.dtype, np.integer) for values in scores.values()]
        if any(counts) and num_images is None:
            raise ValueError("Expected num_images beside counts (integers); pass floats for metric values.")
        images = num_images if isinstance(num_images, dict) else dict.fromkeys(scores, num_images)
        manifest = base_manifest(
            space, task, fidelities, range(scores["test"].shape[1]), images if any(counts) else None
        )
        rows = np.arange(size, dtype=np.int32)
        arrays = {
            split: values if is_count else values.astype(np.float32)
            for (split, values), is_count in zip(scores.items(), counts, strict=True)
        }
        return Table(
            manifest,
            rows,
            rows,
            None,
            None,
            arrays["validation"],
            arrays["test"],
            None,
            None,
            None,
            None,
            np.ones(size, bool),
        )


def base_manifest(space, task, fidelities, seeds, num_images: dict[str, int] | None) -> dict:
    """Returns the part of a manifest that every table has.

    `num_images` holds the denominators of counts, None for metric values.
    """
    name = task if isinstance(task, str) else task.name
    return {
        "schema_version": SCHEMA_VERSION,
        "id": f"{space.name}-{name}",
        "space": describe_space(space),
        "task": {"name": name, "sha256": None if isinstance(task, str) else task.sha256},
        "metric": {
            "name": "accuracy",
            "unit": "proportion",
            "higher_is_better": True,
            "denominators": num_images,
        },
        "fidelities": [int(epoch) for epoch in fidelities],
        "seeds": [int(seed) for seed in seeds],
    }


def describe_space(space) -> dict:
    """Returns a space as a manifest holds it: its name and its decisions with the names of their values."""
    decisions = [
        {"name": decision.name, "values": [str(value) for value in decision.values]} for decision in space.decisions
    ]
    return {"name": space.name, "num_architectures": space.num_architectures, "decisions": decisions}


def _check_ascending(fidelities: Sequence[int]) -> None:
    if not len(fidelities) or any(later <= earlier for earlier, later in itertools.pairwise(fidelities)):
        raise ValueError(f"Expected ascending fidelities, got {list(fidelities)}.")


def shipped_folder() -> Path:
    """Returns the folder of the tables that ship with the package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "tabular"
    return inside if inside.is_dir() else package.parent / "tabular"


def shipped_ids() -> list[str]:
    """Returns the identifiers of the tables that ship with the package."""
    return sorted(path.parent.name for path in shipped_folder().glob(f"*/{MANIFEST_FILE}"))


def find(source: str | os.PathLike) -> Path:
    """Returns the folder of a table, given by the folder itself or by a shipped identifier.

    Raises ValueError where there is none.
    """
    for folder in (Path(source), shipped_folder() / str(source)):
        if (folder / MANIFEST_FILE).is_file():
            return folder
    import difflib

    known = shipped_ids()
    near = difflib.get_close_matches(str(source), known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise ValueError(
        f"Expected a table of {', '.join(known)}, or a folder with a {MANIFEST_FILE}, got {str(source)!r}{hint}"
    )


def check_files(folder: Path) -> list[str]:
    """Returns what is wrong with a table's files: a line for each that is missing or not what the manifest says."""
    try:
        manifest = read_manifest(folder)
    except ValueError as error:
        return [str(error)]
    problems = []
    if (folder / MANIFEST_FILE).read_bytes() != _manifest_bytes(manifest):
        problems.append(f"Expected {folder / MANIFEST_FILE} as it was written, got a file that was changed.")
    for name, expected in manifest["files"].items():
        path = folder / name
        found = _sha256(path.read_bytes()) if path.is_file() else "no file"
        if found != expected:
            problems.append(
                f"Expected {path} with SHA-256 {expected[:12]}, got {found[:12]}: changed, truncated or missing."
            )
    return problems


def write(table: Table, folder: str | os.PathLike, card: str) -> Table:
    """Writes a table with its manifest and card into a folder, and returns it with the manifest completed by hashes.

    The manifest holds: schema_version, id, space, task (name and SHA-256 of its arrays), metric (name, unit,
    direction, denominators of counts), fidelities, seeds, what a build adds (training configuration, plan, versions,
    machine, commit, licence), content_hash (over the arrays, not over the file), files (SHA-256 of each other file)
    and manifest_hash.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / TABLE_FILE, _parquet_bytes(table))
    replace_file(folder / CARD_FILE, card.encode())
    files = {name: _sha256((folder / name).read_bytes()) for name in (TABLE_FILE, CARD_FILE)}
    manifest = {**table.manifest, "content_hash": content_hash(table), "files": files}
    manifest["manifest_hash"] = _manifest_hash(manifest)
    replace_file(folder / MANIFEST_FILE, _manifest_bytes(manifest))
    return Table(**{**vars(table), "manifest": manifest})


def content_hash(table: Table) -> str:
    """Returns the SHA-256 of a table's arrays in fixed order and byte order.

    It does not depend on how the file is laid out.
    """
    digest = hashlib.sha256()
    for name in ("class_of", "representatives", "trained", "num_parameters", "num_flops", *_CURVES, *_FIRST_STEP):
        array = getattr(table, name)
        if array is None:
            continue
        kind = "<f4" if np.issubdtype(array.dtype, np.floating) else "<i8"
        digest.update(f"{name} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array, kind).tobytes())
    return digest.hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _manifest_hash(manifest: dict) -> str:
    return _sha256(
        json.dumps({key: manifest[key] for key in manifest if key != "manifest_hash"}, sort_keys=True).encode()
    )


def _manifest_bytes(manifest: dict) -> bytes:
    return (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()


def read_manifest(folder: Path) -> dict:
    """Returns the manifest of a table's folder. Raises ValueError where it is missing, unreadable or changed."""
    path = folder / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["manifest_hash"] != _manifest_hash(manifest):
            raise ValueError("its hash does not match")
        if manifest["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {manifest['schema_version']}")
        return manifest
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"Expected {path} to be a manifest of schema version {SCHEMA_VERSION}, got: {error}."
        ) from None


def _parquet_bytes(table: Table) -> bytes:
    """Returns the table as a Parquet file, one row an architecture.

    Scores stand in the row of the class's representative, lists of S * F values, and are null elsewhere.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"class": pa.array(table.representatives[table.class_of], pa.int32())}
    for name in ("num_parameters", "num_flops"):
        values = getattr(table, name)
        if values is not None:
            columns[name] = pa.array(values[table.class_of], pa.int64())
    present = np.zeros(table.num_architectures, bool)
    present[table.representatives[table.trained]] = True
    for name in (*_CURVES, *_FIRST_STEP):
        values = getattr(table, name)
        if values is not None:
            columns[name] = _list_column(values[table.trained], present)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd", compression_level=12, write_statistics=False)
    return sink.getvalue().to_pybytes()


def _list_column(values: np.ndarray, present: np.ndarray):
    """Returns an Arrow column of lists: row i of `values` for the i-th present row, null for the others."""
    import pyarrow as pa

    if np.issubdtype(values.dtype, np.integer):
        kind = pa.uint16() if values.size == 0 or values.max() < 1 << 16 else pa.int32()
    else:
        kind = pa.float32()
    width = int(np.prod(values.shape[1:]))
    offsets = np.concatenate([[0], np.cumsum(present) * width]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1), kind), mask=pa.array(~present))


def _read_columns(folder: Path) -> dict:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(folder / TABLE_FILE).read()  # read_table would load pandas
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(
            f"Expected {folder / TABLE_FILE} to be a Parquet file, got: {str(error).splitlines()[0]}"
        ) from None
    return {name: table.column(name).combine_chunks() for name in table.column_names}


def _values(column) -> np.ndarray:
    """Returns the values of an Arrow array without nulls; Arrow's own ways would load pandas."""
    name = str(column.type)
    buffer = np.frombuffer(column.buffers()[-1], "float32" if name == "float" else name)
    return buffer[column.offset : column.offset + len(column)]


def _from_columns(manifest: dict, columns: dict) -> Table:
    representatives, class_of = np.unique(_values(columns["class"]), return_inverse=True)
    trained = np.diff(_values(columns["validation"].offsets))[representatives] > 0
    num_seeds, num_fidelities = len(manifest["seeds"]), len(manifest["fidelities"])

    def curve(name, *shape):
        if name not in columns:
            return None
        values = _values(columns[name].flatten())
        whole = np.zeros((len(representatives), *shape), values.dtype)
        whole[trained] = values.reshape(-1, *shape)
        return whole

    def scalar(name):
        return _values(columns[name])[representatives] if name in columns else None

    return Table(
        manifest,
        class_of.astype(np.int32),
        representatives.astype(np.int32),
        scalar("num_parameters"),
        scalar("num_flops"),
        **{name: curve(name, num_seeds, num_fidelities) for name in _CURVES},
        **{name: curve(name, num_seeds) for name in _FIRST_STEP},
        trained=trained,
    )
