"""The folder of a surrogate: arrays without pickles, a manifest with their hashes, a card."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnas.checks import first_line
from jaxnas.files import CARD_FILE, MANIFEST_FILE, replace_file
from jaxnas.predictors.surrogates import Surrogate
from jaxnas.spaces.base import Space
from jaxnas.spaces.named import space_named
from jaxnas.tables.shipped import SURROGATES, shipped_folder, shipped_ids

ARRAYS_FILE, REPORT_FILE = "surrogate.npz", "report.json"
KIND = "surrogate"
SCHEMA_VERSION = 1
NEEDED = ("id", "space", "fidelities", "metric", "cost_unit", "sizes", "prices", "sample_prices", "target", "files")


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
    for name, data in files.items():
        replace_file(folder / name, data)
    replace_file(folder / MANIFEST_FILE, (json.dumps(manifest, indent=1, allow_nan=False) + "\n").encode())
    return manifest


def folder_of(source: str | os.PathLike) -> Path:
    """Returns the folder of a surrogate, given by a shipped identifier or by the folder itself."""
    return shipped_folder(SURROGATES) / source if source in shipped_ids(SURROGATES) else Path(source)


def is_surrogate(source: str | os.PathLike) -> bool:
    """Returns whether an identifier or a folder is that of a surrogate, by its manifest."""
    folder = folder_of(source)
    try:
        found = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND


def read(folder: str | os.PathLike, space: Space | None = None) -> tuple[Space, Surrogate, dict[str, Any]]:
    """Returns the space, the arrays and the manifest of a surrogate, after checking its hashes.

    Raises ValueError where a file is missing or is not what the manifest says.
    """
    folder = folder_of(folder)
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        missing = [name for name in NEEDED if name not in manifest]
        if manifest.get("kind") != KIND or manifest.get("schema_version") != SCHEMA_VERSION or missing:
            raise ValueError(f"a manifest without {missing[0]}" if missing else "another kind of manifest")
        for name, expected in manifest["files"].items():
            if Path(name).name != name:
                raise ValueError(f"a file outside of it, {name!r}")
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                raise ValueError(f"{name} with another hash than the manifest's")
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as arrays:
            surrogate = unflattened({name: arrays[name] for name in arrays.files})
        if content_hash(surrogate, manifest) != manifest.get("content_hash"):
            raise ValueError("arrays of another content_hash")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"Expected {folder} to hold a surrogate, got: {first_line(error)}.") from None
    return _space_of(manifest, space), surrogate, manifest


def _space_of(manifest: dict[str, Any], space: Space | None) -> Space:
    described = manifest["space"]
    found = space_named(described["name"]) if space is None else space
    if found.description() != described:
        raise ValueError(f"Expected the space that {manifest['id']} was fitted to, got {found.name} of others.")
    return found


def flat(surrogate: Surrogate) -> dict[str, np.ndarray]:
    """Returns the arrays of a surrogate by name; those of layers as `weights_0`, `bias_0`, ..."""
    found: dict[str, np.ndarray] = {}
    for number, (weights, bias) in enumerate(surrogate.layers):
        found |= {f"weights_{number}": np.asarray(weights), f"bias_{number}": np.asarray(bias)}
    return found | {name: np.asarray(each) for name, each in surrogate._asdict().items() if name != "layers"}


def unflattened(arrays: dict[str, np.ndarray]) -> Surrogate:
    """Returns the surrogate of arrays that `flat` made. Raises KeyError where one is missing."""
    count = sum(name.startswith("weights_") for name in arrays)
    layers = [
        (jnp.asarray(arrays[f"weights_{number}"]), jnp.asarray(arrays[f"bias_{number}"])) for number in range(count)
    ]
    return Surrogate(layers, **{name: arrays[name] for name in Surrogate._fields if name != "layers"})


def content_hash(surrogate: Surrogate, manifest: dict[str, Any]) -> str:
    """Returns the SHA-256 of what answers depend on: the arrays, and the parts of the manifest that queries read."""
    digest = hashlib.sha256()
    for name, values in sorted(flat(surrogate).items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    read_by_queries = {name: manifest[name] for name in ("space", "fidelities", "metric", "target", "prices")}
    digest.update(json.dumps(read_by_queries, sort_keys=True).encode())
    return digest.hexdigest()
