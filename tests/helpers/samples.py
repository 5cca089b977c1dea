"""What tests share: small spaces, a small task, tables of known scores, and strategies told what a test chooses."""

import functools
from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

import jaxnas as jn
from jaxnas.spaces.base import Decision
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.space import NB201, CellSpace
from jaxnas.spaces.darts.network import Stack
from jaxnas.spaces.graph_networks.network import GraphStates
from jaxnas.spaces.graph_networks.space import GraphNetworkSpace
from jaxnas.spaces.macro.network import Chain
from jaxnas.spaces.macro.space import BlockSpace
from jaxnas.spaces.named import space_named
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.spaces.recurrent.network import Recurrence
from jaxnas.spaces.recurrent.space import RECURRENT_3
from jaxnas.spaces.search_space import SearchSpace
from jaxnas.spaces.sizes.network import Widths
from jaxnas.spaces.sizes.space import SizeSpace
from jaxnas.spaces.transformers.space import TransformerSpace
from jaxnas.strategies.base import Strategy, asks_for
from jaxnas.strategies.named import strategy_named
from jaxnas.tasks.base import Split, Task, normalized, token_task
from jaxnas.tasks.graphs import joined
from jaxnas.training.config import TrainConfig
from jaxnas.training.networks import networks_class

# Spaces


def tanh(x, parameters, statistics, train):
    """A user's operation: one pure function."""
    return np.tanh(1.0) * x / (1 + abs(x)), statistics


SMALL = CellSpace(3, ("none", "skip_connect", "nor_conv_3x3", "avg_pool_3x3", tanh), name="small")
"""A cell space of three edges, with a user's operation: 125 architectures, quick to compile."""

MIXED = SearchSpace(
    "mixed", (Decision("depth", range(2)), Decision("width", (8, 16, 32)), Decision("act", ("relu", "tanh")))
)
"""A space without networks, whose decisions have different numbers of values."""

SMALL_MLP = MLPSpace(
    2,
    32,
    activations=("relu", "sigmoid"),
    initializers=("random_normal", "lecun_normal"),
    regularizers=("none", "l2"),
    dropout_rates=(0, 0.25),
    name="small-mlp",
)
"""A space of perceptrons: 288 architectures in 192 classes."""

GRID = SearchSpace("grid", tuple(Decision(name, range(4)) for name in "abcd"))
"""A space of 256 architectures, for strategies over several fidelities."""

SPACES = {
    "nb201": NB201,
    "small": SMALL,
    "mixed": MIXED,
    "small-mlp": SMALL_MLP,
    "nb201-rows": NB201.enumerated(),
    "small-rows": SMALL.enumerated(),
    "small-mlp-rows": SMALL_MLP.enumerated(),
}

CORNERS = np.repeat(np.arange(5, dtype=np.int32)[:, None], 6, axis=1)
"""Architectures of NB201 that differ in every decision, so that a child shows its parents."""


def rows_of(archs: np.ndarray, space: SearchSpace) -> np.ndarray:
    """Returns the rows of architectures in the enumeration, without jaxnas."""
    return np.ravel_multi_index(np.moveaxis(archs, -1, 0), [len(decision.values) for decision in space.decisions])


def all_archs(space: SearchSpace) -> np.ndarray:
    """Returns the architectures of a space in the order of its rows, without jaxnas: int[A, D]."""
    sizes = [len(decision.values) for decision in space.decisions]
    return np.indices(sizes).reshape(len(sizes), -1).T


# Trainings

TINY = TrainConfig(num_epochs=2, batch_size=16, network=Skeleton(num_channels=2, num_stages=1))
"""A training that takes milliseconds, and a program of one cell, which is what compiles in seconds."""

TWO_STAGES = replace(TINY, network=Skeleton(num_channels=2, num_stages=2))
"""The same with a reduction between two cells."""


def make_task(
    name: str = "stripes", shape: tuple[int, int, int] = (6, 5, 1), num_images: int = 96, seed: int = 0
) -> Task:
    """Returns a task of noisy stripes in three directions: learnable, small, of any image shape."""
    random = np.random.RandomState(seed)
    height, width, channels = shape
    labels = random.randint(0, 3, num_images)
    rows, columns = np.mgrid[:height, :width]
    patterns = np.stack([rows % 2, columns % 2, (rows + columns) % 2]).astype(np.float32)
    images = np.repeat(patterns[labels][..., None], channels, axis=-1) + 0.3 * random.randn(num_images, *shape)
    parts = np.split(np.arange(num_images), [num_images // 2, 3 * num_images // 4])
    splits = {
        split: Split(images[part][None].astype(np.float32), labels[part])
        for split, part in zip(("train", "validation", "test"), parts, strict=True)
    }
    return normalized(name, splits, 3, f"# {name}: noisy stripes made by the tests", "CC0-1.0")


def make_sequences(goal: str = "class", kind: str = "sequences", num_sequences: int = 96) -> Task:
    """Returns a task of 3 to 6 steps of two numbers, or of three tokens: whether there are more of one sort, or where.

    Args:
        goal: `"class"`, or `"tags"`, the sort of each step.
    """
    random = np.random.RandomState(0)
    sorts = random.randint(0, 2, (num_sequences, 6))
    real = np.arange(6) < random.randint(3, 7, num_sequences)[:, None]
    labels = np.where(real, sorts, -1) if goal == "tags" else (np.where(real, 2 * sorts - 1, 0).sum(1) > 0).astype(int)
    if kind == "tokens":
        inputs = np.where(real, sorts + random.randint(0, 2, sorts.shape), -1).astype(np.int32)
    else:
        inputs = np.where(real[..., None], sorts[..., None] + 0.3 * random.randn(*sorts.shape, 2), np.nan)
    parts = np.split(np.arange(num_sequences), [num_sequences // 2, 3 * num_sequences // 4])
    splits = {
        split: Split(inputs[part][None], labels[part])
        for split, part in zip(("train", "validation", "test"), parts, strict=True)
    }
    card = "# steps: made by the tests"
    if kind == "tokens":
        return token_task("steps", splits, 3, 2, card, "CC0-1.0", goal=goal)
    return normalized("steps", splits, 2, card, "CC0-1.0", goal=goal)


def make_vectors(num_vectors: int = 150) -> Task:
    """Returns a task of vectors of six features with three classes, whose means are apart."""
    labels = np.arange(num_vectors) % 3
    vectors = np.random.RandomState(0).normal(size=(num_vectors, 6)) + 2 * np.eye(3)[labels].repeat(2, axis=1)
    return jn.task_from_arrays(vectors, labels, name="vectors")


def make_graphs(num_graphs: int = 96) -> Task:
    """Returns a task of graphs of 2 to 5 nodes of two numbers: whether nodes of a large first one are neighbors."""
    random = np.random.RandomState(0)
    features, weights, labels = [], [], np.arange(num_graphs) % 2
    for label, count in zip(labels, random.randint(2, 6, num_graphs), strict=True):
        own, edges = random.randn(count, 2), np.zeros((count, count))
        own[:, 0] = np.arange(count) < 2
        for node in range(1, count):
            other = node - 1 if node > 1 or label else count - 1
            edges[node, other] = edges[other, node] = node != other
        features.append(own)
        weights.append(edges)
    graphs = joined((features, weights))
    parts = np.split(np.arange(num_graphs), [num_graphs // 2, 3 * num_graphs // 4])
    splits = {
        split: Split(graphs[part][None], labels[part])
        for split, part in zip(("train", "validation", "test"), parts, strict=True)
    }
    return normalized("neighbors", splits, 2, "# neighbors: made by the tests", "CC0-1.0", kind="graphs")


# Networks


NETWORKS = {
    "jaxnas.spaces.cells.networks:CellNetworks": (SMALL, Skeleton(2, 1, 1), make_task),
    "jaxnas.spaces.darts.networks:DARTSNetworks": ("darts", Stack(1, 1), make_task),
    "jaxnas.spaces.macro.networks:ChainNetworks": (BlockSpace("few-blocks", (1,)), Chain(2, 5, 1), make_task),
    "jaxnas.spaces.sizes.networks:SizeNetworks": (SizeSpace(2, (2, 4), "few-sizes"), Widths(1), make_task),
    "jaxnas.spaces.perceptrons.networks:PerceptronNetworks": (SMALL_MLP, None, make_task),
    "jaxnas.spaces.recurrent.networks:recurrent_networks()": (RECURRENT_3, Recurrence(2), make_sequences),
    "jaxnas.spaces.graph_networks.networks:GraphNetworks": (
        GraphNetworkSpace(("gat", "skip"), "few"),
        GraphStates(2),
        make_graphs,
    ),
    "jaxnas.spaces.transformers.networks:TransformerNetworks": (
        TransformerSpace(1, (4,), (1, 2), (3,), name="one-layer"),
        None,
        lambda: make_sequences("tags", "tokens"),
    ),
}
"""For each kind of network a small space, what the kind needs besides, and a task."""


def network_of(kind: str) -> tuple[SearchSpace, TrainConfig, Task]:
    """Returns the space, the training and the task of a kind of network."""
    space, network, make = NETWORKS[kind]
    space = space_named(space) if isinstance(space, str) else space
    config = replace(networks_class(space).default, batch_size=16, **({} if network is None else {"network": network}))
    return space, config, make()


# Strategies


def total(arch: jax.Array) -> jax.Array:
    """Returns a size for strategies with two objectives."""
    return arch.sum().astype(jnp.float32)


OFFERED = {"size": total, "fidelities": (1, 3)}
"""What a benchmark offers to factories whose arguments ask for it."""


def make_strategy(
    name: str,
    space: SearchSpace,
    *,
    fidelities: tuple[float, ...] = OFFERED["fidelities"],
    size: Callable = OFFERED["size"],
    **hyperparameters: object,
) -> Strategy:
    """Returns the strategy of a name in the catalog, given the fidelities and the size that its factory asks for."""
    factory = strategy_named(name)
    offered = {"fidelities": fidelities, "size": size}
    asked = {argument: value for argument, value in offered.items() if asks_for(factory, argument)}
    return factory(space, **asked, **hyperparameters)


def told(strategy: Strategy, archs, scores, num_trials: int = 100):
    """Returns the state after it was told the scores of architectures, with `advance` before each."""
    state = strategy.init(jax.random.key(0), num_trials)
    for t, (arch, score) in enumerate(zip(archs, scores, strict=True)):
        state = strategy.advance(state, t, jax.random.key(t))
        query = jn.Query(jnp.asarray(arch, jnp.int32))
        state = strategy.tell(state, t, query, jn.simulation.Observation(jnp.float32(score), 1, 0))
    return state


def asked(strategy: Strategy, state, t: int, number: int) -> np.ndarray:
    """Returns what the strategy asks in a state, for many keys: int32[number, D]."""
    keys = jax.random.split(jax.random.key(1), number)
    return np.asarray(jax.jit(jax.vmap(lambda key: strategy.ask(state, t, key).arch))(keys))


def assert_equal_trials(one: jn.simulation.Trials, other: jn.simulation.Trials) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


# Tables


def make_bench(space: SearchSpace, validation, test, fidelities=(1,), *, noise: str = "seed") -> jn.TableBenchmark:
    """Returns the benchmark of a table of scores [A, S, F] on a space, or behind its rows."""
    plain = getattr(space, "space", space)
    table = jn.Table.from_arrays(plain, "sample", validation, test, fidelities)
    return jn.TableBenchmark(table, noise=noise, space=plain)


def with_failures(scores: np.ndarray, share: float, random: np.random.RandomState) -> np.ndarray:
    """Returns scores [A, S, F] of which a share is NaN."""
    return np.where(random.uniform(size=scores.shape) < share, np.float32(np.nan), scores)


@functools.cache
def random_bench(name: str, noise: str = "seed", failed: float = 0.0) -> jn.TableBenchmark:
    """Returns a table of random scores on the space of a name, three seeds and two fidelities of 1 and 3 epochs.

    A share of the trainings failed, each at all of its epochs.
    """
    random = np.random.RandomState(0)
    space = SPACES[name]
    validation, test = random.uniform(size=(2, space.num_architectures, 3, 2)).astype(np.float32)
    validation[random.uniform(size=validation.shape[:2]) < failed] = np.nan
    return make_bench(space, validation, test, (1, 3), noise=noise)


@functools.cache
def smooth_bench(
    space: SearchSpace = NB201, failed: float = 0.0, fidelities: tuple[int, ...] = (1,)
) -> jn.TableBenchmark:
    """Returns a table whose scores are sums over the decisions, with a little noise; a share of the trainings failed.

    Scores are the same at all fidelities.
    """
    random = np.random.RandomState(0)
    archs = all_archs(space)
    parts = random.uniform(size=(archs.shape[1], archs.max() + 1))
    means = parts[np.arange(archs.shape[1]), archs].mean(1)[:, None, None]
    scores = (means + 0.01 * random.randn(len(archs), 3, 1)).astype(np.float32)
    validation = with_failures(scores, failed, random)
    return make_bench(space, *(np.repeat(each, len(fidelities), axis=-1) for each in (validation, scores)), fidelities)


FIDELITIES = (1, 2, 3, 4, 9, 10)


@functools.cache
def tied_bench(failed: float = 0.0, num_seeds: int = 1) -> jn.TableBenchmark:
    """Returns a table on GRID of random scores with many ties, which improve a little with the epochs, FIDELITIES."""
    random = np.random.RandomState(0)
    scores = random.uniform(size=(GRID.num_architectures, num_seeds, len(FIDELITIES))) + 0.05 * np.arange(6)
    scores = (scores.round(1) / 2).astype(np.float32)  # below 1
    return make_bench(GRID, with_failures(scores, failed, random), scores, FIDELITIES)


# Samples of regrets

NUM_SIMULATIONS = 2000


def skewed(random: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Returns regrets without ties."""
    return scale * random.gamma(1.5, size=shape)


def tied(random: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Returns regrets that take few values, the optimum more often than not."""
    return np.maximum(np.ceil(4 * scale * (random.gamma(1.5, size=shape) - 1.5)), 0) / 4
