"""The interface of a kind of network to training, sizing, saving and searching: the abstract class `Networks`.

A kind of network is one final class. An object of it binds a space, a recipe and a task once, is hashable, and is the
one static argument of compiled programs.
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas import catalog
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training.config import FLOAT32, TrainConfig
from jaxnas.training.recorder import SILENT, Recorder, Tap

CHUNK_SIZE = 16


class TrainableSpace(Protocol):
    """The members of a search space that training uses, besides its `networks`; every `Space` has them."""

    @property
    def name(self) -> str: ...

    @property
    def decisions(self) -> tuple: ...

    def canonical(self, arch: Any) -> jax.Array: ...

    def to_str(self, arch: Any) -> str: ...

    def decode(self, arch: Any) -> dict: ...

    def description(self) -> dict: ...


class Variables(NamedTuple):
    """The arrays of a network: pytrees of trained parameters, and of statistics, such as means for normalization."""

    parameters: Any
    statistics: Any = ()


class Applied(NamedTuple):
    """The results of a network: outputs [N, K], or [N, T, K] with one a step, and in mode `"train"` the statistics of
    the batch.
    """

    outputs: jax.Array
    statistics: Any = ()


class Size(NamedTuple):
    """The size of a network: trainable parameters, and multiply-accumulates for one example.

    Convolutions and linear maps count, biases included, as in NAS-Bench-201; so a multilayer perceptron has as many
    multiply-accumulates as parameters.
    """

    num_parameters: int
    num_flops: int


class Kernels(NamedTuple):
    """Which parameters are kernels that the architecture uses.

    `live` has the structure of the parameters, 1 for each number of such a kernel and 0 elsewhere; `layer` has the
    number of the layer that each belongs to, int32, -1 elsewhere; `num_layers`, an int, exceeds these numbers for every
    architecture. In an array with several axes, a row along the first one holds numbers of one layer at most.
    """

    live: Any
    layer: Any
    num_layers: int


class Plan(NamedTuple):
    """One way to compile and batch the trainings of a kind of network.

    Attributes:
        name: its name in manifests. It changes when the numbers of trainings change.
        train: `(networks, archs int32[A, D], seeds int32[S], splits)` -> iterator of dicts from the bytes of an
            architecture to its `Curves` [S, ...], in any order and grouping. In `"sequential"` it takes a `Recipe`
            after the splits, which replaces the numbers of the configuration.
        fit: `(networks, arch, seed, splits) -> (Variables, Curves)` of one training; likewise.
        chunks: `(space, rows, num_seeds)` -> tuples of rows that one call of `train` takes together.
        precisions: the precisions of a `TrainConfig` that it can train in.
    """

    name: str
    train: Callable
    fit: Callable
    chunks: Callable
    precisions: tuple[str, ...] = (FLOAT32,)


class Gated(NamedTuple):
    """An architecture with gates: each decision's output is multiplied by `scale`, then `offset` is added to it.

    `arch` is an architecture int32[E], or the weights of a mixture, float32[E, K], to which nothing is added; the
    others are float32[E], or None. A scale of one and an offset of zero change nothing, but their gradients give a
    straight-through estimator.
    """

    arch: jax.Array
    scale: jax.Array | None = None
    offset: jax.Array | None = None


@dataclass(frozen=True)
class Networks(abc.ABC):
    """The networks of a space on a kind of task, trained in one way.

    A traced architecture is int32[D] and must not be batched, or every branch of it would run; one that is not traced
    is a tuple of ints.

    Attributes:
        space, config, spec: the space, the training configuration, and the properties of the task. The `network` of
            `config` is the frozen dataclass of the kind, or None.
        inputs: the kinds of task that can be trained on: `"images"`, `"vectors"`, `"sequences"`, `"tokens"`,
            `"graphs"`. Zero-cost proxies give tokens as numbers float32[N, T, V], 1 for each step's token, NaN for
            padding.
        default: the default training configuration of the kind.
        plans: by name; `"sequential"` always.
        goals: the goals that networks of the kind can be trained for, names of `jaxnas.tasks.goals.GOALS`.
        baselines: `module:NAME` of a space of networks of the literature that are trained with the same
            configuration, named by their decisions' values. None for kinds without.
    """

    space: Any
    config: TrainConfig
    spec: TaskSpec
    inputs: ClassVar[tuple[str, ...]]
    default: ClassVar[TrainConfig]
    plans: ClassVar[dict[str, Plan]]
    goals: ClassVar[tuple[str, ...]] = ("class",)
    baselines: ClassVar[str | None] = None

    @abc.abstractmethod
    def init(self, key: jax.Array, arch: jax.Array) -> Variables:
        """Returns the initial arrays of an architecture, which may be traced; shapes do not depend on it."""

    @abc.abstractmethod
    def apply(
        self, variables: Variables, choice: Any, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the outputs for inputs [N, ...].

        Args:
            variables: the arrays of the architecture, or of a supernet, without statistics.
            choice: an architecture int32[D], which may be traced. A supernet with mixtures also takes the weights of
                all choices, float32[E, K], or a `Gated` architecture.
            mode: `"train"` or `"evaluate"`, or `"identity"`: as in evaluation, but without normalization by statistics
                of the normalized array itself. A supernet is normalized by the batch, in mode `"train"`.
            recorder: receives the inner arrays.
        """

    @abc.abstractmethod
    def module(self, arch: tuple[int, ...], variables: Variables) -> nnx.Module:
        """Returns the network of one architecture with the arrays that `init` made and training changed."""

    @abc.abstractmethod
    def size(self, arch: tuple[int, ...]) -> Size:
        """Returns the `Size` of the network of an architecture."""

    def blank(self, arch: tuple[int, ...]) -> nnx.Module:
        """Returns the network of one architecture with zeros, to be filled with the arrays of a saved one."""
        shapes = jax.eval_shape(self.init, jax.random.key(0), jnp.asarray(arch, jnp.int32))
        return self.module(arch, jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes))

    def loss(self, variables: Variables, choice: Any, inputs: jax.Array, labels: jax.Array) -> jax.Array:
        """Returns the mean loss of a batch, by the statistics of the batch."""
        outputs = self.apply(variables, choice, inputs, mode="train").outputs
        return GOALS[self.spec.goal].loss(outputs, labels)


class AppliedNetwork(nnx.Module):
    """The network of one architecture that computes `Networks.apply`, with all the arrays that `init` makes.

    Attributes:
        networks, arch: its kind of network and its architecture.
    """

    def __init__(self, networks: Networks, arch: tuple[int, ...], variables: Variables):
        self.networks, self.arch, self.structure = networks, arch, jax.tree.structure(variables)
        self.arrays = nnx.List([nnx.Param(each) for each in jax.tree.leaves(variables)])

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Returns the outputs of the network for inputs [N, ...]."""
        variables = jax.tree.unflatten(self.structure, [each[...] for each in self.arrays])
        return self.networks.apply(variables, jnp.asarray(self.arch), inputs, mode="evaluate").outputs


class ScoredNetworks(Networks):
    """Networks that all zero-cost proxies score: `apply` shows a recorder the inner arrays, and kernels are known."""

    @abc.abstractmethod
    def kernels(self, arch: jax.Array) -> Kernels:
        """Returns which parameters are kernels of an architecture, which may be traced."""

    def tapped(
        self, variables: Variables, arch: jax.Array, inputs: jax.Array, tap: Tap, mode: str = "train"
    ) -> tuple[jax.Array, Any]:
        """Returns the outputs, and the sum of the statistics that a tap gives."""
        recorder = Recorder(tap, len(inputs))
        outputs = self.apply(variables, arch, inputs, mode=mode, recorder=recorder).outputs
        return outputs, recorder.statistics


class SharedNetworks(Networks):
    """Networks whose arrays all architectures can share: a supernet.

    It is normalized by the statistics of the batch in training and evaluation, without scales and biases, and so has
    no state.
    """

    @abc.abstractmethod
    def init(self, key: jax.Array, arch: jax.Array | None = None) -> Variables:
        """Returns the initial arrays of an architecture; for None, of the supernet, without statistics."""

    @abc.abstractmethod
    def trained(self) -> Any:
        """Returns a pytree like the shared parameters, 1 for trained parameters, 0 for fixed ones."""

    @abc.abstractmethod
    def used(self, arch: jax.Array) -> Any:
        """Returns a pytree that broadcasts with the shared parameters, 1 for those that an architecture uses."""


@dataclass(frozen=True)
class MixedNetworks(SharedNetworks):
    """Networks whose supernet can run a mixture: each decision's output is the weighted sum of its choices'.

    Attributes:
        partial: the number of parts of the channels; the operations of a mixture see one part.
    """

    partial: int = 1

    @abc.abstractmethod
    def flops(self) -> tuple[float, np.ndarray]:
        """Returns the multiply-accumulates for one example of the common part, and of each choice, float64[E, K]."""


def networks_class(space: TrainableSpace) -> type[Networks]:
    """Returns the class of the networks of a space.

    `space.networks` is a class, or the name of one: `module:NAME` or `path/to/file.py:NAME`; or `module:name()` of a
    function that returns the class for a space.

    Raises ValueError if the space has no networks, or their class cannot be found or lacks something.
    """
    named = getattr(space, "networks", None)
    if named is None:
        hint = "Without networks a space is searched on a table, or by an evaluator."
        hint = f"Make a space by jn.space({space!r})." if isinstance(space, str) else hint
        raise ValueError(f"{hint} Expected a space with networks, such as a CellSpace, got a {type(space).__name__}.")
    found = named
    if isinstance(named, str):
        if ":" not in named:
            raise ValueError(f"Expected networks as module:NAME, got {named!r}.")
        found = catalog.load(named.removesuffix("()"))
        found = found(space) if named.endswith("()") else found
    if not (isinstance(found, type) and issubclass(found, Networks)):
        raise ValueError(f"Expected a class of Networks at {named}, got {found!r:.60}.")
    lacking = [name for name in ("inputs", "default", "plans") if not hasattr(found, name)]
    if lacking := [*lacking, *sorted(found.__abstractmethods__)]:
        raise ValueError(f"Expected {found.__name__} to define {', '.join(lacking)}, got a class without.")
    return found


def networks_of(space: TrainableSpace, config: TrainConfig, spec: TaskSpec) -> Networks:
    """Returns the networks of a space for a kind of task. Raises ValueError as `networks_class`."""
    return networks_class(space)(space, config, spec)


def default_plan(networks: type[Networks], platform: str | None = None) -> str:
    """Returns the name of the plan that trains networks of a kind on a back end, such as `"cpu"`; None: on this one."""
    return "packed" if (platform or jax.default_backend()) != "cpu" and "packed" in networks.plans else "sequential"


def equal_chunks(space: TrainableSpace, rows: np.ndarray, num_seeds: int) -> list[tuple[int, ...]]:
    """Returns the rows in chunks of `CHUNK_SIZE`: the chunks of a plan that trains one architecture at a time."""
    return [tuple(rows[start : start + CHUNK_SIZE].tolist()) for start in range(0, len(rows), CHUNK_SIZE)]
