"""A column pack of proxies: every class of a space, scored in parts that a later call takes up."""

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np

from jaxnas import catalog
from jaxnas.array_files import SUFFIX, Arrays, Like, array_bytes, read_arrays, set_aside
from jaxnas.execution.base import Executor
from jaxnas.execution.executors import executor
from jaxnas.files import remove_leftovers, replace_file
from jaxnas.predictors.zero_cost.named import proxy_named
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.predictors.zero_cost.scores import (
    AZ,
    CHUNK,
    NUM_INITS,
    Setting,
    az_scores,
    chunk_scores,
    compiled,
    has_az,
    pass_scores,
    proxies_of,
    setting_of,
)
from jaxnas.predictors.zero_cost.sizes import SIZES
from jaxnas.provenance import git_commit, versions
from jaxnas.spaces.base import Space
from jaxnas.spaces.enumerated import MAX_ENUMERABLE
from jaxnas.tables.columns import INITIALIZATIONS, Column
from jaxnas.tables.manifest import SCHEMA_VERSION, keys_of
from jaxnas.tables.overwriting import check_table_replaceable
from jaxnas.tables.table import Table, write
from jaxnas.tasks.base import Task
from jaxnas.training.trainer import Trainer

SIZE_COLUMNS = {"params": "zero_params", "flops": "zero_flops"}
"""New names of columns that tables of scores also have, perhaps for another task."""
VERSION = 2
"""Of the numbers, in the names of packs; scores of chunks of another version are computed again."""
PLACES = 16
"""Binary places that scores keep, 5 digits: the rest is noise that would not compress."""


def default_id(space: Space, task: Task) -> str:
    """Returns the default identifier of a pack."""
    return f"{space.name}-{task.name}-proxies-v{VERSION}"


def build_pack(
    space: Space,
    task: Task,
    folder: str | os.PathLike,
    names: str | Sequence[str] = "all",
    *,
    num_inits: int = NUM_INITS,
    batch_size: int | None = None,
    seed: int = 0,
    pack_id: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    ray: str | None = None,
) -> Table:
    """Returns the column pack of proxies of every class of a space on a task, written to a folder; a call after an
    interruption resumes.

    A column [classes, initializations] for each proxy, which `jn.load(table, columns=[folder])` joins to a table of the
    space; its mean over initializations is then a size of that name. The number of parameters and of
    multiply-accumulates are `zero_params` and `zero_flops`.

    Args:
        names, num_inits, batch_size, seed: as in `proxy_scores`.
        pack_id: the pack's identifier; by default the result of `default_id`.
        progress: called with the numbers of scores done and of all, by pass and class, and the name of the pass.
        ray: the address of a Ray cluster that computes scores, `host:port` or `"auto"`; `"local"`: Ray on this
            machine; None: this process.

    Raises:
        ValueError: on unknown names, or a space or task that cannot be scored or enumerated.
        RuntimeError: if the cluster cannot be reached, or a task on it fails.
    """
    check_enumerable(space)
    setting = setting_of(space, task, num_inits=num_inits, batch_size=batch_size, seed=seed)
    proxies = proxies_of(names, type(setting.networks))
    rows, class_of = np.unique(space.classes(), return_inverse=True)
    sources = list(dict.fromkeys(proxy.source for proxy in proxies.values()))
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    total, done = len(rows) * len(sources), 0
    shards = Path(folder) / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    parts: dict[str, dict[int, np.ndarray]] = {name: {} for name in proxies}
    known = {name: proxy_named(name) for name in catalog.PROXIES} | proxies
    with contextlib.closing(executor(ray)) as where:
        computed_on = where.machine()
        for source in sources:
            own = {name: proxy for name, proxy in known.items() if proxy.source is source}  # one pass gives all of them
            for number, found in _each_chunk(setting, source, own, chunks, shards, None if ray is None else where):
                for name in own.keys() & proxies.keys():
                    parts[name][number] = found[name]
                done += len(chunks[number])
                if progress:
                    progress(done, total, source.name)
    remove_leftovers(shards)
    scores = {name: np.concatenate([each for _, each in sorted(parts[name].items())]) for name in proxies}
    if has_az(names, proxies):
        scores[AZ] = az_scores(scores)
    table = _table(setting, scores, proxies, rows, class_of, pack_id or default_id(space, task))
    table.manifest.update(machine=computed_on, licence=task.license, proxies=_recipe(setting))
    check_table_replaceable(Path(folder), table)
    return write(table, folder, _card(table, task, setting))


def check_enumerable(space: Space) -> None:
    """Raises ValueError if a space has too many architectures for a pack of all of them."""
    if space.num_architectures > MAX_ENUMERABLE:
        raise ValueError(
            f"Expected a space of at most {MAX_ENUMERABLE:,} architectures for a pack of all of them, got {space.name} "
            f"of {space.num_architectures:,}; jn.proxies.proxy_scores scores a sample."
        )


def _each_chunk(
    setting: Setting,
    source: Pass,
    proxies: Mapping[str, Proxy],
    chunks: Sequence[np.ndarray],
    shards: Path,
    cluster: Executor | None,
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yields the number and the scores of each chunk of rows: of those with a shard, then of the others, computed."""
    names = [f"{source.name}-{_name(setting, proxies, chunk)}" for chunk in chunks]
    missing: dict[int, np.ndarray] = {}
    for number, (name, chunk) in enumerate(zip(names, chunks, strict=True)):
        stored = _read(shards, name, proxies, (len(chunk), len(setting.keys)))
        if stored is None:
            set_aside(_path(shards, name), f"its {len(chunk)} classes are scored again")
            missing[number] = np.asarray(setting.trainer.space.arch_at(chunk))
        else:
            yield number, stored
    for number, found in _computed(setting, source, proxies, missing, cluster):
        replace_file(_path(shards, names[number]), array_bytes({"scores": names[number]}, found))
        yield number, found


def _computed(
    setting: Setting,
    source: Pass,
    proxies: Mapping[str, Proxy],
    missing: dict[int, np.ndarray],
    cluster: Executor | None,
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yields the scores of chunks of architectures by their numbers: in order here, of a cluster as they come."""
    if not missing:
        return
    if cluster is None or source is SIZES:  # which are counted, not computed
        yield from zip(missing, pass_scores(setting, source, proxies, list(missing.values()), size=CHUNK), strict=True)
        return
    scorer = Scorer(setting.trainer, setting.choices, source, proxies)
    calls = ((number, (archs,)) for number, archs in missing.items())
    with contextlib.closing(cluster.map(Scorer.scores, scorer, calls, len(missing))) as results:
        for number, ended in results:
            if ended.failure:
                raise RuntimeError(
                    f"Expected every worker to finish, got: {ended.failure}; run the same command again to resume."
                )
            yield number, ended.value


class Scorer:
    """A pass for architectures in another process; it is compiled once there."""

    def __init__(self, trainer: Trainer, choices: dict[str, int], source: Pass, proxies: Mapping[str, Proxy]):
        self.trainer, self.choices, self.source, self.proxies = trainer, choices, source, proxies

    @functools.cached_property
    def _setting(self) -> Setting:
        return setting_of(self.trainer.space, self.trainer.task, self.trainer.config, **self.choices)

    @functools.cached_property
    def _program(self) -> Callable[..., dict[str, jax.Array]]:
        return compiled(self.source, self._setting, CHUNK)

    def scores(self, archs: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the scores [n, I] of a chunk of architectures [n, D], by proxy."""
        own = {name: proxy for name, proxy in self.proxies.items() if proxy.source is self.source}
        return next(chunk_scores(self._setting, self._program, own, [archs], CHUNK))


def _name(setting: Setting, proxies: Mapping[str, Proxy], rows: np.ndarray) -> str:
    named = {"version": VERSION, "rows": rows.tolist(), "proxies": sorted(proxies)}
    text = json.dumps({**_recipe(setting), **named}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _recipe(setting: Setting) -> dict:
    """Returns all that scores depend on, as JSON values."""
    described = {key: value for key, value in setting.trainer.description().items() if key != "plan"}
    return described | setting.choices


def _path(shards: Path, name: str) -> Path:
    return shards / f"{name}{SUFFIX}"


def _read(shards: Path, name: str, proxies: Iterable[str], shape: tuple[int, int]) -> Arrays | None:
    """Returns the scores of a shard; None if it is missing or damaged."""
    like = Like(shape, "f", finite=False)
    return read_arrays(_path(shards, name), {"scores": name}, dict.fromkeys(proxies, like))


def _table(
    setting: Setting,
    scores: Mapping[str, np.ndarray],
    proxies: Mapping[str, Proxy],
    rows: np.ndarray,
    class_of: np.ndarray,
    pack_id: str,
) -> Table:
    space = setting.trainer.space
    columns = {
        SIZE_COLUMNS.get(name, name): _column(values, 1 if name == AZ else proxies[name].better)
        for name, values in scores.items()
    }
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": "columns",
        "id": pack_id,
        "space": space.description(),
        "task": {"name": setting.trainer.task.name, "sha256": setting.trainer.task.sha256},
        "fidelities": [],
        "versions": versions(),
        "machine": {},
        "git_commit": git_commit(),
    }
    return Table(manifest, keys_of(space), class_of.astype(np.int32), columns, rows.astype(np.int32))


def _column(values: np.ndarray, better: int) -> Column:
    """Returns the column of scores [G, I]; with one value a class if all initializations have the same value."""
    values = rounded(values)
    if (values == values[:, :1]).all():
        return Column(values[:, 0], ("class",), "score", better)
    return Column(values, ("class", "run"), "score", better, runs=INITIALIZATIONS)


def rounded(values: np.ndarray) -> np.ndarray:
    """Returns float32 values with 16 binary places; whole numbers up to 2 ** 24, NaN and infinity are unchanged."""
    values = values.astype(np.float32)
    step = 1 << (23 - PLACES)
    bits = ((values.view(np.uint32) + np.uint32(step >> 1)) & np.uint32(~(step - 1) & 0xFFFFFFFF)).view(np.float32)
    with np.errstate(invalid="ignore"):
        exact = ~np.isfinite(values) | (values == np.round(values))
    return np.where(exact, values, bits)


def _card(table: Table, task: Task, setting: Setting) -> str:
    choices = setting.choices
    texts = {SIZE_COLUMNS.get(name, name): proxy_named(name).text for name in catalog.PROXIES}
    texts[AZ] = "AZ-NAS's score, log ranks among all classes of the pack (Lee and Ham 2024)."
    lines = [
        f"# {table.id}: zero-cost proxies",
        f"Scores without training of the {len(table.representatives):,} classes of {table.num_architectures:,} "
        f"architectures of the space `{table.manifest['space']['name']}` on the task `{task.name}`, "
        f"{choices['num_inits']} initializations each, by `jaxnas proxies`.",
        f"The batch has {choices['batch_size']} training examples, balanced between classes, one view of each, drawn "
        f"by seed {choices['seed']} as are initializations and noise; all architectures have the same ones.",
        "## Columns",
        "\n".join(f"* `{name}`: {texts.get(name, 'a proxy of your own.')}" for name in table.columns),
        "## Limits",
        f"Scores keep {PLACES} binary places. NaN is a score that is not defined, as of a network without output; some "
        "are infinite. What a network is in training only, such as dropout, they do not see. How well they rank "
        "trained networks is in docs/proxies.md: several not better than the number of parameters.",
        "## License",
        f"{task.license}, that of the task's data.",
    ]
    return "\n\n".join(lines) + "\n"
