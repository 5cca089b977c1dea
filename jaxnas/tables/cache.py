"""Arrays of large tables, kept in the cache folder after a first check, so a table opens at once.

A table counts as checked as long as its files have the size and the time of change that they had then; `jaxnas verify`
reads the files themselves. The hash of the kept arrays is checked once a process. Tables of less
than `LARGE` bytes are read each time.
"""

from pathlib import Path

from jaxnas.array_files import SUFFIX, array_bytes, mapped
from jaxnas.files import CARD_FILE, MANIFEST_FILE, TABLE_FILE, replace_file
from jaxnas.tables.format import Contents, described_column

LARGE = 1 << 23


def kept_contents(folder: Path, manifest: dict) -> Contents | None:
    """Returns the kept arrays of a table, mapped from the disk; None if none of these files are kept."""
    kept = _path(folder, manifest)
    if kept is None or not kept.is_file():
        return None
    try:
        now = kept.stat()
        found = mapped(kept, now.st_size, now.st_mtime_ns)
        if found is None or found[0] != {"stamp": _stamp(folder)}:
            return None
        arrays = found[1]
        columns = {
            name: described_column(arrays[f"column {number}"], described)
            for number, (name, described) in enumerate(sorted(manifest["columns"].items()))
        }
        keys = {name: arrays[f"key {name}"] for name in manifest["keys"]}
        return Contents(keys, arrays["class_of"], arrays["representatives"], columns)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(folder: Path, manifest: dict, contents: Contents) -> None:
    """Keeps the arrays of a table that was checked. A failure to write is harmless."""
    kept = _path(folder, manifest)
    if kept is None:
        return
    arrays = {"class_of": contents.class_of, "representatives": contents.representatives}
    arrays |= {f"key {name}": array for name, array in contents.keys.items()}
    for number, name in enumerate(sorted(contents.columns)):
        arrays[f"column {number}"] = contents.columns[name].values
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace_file(kept, array_bytes({"stamp": _stamp(folder)}, arrays))
    except OSError:
        return


def _path(folder: Path, manifest: dict) -> Path | None:
    """Returns the path of a table's kept arrays; None if it is not large, or of an older schema."""
    import platformdirs

    path = folder / TABLE_FILE
    if not path.is_file() or path.stat().st_size < LARGE or manifest.get("schema_version") == 1:
        return None
    return platformdirs.user_cache_path("jaxnas") / "tables" / (str(manifest["manifest_hash"])[:40] + SUFFIX)


def _stamp(folder: Path) -> list:
    found = [(folder / name).resolve() for name in (TABLE_FILE, MANIFEST_FILE, CARD_FILE)]
    return [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in found]
