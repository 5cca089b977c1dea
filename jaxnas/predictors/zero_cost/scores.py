"""Scores of architectures by zero-cost proxies: one compiled program a pass, the same for all architectures."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import catalog
from jaxnas.checks import checked_seed, checked_size
from jaxnas.predictors.zero_cost import composites
from jaxnas.predictors.zero_cost.base import Batch, make_batch
from jaxnas.predictors.zero_cost.named import proxy_named
from jaxnas.predictors.zero_cost.proxy import Pass, Proxy
from jaxnas.predictors.zero_cost.sizes import SIZES
from jaxnas.tasks.base import Task
from jaxnas.training.compilation import ONE_THREAD
from jaxnas.training.config import FLOAT32, TrainConfig
from jaxnas.training.networks import Networks, ScoredNetworks, TrainableSpace
from jaxnas.training.trainer import Trainer

CHUNK = 128
"""Architectures of one call of a program."""
SIDE_BY_SIDE = 2
"""Calls at a time, each in one thread; no program solves linear systems, which would hang side by side."""
AZ = "az"
"""The composite that counts as a proxy: its score is among the architectures that are scored together."""
BATCH_SIZE, NUM_INITS = 64, 4

Progress = Callable[[str, int, int], None]
"""`(pass, architectures done, all)`."""


class Setting(NamedTuple):
    """The setting of scores, besides architectures: networks, examples, and the keys [I] of the initializations.

    `choices` are the numbers that made them: `num_inits`, `batch_size` and `seed`.
    """

    trainer: Trainer
    batch: Batch
    keys: jax.Array
    choices: dict[str, int]

    @property
    def networks(self) -> Networks:
        """Returns the networks that are scored."""
        return self.trainer.networks


def setting_of(
    space: TrainableSpace,
    task: Task,
    config: TrainConfig | None = None,
    *,
    num_inits: int = NUM_INITS,
    batch_size: int | None = None,
    seed: int = 0,
) -> Setting:
    """Returns the setting of a space on a task; arguments as in `proxy_scores`."""
    checked_size("num_inits", num_inits, 1, 1000, "each of which is a network of every architecture")
    trainer = Trainer(space, task, config)
    if trainer.config.precision != FLOAT32:
        raise ValueError(
            f"Expected a config in {FLOAT32}, in which proxies are computed, got {trainer.config.precision}."
        )
    batch_size = min(BATCH_SIZE, len(task.train.labels)) if batch_size is None else batch_size
    checked_size("batch_size", batch_size, 2, len(task.train.labels), "the training examples")
    keys = jax.random.split(jax.random.key(checked_seed(seed)), num_inits)
    choices = {"num_inits": num_inits, "batch_size": batch_size, "seed": seed}
    return Setting(trainer, make_batch(task, batch_size, seed), keys, choices)


def proxies_of(names: str | Sequence[str], kind: type[Networks]) -> dict[str, Proxy]:
    """Returns proxies by name, in the order of the catalog; for `"az"`, the parts of AZ-NAS.

    Args:
        names: `"all"`, `"nwot,synflow"`, or a sequence of names or `file.py:NAME`; `"all"` omits proxies that the
            kind of network does not support.

    Raises ValueError on an unknown name, or one that the kind of space cannot be scored by.
    """
    if names == "all":
        found = {name: proxy_named(name) for name in catalog.PROXIES}
        return {name: proxy for name, proxy in found.items() if _scores(proxy, kind)}
    names = [names] if callable(names) else names
    listed = [name for name in names.split(",") if name] if isinstance(names, str) else list(names)
    if not listed:
        raise ValueError("Expected names of proxies, or all, got none.")
    wanted = [part for name in listed for part in (composites.AZ_PARTS if name == AZ else (name,))]
    found = {str(name).rpartition(":")[2]: proxy_named(name) for name in dict.fromkeys(wanted)}
    for name, proxy in found.items():
        if not _scores(proxy, kind):
            raise ValueError(f"Expected ScoredNetworks, which {name} scores, got {kind.__name__}.")
    return found


def _scores(proxy: Proxy, kind: type[Networks]) -> bool:
    return not proxy.source.inside or issubclass(kind, ScoredNetworks)


def has_az(names: str | Sequence[str], proxies: Mapping[str, Proxy]) -> bool:
    """Returns whether AZ-NAS's score is asked for, and its parts are there."""
    listed = names.split(",") if isinstance(names, str) else names
    return (names == "all" or AZ in listed) and set(composites.AZ_PARTS) <= set(proxies)


def proxy_scores(
    space: TrainableSpace,
    archs: Any,
    task: Task,
    names: str | Sequence[str] = "all",
    config: TrainConfig | None = None,
    *,
    num_inits: int = NUM_INITS,
    batch_size: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """Returns the scores of architectures by zero-cost proxies, float32[A, I] by name, as defined in their papers.

    Larger is not always better: `jn.proxies.proxy_named(name).better` is the direction in the paper. Undefined scores
    are NaN and some scores are infinite; neither is replaced. All architectures share the I initializations and the
    batch, so differences between scores are due to the architectures.

    Args:
        archs: int32[A, D].
        names: of the catalog (see `jaxnas list`), or `file.py:NAME`; `"all"` for all that the kind of space supports.
        config: the recipe of the networks; by default the recipe of the kind of space.
        num_inits: initializations of each architecture. Scores over architectures agree less than the scores of two
            initializations suggest, so report a mean of at least four.
        batch_size: training examples of the batch, 2 or more; by default 64, or all if there are fewer.
        seed: of initializations, examples and noise.
        progress: called with the name of a pass, the architectures done and their number.

    Raises ValueError on unknown names, or a space or a task without networks.
    """
    setting = setting_of(space, task, config, num_inits=num_inits, batch_size=batch_size, seed=seed)
    proxies = proxies_of(names, type(setting.networks))
    archs = np.asarray(archs, np.int32)
    if archs.ndim != 2 or archs.shape[1] != len(space.decisions) or not len(archs):
        raise ValueError(f"Expected architectures of shape [A, {len(space.decisions)}], got {list(archs.shape)}.")
    found: dict[str, np.ndarray] = {}
    for source in dict.fromkeys(proxy.source for proxy in proxies.values()):
        parts = []
        for done, part in enumerate(pass_scores(setting, source, proxies, _chunks(archs)), 1):
            parts.append(part)
            if progress:
                progress(source.name, min(done * CHUNK, len(archs)), len(archs))
        found |= {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if has_az(names, proxies):
        found[AZ] = az_scores(found)
    return {name: found[name] for name in (*proxies, AZ) if name in found}


def _chunks(archs: np.ndarray) -> list[np.ndarray]:
    return [archs[start : start + CHUNK] for start in range(0, len(archs), CHUNK)]


def az_scores(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns AZ-NAS's score float32[A, I] among the architectures, for each initialization."""
    parts = [scores[name] for name in composites.AZ_PARTS]
    columns = [composites.log_rank([part[:, number] for part in parts]) for number in range(parts[0].shape[1])]
    return np.stack(columns, axis=1).astype(np.float32)


def pass_scores(
    setting: Setting,
    source: Pass,
    proxies: Mapping[str, Proxy],
    chunks: Sequence[np.ndarray],
    size: int | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the scores float32[n, I], by name, of the proxies that a pass is the source of, for each chunk in order.

    Args:
        chunks: architectures int32[n, D].
        size: the number of architectures that the program is compiled for; by default, and at least, the largest chunk.
    """
    own = {name: proxy for name, proxy in proxies.items() if proxy.source is source}
    num_inits = len(setting.keys)
    if source is SIZES:
        for chunk in chunks:
            sizes = [setting.trainer.size(arch)._asdict() for arch in chunk]
            measured = {name: np.asarray([[size[name]] * num_inits for size in sizes]) for name in sizes[0]}
            yield _scored(own, measured)
        return
    size = size or max(len(chunk) for chunk in chunks)
    yield from chunk_scores(setting, compiled(source, setting, size), own, chunks, size)


def chunk_scores(
    setting: Setting,
    program: Callable[..., dict[str, jax.Array]],
    proxies: Mapping[str, Proxy],
    chunks: Sequence[np.ndarray],
    size: int,
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the scores of chunks by the proxies of a compiled pass, in order; two chunks are computed at a time."""

    def scored(chunk: np.ndarray) -> dict[str, np.ndarray]:
        filled = np.concatenate([chunk, np.repeat(chunk[-1:], size - len(chunk), axis=0)])
        measured = jax.device_get(program(jnp.asarray(filled), setting.keys, setting.batch))
        return _scored(proxies, {name: values[: len(chunk)] for name, values in measured.items()})

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield from pool.map(scored, chunks)


def _scored(proxies: Mapping[str, Proxy], measured: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.asarray(proxy.score(measured)).astype(np.float32) for name, proxy in proxies.items()}


def compiled(source: Pass, setting: Setting, num_archs: int) -> Callable[..., dict[str, jax.Array]]:
    """Returns the compiled program `(archs int32[n, D], keys [I], batch) -> arrays [n, I, ...]` of a pass."""
    archs = jax.ShapeDtypeStruct((num_archs, len(setting.networks.space.decisions)), jnp.int32)
    return _measured.lower(source, setting.networks, archs, setting.keys, setting.batch).compile()


@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options=ONE_THREAD)
def _measured(
    source: Pass, networks: Networks, archs: jax.Array, keys: jax.Array, batch: Batch
) -> dict[str, jax.Array]:
    """Returns the measurements of a pass on architectures [n, D] with keys [I]: arrays [n, I, ...].

    Keys are batched but architectures are not, which keeps branches as branches.
    """

    def measure(arch: jax.Array) -> dict[str, jax.Array]:
        return jax.vmap(lambda key: source.measure(networks, arch, key, batch))(keys)

    with jax.default_matmul_precision("float32"):  # some accelerators would round products to ten bits
        return jax.lax.map(measure, archs)
