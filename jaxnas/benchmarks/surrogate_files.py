"""The folder of a surrogate: arrays without pickles, a manifest with their hashes, a card."""

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnas import catalog
from jaxnas.array_files import Arrays, Like, check_arrays
from jaxnas.checks import first_line
from jaxnas.files import CARD_FILE, MANIFEST_FILE, replace_file
from jaxnas.predictors.surrogates import Surrogate
from jaxnas.spaces.base import Space
from jaxnas.strategies.parts.rungs import checked_fidelities
from jaxnas.tables.format import UNREADABLE, manifest_hash
from jaxnas.tables.records import NULL, NUMBER, POSITIVE, TEXT, Rows, check, one_of
from jaxnas.tables.shipped import SURROGATES, shipped_folder, shipped_ids

ARRAYS_FILE, REPORT_FILE = "surrogate.npz", "report.json"
KIND = "surrogate"
SCHEMA_VERSION = 2
_MANIFEST = {
    "id": TEXT,
    "space": {"name": TEXT, "num_architectures": NUMBER, "decisions": Rows({"name": TEXT, "values": [TEXT]}, least=1)},
    "fidelities": Rows(NUMBER, "fidelities", least=1),
    "metric": {"name": TEXT, "unit": TEXT, "better": one_of(1, -1)},
    "cost_unit": TEXT,
    "sizes": [TEXT],
    "prices": (Rows(POSITIVE, "fidelities"), NULL),
    "sample_prices": [[NUMBER]],
    "target": one_of("log-error", "score"),
    "optimum?": NUMBER,
    "worst?": NUMBER,
    "files": {ARRAYS_FILE: TEXT, CARD_FILE: TEXT, REPORT_FILE: TEXT},
}


def write(folder: str | os.PathLike, surrogate: Surrogate, manifest: dict[str, Any], card: str, report: dict) -> dict:
    """Writes a surrogate, its manifest last, and returns the manifest with the hashes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    arrays: dict[str, Any] = dict(flat(surrogate))
    np.savez(buffer, **arrays)
    files = {
        ARRAYS_FILE: buffer.getvalue(),
        CARD_FILE: card.encode(),
        REPORT_FILE: (json.dumps(report, indent=1, allow_nan=False) + "\n").encode(),
    }
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    manifest = manifest | {"kind": KIND, "schema_version": SCHEMA_VERSION, "files": hashes}
    manifest["content_hash"] = content_hash(surrogate, manifest)
    manifest["manifest_hash"] = manifest_hash(manifest)
    for name, data in files.items():
        replace_file(folder / name, data)
    replace_file(folder / MANIFEST_FILE, (json.dumps(manifest, indent=1, allow_nan=False) + "\n").encode())
    return manifest


def check_replaceable(folder: Path, manifest: dict[str, Any]) -> None:
    """Raises ValueError if a folder holds files that a surrogate would destroy: all but files of the same one."""
    found, same = None, ("id", "space", "fitted_to", "predictor", "seed")
    card = folder / CARD_FILE
    if card.exists() and "\nA surrogate of " not in card.read_text(encoding="utf-8", errors="replace"):
        found = f"{CARD_FILE}, which jaxnas did not write"
    elif (folder / MANIFEST_FILE).exists():
        try:
            before = read_files(folder)[1]
            found = next((f"a surrogate of another {name}" for name in same if before[name] != manifest[name]), None)
        except (ValueError, KeyError):
            found = f"{MANIFEST_FILE}, which is of no surrogate or was changed"
    if found:
        raise ValueError(
            f"Expected a folder to write {manifest['id']} into, got {folder} with {found}; give another by --out."
        )


def folder_of(source: str | os.PathLike) -> Path:
    """Returns the folder of a surrogate, given by a shipped identifier or by the folder itself."""
    return shipped_folder(SURROGATES) / source if source in shipped_ids(SURROGATES) else Path(source)


def is_surrogate(source: str | os.PathLike) -> bool:
    """Returns whether an identifier or a folder is a surrogate's, by its manifest."""
    folder = folder_of(source)
    try:
        found = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND


def read(folder: str | os.PathLike, space: Space | None = None) -> tuple[Space, Surrogate, dict[str, Any]]:
    """Returns the space, the arrays and the manifest of a surrogate, after checking its hashes.

    Raises ValueError if a file is missing or does not match the manifest.
    """
    surrogate, manifest = read_files(folder_of(folder))
    return _space_of(manifest, space), surrogate, manifest


def read_files(folder: Path) -> tuple[Surrogate, dict[str, Any]]:
    """Returns the arrays and the manifest of a surrogate. Raises ValueError as `read`."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        check(manifest, {"kind": one_of(KIND), "schema_version": one_of(1, SCHEMA_VERSION)} | _MANIFEST)
        checked_fidelities(manifest["fidelities"])
        has_hash = manifest["schema_version"] > 1 or "manifest_hash" in manifest
        if has_hash and manifest.get("manifest_hash") != manifest_hash(manifest):
            raise ValueError("a manifest that was changed")
        for name, expected in manifest["files"].items():
            if Path(name).name != name:
                raise ValueError(f"a file outside of it, {name!r}")
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                raise ValueError(f"{name} with another hash than the manifest's")
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        surrogate = unflattened(found)
        if content_hash(surrogate, manifest) != manifest.get("content_hash"):
            raise ValueError("arrays of another content_hash")
        check_arrays(found, _expected(manifest, found))
    except (OSError, *UNREADABLE, RecursionError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f"Expected {folder} to hold a surrogate, got: {first_line(error)}.") from None
    return surrogate, manifest


def _expected(manifest: dict[str, Any], arrays: Arrays) -> dict[str, Like]:
    """Returns the expected arrays of a surrogate: the widths within its network are its own."""
    num_inputs = sum(len(decision["values"]) for decision in manifest["space"]["decisions"])
    num_fidelities, num_components = len(manifest["fidelities"]), len(arrays["basis"])
    num_layers = sum(name.startswith("weights_") for name in arrays)
    widths = [num_inputs, *(arrays[f"bias_{number}"].size for number in range(num_layers - 1)), num_components]
    shapes: dict[str, tuple[int, ...]] = {f"bias_{number}": (widths[number + 1],) for number in range(num_layers)}
    shapes |= {f"weights_{number}": (widths[number], widths[number + 1]) for number in range(num_layers)}
    shapes |= {"basis": (num_components, num_fidelities + 1), "center": (num_fidelities + 1,), "interval": (3,)}
    shapes |= {"noise": (num_fidelities, 3), "shared": (num_fidelities,), "standard": (2,)}
    shapes["lines"] = (len(manifest["sizes"]) + num_fidelities, num_inputs + 1)
    return {name: Like(shape) for name, shape in shapes.items()}


def _space_of(manifest: dict[str, Any], space: Space | None) -> Space:
    described = manifest["space"]
    found = catalog.in_file(described["name"], catalog.SPACES) if space is None else space
    if found is None:
        raise ValueError(
            f"Expected space= for {manifest['id']}, since the catalog has no space of its name, got none for "
            f"{described['name']!r:.60}."
        )
    if found.description() != described:
        raise ValueError(f"Expected the space that {manifest['id']} was fitted to, got {found.name} of others.")
    return found


def flat(surrogate: Surrogate) -> dict[str, np.ndarray]:
    """Returns the arrays of a surrogate by name; arrays of layers as `weights_0`, `bias_0`, ..."""
    found: dict[str, np.ndarray] = {}
    for number, (weights, bias) in enumerate(surrogate.layers):
        found |= {f"weights_{number}": np.asarray(weights), f"bias_{number}": np.asarray(bias)}
    return found | {name: np.asarray(each) for name, each in surrogate._asdict().items() if name != "layers"}


def unflattened(arrays: dict[str, np.ndarray]) -> Surrogate:
    """Returns the surrogate of arrays that `flat` made. Raises KeyError if one is missing."""
    count = sum(name.startswith("weights_") for name in arrays)
    layers = [
        (jnp.asarray(arrays[f"weights_{number}"]), jnp.asarray(arrays[f"bias_{number}"])) for number in range(count)
    ]
    return Surrogate(layers, **{name: arrays[name] for name in Surrogate._fields if name != "layers"})


def content_hash(surrogate: Surrogate, manifest: dict[str, Any]) -> str:
    """Returns the SHA-256 of all inputs of answers: the arrays, and the parts of the manifest that queries read."""
    digest = hashlib.sha256()
    for name, values in sorted(flat(surrogate).items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    read_by_queries = {name: manifest[name] for name in ("space", "fidelities", "metric", "target", "prices")}
    digest.update(json.dumps(read_by_queries, sort_keys=True).encode())
    return digest.hexdigest()
