"""Benchmarks that answer with a model of the scores of a space, fitted to architectures that were trained."""

import functools
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import prng
from jaxnas.benchmarks.base import HeldOut, checked_size_name
from jaxnas.benchmarks.surrogate_files import read
from jaxnas.predictors import networks
from jaxnas.predictors.surrogates import PLAIN, PROPORTION, Surrogate, inputs_of, live_choices, powers
from jaxnas.spaces import graphs
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, run_asked
from jaxnas.tasks.metrics import Metric

NUM_RUNS = 2**16
"""Runs of an architecture that can be told apart."""
AT_ONCE, FEWEST = 2**15, 64
Z_95 = 1.959964


class SurrogateBenchmark:
    """A benchmark whose scores come from a small network, with noise that belongs to an architecture and a run.

    The same query is answered with the same score: a run's noise is drawn by a hash of the architecture,
    without dead edges, and of the run's number, so asking again averages nothing away. A run's noise at several
    fidelities is correlated as in the data. Held-out scores have no noise.

    Attributes:
        manifest: the content of the folder's manifest (`fit-surrogate` writes it).
    """

    jittable = True
    table = None
    protocol = None

    def __init__(self, space: Space, surrogate: Surrogate, manifest: dict[str, Any]):
        self.space, self.manifest = space, manifest
        self.id = manifest["id"]
        self.fidelities = tuple(manifest["fidelities"])
        self.metric = Metric(*(manifest["metric"][part] for part in ("name", "unit", "better")))
        self.cost_unit = manifest["cost_unit"]
        self.content_hash = manifest.get("content_hash")
        self.size_names = tuple(manifest["sizes"])
        self._parts = (space, manifest["target"], tuple(manifest["prices"] or ()))
        self._surrogate = jax.tree.map(jnp.asarray, surrogate)
        listed = manifest["prices"] or manifest["sample_prices"]
        self.prices = jnp.atleast_2d(jnp.asarray(listed, jnp.float32))
        self.query = jax.tree_util.Partial(_answer_of(*self._parts), self._surrogate)
        self._size_functions: dict[str, Callable[[jax.Array], jax.Array]] = {}

    def __repr__(self) -> str:
        return f"SurrogateBenchmark({self.id!r})"

    @staticmethod
    def read(folder: str | os.PathLike, *, space: Space | None = None) -> "SurrogateBenchmark":
        """Returns the benchmark of a folder or of a shipped identifier, after checking its hashes.

        Args:
            space: by default the one that the manifest names, of the catalog.

        Raises ValueError if a file is missing or does not match the manifest, or the space is
        another.
        """
        return SurrogateBenchmark(*read(folder, space))

    def size(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """Returns the function of an architecture's size, a linear one of its choices; the same one each time."""
        if name not in self._size_functions:
            line = self._surrogate.lines[self.size_names.index(checked_size_name(name, self))]
            inputs = inputs_of(self.space)
            self._size_functions[name] = lambda arch: inputs(arch) @ line[:-1] + line[-1]
        return self._size_functions[name]

    def sizes(self, name: str, archs: ArrayLike) -> np.ndarray:
        """Returns the sizes of architectures [..., D], float32[...]."""
        lines = self._surrogate.lines[self.size_names.index(checked_size_name(name, self))]
        return _over(_line_of(self.space), self._surrogate._replace(lines=lines), archs)

    def price(self, archs: ArrayLike, fidelity: ArrayLike = -1) -> np.ndarray:
        """Returns the prices of architectures [..., D] at fidelities [...], float32[...]."""
        found = _over(_prices_of(*self._parts), self._surrogate, archs)
        position = np.broadcast_to(fidelity, found.shape[:-1]) % found.shape[-1]
        return np.take_along_axis(found, position[..., None], -1)[..., 0]

    def validation_scores(self, archs: ArrayLike, fidelity: int = -1) -> np.ndarray:
        """Returns the means over all runs of the scores of queries of architectures [..., D], float32[...]."""
        return _over(_means_of(*self._parts[:2]), self._surrogate, archs)[..., :-1][..., fidelity]

    def interval(self, archs: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Returns the 95 % interval of a single real run of architectures [..., D]: two float[...]."""
        found = _over(_interval_of(*self._parts[:2]), self._surrogate, archs)
        return found[..., 0], found[..., 1]

    @property
    def held_out(self) -> HeldOut:
        """Returns the reported scores that are modeled, without noise, for reports only."""
        means = _means_of(*self._parts[:2])
        optimum, worst = (self.manifest.get(end) for end in ("optimum", "worst"))
        note = "the surrogate's held-out scores are means"
        return HeldOut(lambda archs: _over(means, self._surrogate, archs)[..., -1], optimum, worst, note=note)


def target_of(name: str) -> Any:
    """Returns the `Target` of a name: `"log-error"` or `"score"`."""
    return PROPORTION if name == "log-error" else PLAIN


def _values(space: Space, surrogate: Surrogate, arch: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the inputs and the values at each fidelity and of the report, float32[F + 1], in units of the target."""
    inputs = inputs_of(space)(arch)
    return inputs, networks.outputs(surrogate.layers, inputs) @ surrogate.basis + surrogate.center


def _standard(surrogate: Surrogate, values: jax.Array) -> jax.Array:
    return powers(((values[-2] - surrogate.standard[0]) / surrogate.standard[1]).clip(-3, 3))


@functools.cache
def _answer_of(space: Space, target: str, prices: tuple[float, ...]) -> Callable[..., Observation]:
    """Returns the query function `(surrogate, query, key) -> Observation`, one for each space and target."""
    backward = target_of(target).backward

    def answer(surrogate: Surrogate, query: Query, key: jax.Array) -> Observation:
        arch = jnp.asarray(query.arch)
        run = run_asked(query.seed, prng.draw_index(key, NUM_RUNS))
        inputs, values = _values(space, surrogate, arch)
        num_fidelities = len(values) - 1
        fidelity = jnp.where(jnp.asarray(query.fidelity) < 0, query.fidelity + num_fidelities, query.fidelity)
        deviation = jnp.exp(surrogate.noise[fidelity] @ _standard(surrogate, values) / 2)
        word = code_of(live_choices(space, arch), run)
        shared = surrogate.shared[fidelity]
        own = normal_of(graphs.hash_label(word, fidelity.astype(jnp.uint32) + 1))
        noise = shared * normal_of(graphs.hash_label(word, jnp.uint32(0))) + jnp.sqrt(1 - shared**2) * own
        score = backward(values[fidelity] + deviation * noise, 0.0)
        listed = jnp.asarray(prices, jnp.float32) if prices else _prices(surrogate, inputs)
        return Observation(score, listed[fidelity], run)

    return answer


def _prices(surrogate: Surrogate, inputs: jax.Array) -> jax.Array:
    lines = surrogate.lines[-len(surrogate.noise) :]
    return jnp.exp(lines[:, :-1] @ inputs + lines[:, -1])


@functools.cache
def _prices_of(space: Space, target: str, prices: tuple[float, ...]) -> Callable[[Surrogate, jax.Array], jax.Array]:
    def priced(surrogate: Surrogate, arch: jax.Array) -> jax.Array:
        return jnp.asarray(prices, jnp.float32) if prices else _prices(surrogate, inputs_of(space)(arch))

    return priced


@functools.cache
def _line_of(space: Space) -> Callable[[Surrogate, jax.Array], jax.Array]:
    """Returns the function that gives the value of `lines` for an architecture, here of one size, float32[]."""
    return lambda surrogate, arch: inputs_of(space)(arch) @ surrogate.lines[:-1] + surrogate.lines[-1]


@functools.cache
def _means_of(space: Space, target: str) -> Callable[[Surrogate, jax.Array], jax.Array]:
    """Returns the function that gives the mean score at each fidelity and the reported one, float32[F + 1]."""
    backward = target_of(target).backward

    def means(surrogate: Surrogate, arch: jax.Array) -> jax.Array:
        values = _values(space, surrogate, arch)[1]
        variance = jnp.exp(surrogate.noise @ _standard(surrogate, values))
        return backward(values, jnp.append(variance, 0))

    return means


@functools.cache
def _interval_of(space: Space, target: str) -> Callable[[Surrogate, jax.Array], jax.Array]:
    backward = target_of(target).backward

    def interval(surrogate: Surrogate, arch: jax.Array) -> jax.Array:
        values = _values(space, surrogate, arch)[1]
        half = Z_95 * jnp.exp(surrogate.interval @ _standard(surrogate, values) / 2)
        return backward(values[-2] + half * jnp.asarray([-1, 1]), 0.0)

    return interval


def code_of(choices: jax.Array, run: jax.Array) -> jax.Array:
    """Returns a word that is another for other choices int32[D] or another run, uint32[]."""
    places = jnp.arange(len(choices), dtype=jnp.uint32)
    words = graphs.hash_label(choices.astype(jnp.uint32) + places * jnp.uint32(0x10001), jnp.uint32(0))
    return graphs.hash_label(words.sum(dtype=jnp.uint32), jnp.asarray(run).astype(jnp.uint32))


def normal_of(word: jax.Array) -> jax.Array:
    """Returns the normal quantile that a word stands for, float32[]."""
    share = ((word >> 8).astype(jnp.float32) + 0.5) / 2**24
    return jax.scipy.special.ndtri(share)


@functools.cache
def _batched(function: Callable[[Surrogate, jax.Array], jax.Array]) -> Callable[[Surrogate, np.ndarray], jax.Array]:
    """Returns the compiled function of many architectures; one for each function, so it is compiled once."""
    return jax.jit(jax.vmap(function, (None, 0)))


def _over(function: Callable[[Surrogate, jax.Array], jax.Array], surrogate: Surrogate, archs: ArrayLike) -> np.ndarray:
    """Returns the values of a function at architectures [..., D], in parts of few sizes, so few are compiled."""
    archs = np.asarray(archs, np.int32)
    flat = archs.reshape(-1, archs.shape[-1])
    found = []
    for start in range(0, max(len(flat), 1), AT_ONCE):
        part = flat[start : start + AT_ONCE]
        size = max(FEWEST, 1 << (len(part) - 1).bit_length()) if len(part) else FEWEST
        padded = np.concatenate([part, np.zeros((size - len(part), flat.shape[1]), np.int32)])
        found.append(np.asarray(_batched(function)(surrogate, padded))[: len(part)])
    values = np.concatenate(found)
    return values.reshape(*archs.shape[:-1], *values.shape[1:])
