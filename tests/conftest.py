"""What tests share: small spaces, a small task, and the lists that contract tests run over."""

import os
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

os.environ.setdefault("XDG_CACHE_HOME", tempfile.mkdtemp(prefix="jaxnas-tests-"))  # compiled programs of this run only

from browsing import axe_violations, browser, visit  # noqa: F401

from jaxnas import catalog
from jaxnas.spaces.base import Decision, SearchSpace
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.space import NB201, CellSpace
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.strategies.base import Strategy, asks_for
from jaxnas.tasks.base import Split, Task, normalized
from jaxnas.training.config import TrainConfig


def tanh(x, parameters, statistics, train):
    """An operation of one's own: one pure function."""
    return np.tanh(1.0) * x / (1 + abs(x)), statistics


SMALL = CellSpace(3, ("none", "skip_connect", "nor_conv_3x3", "avg_pool_3x3", tanh), name="small")
"""A cell space of three edges, with an operation of its own: 125 architectures, quick to compile."""

MIXED = SearchSpace(
    "mixed", (Decision("depth", range(2)), Decision("width", (8, 16, 32)), Decision("act", ("relu", "tanh")))
)
"""A space without networks, whose decisions have different numbers of values."""

SMALL_MLP = MLPSpace(2, 32, regularizers=("none", "l2"), dropout_rates=(0, 0.25), name="small-mlp")
"""A space of perceptrons: 288 architectures in 192 classes."""

SPACES = {
    "nb201": NB201,
    "small": SMALL,
    "mixed": MIXED,
    "small-mlp": SMALL_MLP,
    "nb201-rows": NB201.enumerated(),
    "small-rows": SMALL.enumerated(),
    "small-mlp-rows": SMALL_MLP.enumerated(),
}

TINY = TrainConfig(num_epochs=2, batch_size=16, network=Skeleton(num_channels=2, num_stages=2))
"""A training that takes milliseconds."""


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


@pytest.fixture(scope="session")
def task() -> Task:
    """Returns a small task."""
    return make_task()


def total(arch) -> jax.Array:
    """Returns a size for strategies with two objectives."""
    return arch.sum().astype(jnp.float32)


OFFERED = {"size": total, "fidelities": (1, 3)}
"""What a benchmark offers to factories whose arguments ask for it."""


def make_strategy(name: str, space, **hyperparameters) -> Strategy:
    """Returns the strategy of a name in the catalog, given what its factory asks for."""
    factory = catalog.strategy(name)
    asked = {argument: value for argument, value in OFFERED.items() if asks_for(factory, argument)}
    return factory(space, **{**asked, **hyperparameters})


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_are_dropped():
    """A process can map only so many pieces of memory, and each compiled program takes some."""
    yield
    jax.clear_caches()
