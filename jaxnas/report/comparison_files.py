"""Writing results into a folder, whole or not at all, and rewriting the pages from the files there."""

import contextlib
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas import __version__
from jaxnas.checks import first_line
from jaxnas.report import result_folder as folders
from jaxnas.report import schema
from jaxnas.report.figures import gallery
from jaxnas.report.page import page
from jaxnas.report.page.one_shot import one_shot_text
from jaxnas.report.page.search import search_text
from jaxnas.report.page.sessions import sessions_text
from jaxnas.report.result_folder import COMPARISON, ONE_SHOT, PAGE_FILE, SEARCH, SESSIONS, SUMMARY_FILE, TRIALS_FILE
from jaxnas.report.sentences import shown_points
from jaxnas.report.tables import write_overall_tables, write_tables
from jaxnas.report.templates import labeled
from jaxnas.simulation.trials import Trials

INDEX_LINK = f"../{PAGE_FILE}"
CHECKSUM, TABLES = "checksum", "tables"
_COMMANDS = {COMPARISON: "compare", SEARCH: "search", ONE_SHOT: "oneshot", SESSIONS: "report"}
_PAGES = {SEARCH: search_text, ONE_SHOT: one_shot_text, SESSIONS: sessions_text}
_FILES = {SEARCH: folders.SEARCH_FILES, ONE_SHOT: folders.ONE_SHOT_FILES, SESSIONS: ()}


def write_trials(folder: str | os.PathLike, trials: dict[str, Trials]) -> None:
    """Writes trials.npz, the `Trials` of each strategy."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for name, each in trials.items():
        for part, values in {**each.query._asdict(), **each.observation._asdict()}.items():
            arrays[f"{name}/{part}"] = values
    # np.savez_compressed compresses harder, which takes six times as long for a file that is a quarter smaller.
    with zipfile.ZipFile(folder / TRIALS_FILE, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)


def while_trials_are_written(
    folder: Path, trials: dict[str, Trials], result: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Returns the result of a function that is called while another thread writes trials.npz, which takes as long."""
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write_trials, folder, trials)
        found = result()
        written.result()
    return found


def write_result(
    folder: str | os.PathLike, result: Callable[[], dict[str, Any]], trials: dict[str, Trials], pdf: bool = False
) -> Path:
    """Returns the path of report.html, after writing it, summary.json, trials, figures and tables to a folder.

    They replace an earlier comparison there as a whole. `result` is called while trials are compressed. `pdf`: whether
    figures are PDF files, too. Raises ValueError if the folder has a file of such a name that
    jaxnas did not write.
    """
    folder = Path(folder)
    with folders.fresh_folder(folder) as fresh:
        found = while_trials_are_written(fresh, trials, result)
        _write_summary(fresh, found)
        _write_shown(fresh, folder, found, pdf)
        folders.publish(fresh, folder, COMPARISON)
    return folder / PAGE_FILE


def write_results(fresh: Path, folder: Path, results: Mapping[str, dict[str, Any]], pdf: bool = False) -> None:
    """Replaces the files in a folder by the results of several benchmarks, in a folder each, and those over all.

    `fresh` is from `fresh_folder`; the trials are there, in the folder of each benchmark.
    """
    for name, result in results.items():
        _write_summary(fresh / name, result)
        _write_shown(fresh / name, folder / name, result, pdf)
    _write_summary(fresh, _over_all(results))
    _write_index(fresh, results, pdf)
    folders.publish(fresh, folder, COMPARISON)


def write_search(folder: str | os.PathLike, summary: dict[str, Any], files: Mapping[str, bytes]) -> Path:
    """Returns the path of report.html of a search, after writing it, summary.json and other files to a folder.

    They replace the files of an earlier search there. `summary["kind"]` is the kind of search. Raises ValueError
    as `write_result` does.
    """
    folder, kind = Path(folder), summary["kind"]
    with folders.fresh_folder(folder) as fresh:
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        _write_summary(fresh, summary)
        (fresh / PAGE_FILE).write_text(_PAGES[kind](summary), encoding="utf-8")
        folders.publish(fresh, folder, kind)
    return folder / PAGE_FILE


def check_names(names: Iterable[str]) -> None:
    """Raises ValueError if identifiers of benchmarks cannot be the names of a folder each."""
    names = list(names)
    for name in names:
        if not folders.is_plain(name):
            raise ValueError(f"Expected benchmarks whose identifiers can name folders, got {name!r}.")
        if names.count(name) > 1:
            raise ValueError(f"Expected benchmarks of different identifiers, got {name} twice.")


def write_again(folder: str | os.PathLike, pdf: bool = False) -> Path:
    """Returns the path of the page of a comparison, after rewriting it; with the pages of its tables, if several.

    Figures and tables are rewritten, too: as PDF if asked for, or if there are PDF files. Raises ValueError if the
    folder holds no comparison, RuntimeError if it is replaced meanwhile.
    """
    folder = Path(folder)
    kind = _part_of(folder, "kind")
    if kind in _FILES:
        return _write_search_again(folder, kind)
    pdf = pdf or bool([*folder.glob("*.pdf"), *folder.glob("*/*.pdf")])
    _check_single(folder)
    results = _results_of(folder)
    kept = [f"{name}/{file}" for name in results for file in (SUMMARY_FILE, TRIALS_FILE)] if results else [TRIALS_FILE]
    summaries = [SUMMARY_FILE, *(f"{name}/{SUMMARY_FILE}" for name in results)]
    made_from = {name: (folder / name).read_bytes() for name in summaries if (folder / name).is_file()}
    every = results or {"": read_summary(folder)}
    with folders.fresh_folder(folder) as fresh:
        with _refused(folder / SUMMARY_FILE, COMPARISON):
            for name, result in every.items():
                (fresh / name).mkdir(exist_ok=True)
                _write_shown(fresh / name, folder / name, result, pdf)
            if results:
                _write_index(fresh, results, pdf)
        there = [name for name in (SUMMARY_FILE, *kept) if (folder / name).is_file()]
        folders.publish(fresh, folder, COMPARISON, there, made_from)
    return folder / PAGE_FILE


def _write_search_again(folder: Path, kind: str) -> Path:
    content = (folder / SUMMARY_FILE).read_bytes()
    summary = read_summary(folder, kind)
    kept = [name for name in (SUMMARY_FILE, *_FILES[kind]) if (folder / name).is_file()]
    with _refused(folder / SUMMARY_FILE, kind):
        text = _PAGES[kind](summary)
    with folders.fresh_folder(folder) as fresh:
        (fresh / PAGE_FILE).write_text(text, encoding="utf-8")
        folders.publish(fresh, folder, kind, kept, {SUMMARY_FILE: content})
    return folder / PAGE_FILE


@contextlib.contextmanager
def _refused(path: Path, kind: str) -> Iterator[None]:
    """Raises ValueError if no page can be made of a summary: its checksum fits, or it has none, but it is not ours."""
    try:
        yield
    except OSError:  # of the disk
        raise
    except Exception as error:
        raise _no_summary(path, kind, first_line(error)) from error


def _part_of(folder: Path, name: str) -> Any:
    """Returns a part of the summary in a folder; None if there is none, or no such file."""
    try:
        return _read(folder / SUMMARY_FILE).get(name)
    except (OSError, ValueError, RecursionError):
        return None


def read_summary(folder: str | os.PathLike, kind: str = COMPARISON) -> dict[str, Any]:
    """Returns the dictionary of the summary.json in a folder, of a comparison or, by `kind`, of a kind of search.

    Raises ValueError if there is none, it is not one of ours, or its content does not fit its checksum.
    """
    path = Path(folder) / SUMMARY_FILE
    try:
        found = _read(path, needs_checksum=kind != COMPARISON)
        return schema.checked(found) if kind == COMPARISON else found
    except (OSError, ValueError, RecursionError) as error:
        raise _no_summary(path, kind, first_line(error)) from None


def _no_summary(path: Path, kind: str, got: str) -> ValueError:
    return ValueError(f"Expected {path} as `jaxnas {_COMMANDS[kind]}` writes it, got: {got}.")


def _read(path: Path, needs_checksum: bool = False) -> dict[str, Any]:
    """Returns the content of a summary without its checksum. Raises ValueError if the checksum does not fit.

    Version 0.1 wrote comparisons without one.
    """
    result = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    if not isinstance(result, dict):
        raise ValueError(f"expected a dictionary, got {type(result).__name__}")
    json.dumps(result, allow_nan=False)  # raises ValueError on infinity, as which 1e999 is read
    found = result.pop(CHECKSUM, None)
    if found != checksum(result) and (needs_checksum or found is not None):
        raise ValueError(f"its content was changed since, and does not fit its {CHECKSUM}")
    _check_version(result)
    return result


def _no_number(text: str) -> float:
    raise ValueError(f"expected numbers, got {text}")


def checksum(result: dict[str, Any]) -> str:
    """Returns the SHA-256 of the content of a summary, however its file is laid out."""
    text = json.dumps({key: value for key, value in result.items() if key != CHECKSUM}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_version(result: dict[str, Any]) -> None:
    versions = result.get("versions")
    found = versions.get("jaxnas") if isinstance(versions, dict) else None
    if isinstance(found, str) and _release(found) > _release(__version__):
        raise ValueError(f"results of jaxnas {found[:20]}, newer than this jaxnas, {__version__}: update it")


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]{1,9}", version)[:3])


def _check_single(folder: Path) -> None:
    """Raises ValueError if a folder holds two comparisons, one on a table and one on several, as 0.1 left them."""
    parts = [part.name for part in folders.parts_of(folder)]
    if not (folder / SUMMARY_FILE).is_file() or not parts or _part_of(folder, TABLES) is not None:
        return
    if not (folder / folders.NOTE).exists():
        raise ValueError(
            f"Expected one comparison in {folder}, got one on a table and one on {', '.join(sorted(parts))}: "
            "make the page of the one that you want from its own folder, or compare again."
        )


def _results_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the results of each benchmark in the folder of a comparison on several, by their names; else none."""
    has_summary = (folder / SUMMARY_FILE).is_file()
    if has_summary and _part_of(folder, TABLES) is None:
        return {}
    # Names in a file are looked up among the folders that are there: they are never paths.
    parts = {part.name: part for part in folders.parts_of(folder)}
    if has_summary:
        hashes = _part_of(folder, TABLES)
        names = list(hashes) if isinstance(hashes, dict) else []
    else:
        latest = max(parts.values(), key=lambda part: (part / SUMMARY_FILE).stat().st_mtime_ns, default=None)
        over_all = read_summary(folder if latest is None else latest).get("overall")
        names, hashes = ([], {}) if over_all is None else (over_all["benchmarks"], {})
    if not names or not set(names) <= set(parts):
        raise ValueError(f"Expected {folder} as `jaxnas compare` on several tables writes it, got a folder without.")
    results = {name: read_summary(parts[name]) for name in names}
    for name, result in results.items():
        if hashes.get(name, checksum(result)) != checksum(result) or "overall" not in result:
            raise ValueError(f"Expected {parts[name]} as {folder} has it, got the results of another comparison.")
    return results


def _over_all(results: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns the summary over several benchmarks: their ranks, their common settings, and their hashes."""
    first = next(iter(results.values()))
    shared = ("objective", "metric", "cost_unit", "num_runs", "num_trials", "seed", "prng", "versions", "command")
    hashes = {name: checksum(result) for name, result in results.items()}
    return {"overall": first["overall"], **{key: first[key] for key in shared if key in first}, TABLES: hashes}


def _write_summary(fresh: Path, result: dict[str, Any]) -> None:
    text = json.dumps({**result, CHECKSUM: checksum(result)}, indent=1) + "\n"
    (fresh / SUMMARY_FILE).write_text(text, encoding="utf-8")


def _write_shown(fresh: Path, folder: Path, result: dict[str, Any], pdf: bool) -> None:
    """Writes the page, the figures and the tables of a result to a fresh folder, for them to stand in another."""
    shown = gallery.figures_of(result)
    gallery.write_figures(fresh, result, shown, pdf)
    write_tables(fresh, result, shown_points(result))
    drawn = {name: {"caption": each.caption, "svg": _image(fresh, name, each.title)} for name, each in shown.items()}
    index = INDEX_LINK if "overall" in result else None
    text = page.page_text(result, drawn, index, _explorer(folder, result["benchmark"]))
    (fresh / PAGE_FILE).write_text(text, encoding="utf-8")


def _write_index(fresh: Path, results: Mapping[str, dict[str, Any]], pdf: bool) -> None:
    """Writes the page, the diagram and the tables over several results."""
    over_all = {"overall": next(iter(results.values()))["overall"]}
    shown = gallery.overall_figures_of(over_all)
    gallery.write_figures(fresh, over_all, shown, pdf)
    write_overall_tables(fresh, list(results.values()))
    (fresh / PAGE_FILE).write_text(page.index_text(dict(results)), encoding="utf-8")


def _image(fresh: Path, name: str, title: str) -> str:
    text = (fresh / f"{name}.svg").read_text(encoding="utf-8")
    return labeled(re.sub(r"^.*?(?=<svg)", "", text, flags=re.DOTALL), title, prefix=name)


def _explorer(folder: Path, benchmark: str) -> str | None:
    """Returns the link from a page to the explorer of its table, in the same folder or in one of the two above it."""
    if not folders.is_plain(benchmark):
        return None
    links = [f"{above}explore-{benchmark}.html" for above in ("", "../", "../../")]
    return next((link for link in links if (folder / link).is_file()), None)
