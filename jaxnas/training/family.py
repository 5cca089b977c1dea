"""What training must know of a kind of space: a `Family`, found by the name in `space.family`."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jaxnas import catalog
from jaxnas.training.config import FLOAT32, TrainConfig

CHUNK_SIZE = 16


class TrainableSpace(Protocol):
    """What training asks of a search space, besides a `family`; every `Space` is one."""

    @property
    def name(self) -> str: ...

    @property
    def decisions(self) -> tuple: ...

    def canonical(self, arch: Any) -> jax.Array: ...

    def to_str(self, arch: Any) -> str: ...

    def decode(self, arch: Any) -> dict: ...

    def description(self) -> dict: ...


class Variables(NamedTuple):
    """The arrays of a network: pytrees of trained parameters, and of statistics such as those of normalization."""

    parameters: Any
    statistics: Any = ()


class Applied(NamedTuple):
    """What a network gives: outputs [N, K], or [N, T, K] where there is one a step, and in mode `"train"` the
    statistics of the batch.
    """

    outputs: jax.Array
    statistics: Any = ()


class Size(NamedTuple):
    """The size of a network: trainable parameters, and multiply-accumulates for one example.

    Multiply-accumulates are those of convolutions and of linear maps, their bias included, as NAS-Bench-201 counts
    them; so a multilayer perceptron has as many as parameters.
    """

    num_parameters: int
    num_flops: int


class Kernels(NamedTuple):
    """Which parameters are kernels that the architecture uses.

    `live` has the structure of the parameters, 1 for each number of such a kernel and 0 elsewhere; `layer` has the
    number of the layer that each belongs to, int32, -1 elsewhere; `num_layers`, an int, is above all of these whatever
    the architecture. In an array with several axes, a row along the first one holds numbers of one layer at most.
    """

    live: Any
    layer: Any
    num_layers: int


class Plan(NamedTuple):
    """One way to compile and batch the trainings of a kind of network.

    Attributes:
        name: in manifests. It changes when the numbers of trainings change.
        train: `(space, config, spec, archs int32[A, D], seeds int32[S], splits)` -> iterator of dicts from the bytes of
            an architecture to its `Curves` [S, ...], in any order and grouping. That of `"sequential"` takes a `Recipe`
            after the splits, in place of the numbers of the configuration.
        fit: `(space, config, spec, arch, seed, splits) -> (Variables, Curves)` of one training; likewise.
        chunks: `(space, rows, num_seeds)` -> tuples of rows that one call of `train` takes together.
        precisions: of a `TrainConfig`, that it can train in.
    """

    name: str
    train: Callable
    fit: Callable
    chunks: Callable
    precisions: tuple[str, ...] = (FLOAT32,)


class Gates(NamedTuple):
    """What each decision's output is multiplied by, and what is then added to it: float32[E] both.

    One and zero change nothing; their gradients are those of a straight-through estimator.
    """

    scale: jax.Array
    offset: jax.Array


class Shared(NamedTuple):
    """One network whose arrays serve all architectures of a space: a supernet.

    It is normalized by the statistics of the batch in training and evaluation, without scales and biases of its own, so
    that it has no state. The functions take the space, a `TrainConfig` and a `TaskSpec`, all static.

    Attributes:
        init: `(space, config, spec, key, partial=1) -> parameters`. `partial`: of how many parts of the channels the
            operations of a mixture see one.
        path: `(space, config, spec, parameters, arch, inputs [N, ...], gates=None) -> outputs [N, K]` of one
            architecture, which may be traced, and must not be batched. `gates` are `Gates` or None.
        mixture: `(space, config, spec, parameters, weights, inputs, partial=1) -> outputs` where each decision's output
            is the sum of its choices' by `weights`, float32[E, K]; None for kinds without.
        trained: `(space, config, spec, partial=1) -> ` a pytree as the parameters, 1 for what is trained, 0 for what
            stays as it was made.
        used: `(space, config, spec, arch) -> ` a pytree that broadcasts with the parameters, 1 for what the
            architecture uses.
        flops: `(space, config, spec) -> (float, float64[E, K])`, the multiply-accumulates for one example of what all
            architectures have, and of each choice; None for kinds without a mixture.
    """

    init: Callable
    path: Callable
    mixture: Callable | None
    trained: Callable
    used: Callable
    flops: Callable | None


class Family(NamedTuple):
    """All that training, sizing, saving and searching must know of a kind of space.

    The functions take the space, a `TrainConfig` whose `network` is set and a `TaskSpec`, all static, and then an
    architecture: int32[D], which may be traced, in `init`, `apply` and `kernels`; a tuple of ints in `module` and
    `size`. A traced architecture must not be batched, or every branch of it would run.

    Attributes:
        config: how networks are trained by default; its `network` is the kind's own frozen dataclass, or None.
        inputs: the kinds of task that can be trained on: `"images"`, `"vectors"`, `"sequences"`, `"tokens"`,
            `"graphs"`. Scores without training give tokens as numbers float32[N, T, V], 1 for each step's token, NaN
            for padding.
        init: `(space, config, spec, arch, key) -> Variables`, whose shapes do not depend on the architecture.
        apply: `(space, config, spec, arch, variables, inputs [N, ...], *, mode) -> Applied`; `mode` is `"train"` or
            `"evaluate"`, or `"identity"`: as in evaluation, and normalization by what is normalized is left out.
        kernels: `(space, config, spec, arch) -> Kernels`; None for kinds that cannot say.
        module: `(space, config, spec, arch, variables or None) -> nnx.Module`: the network of one architecture with
            the arrays that `init` made and training changed; None: arrays of any value.
        size: `(space, config, spec, arch) -> Size`.
        plans: by name; `"sequential"` always.
        tapped: `(space, config, spec, arch, variables, inputs, tap, *, mode) -> (outputs, statistics)`: what `apply`
            computes, with a `jaxnas.training.taps.Tap` at each inner array, for scores without training; None for
            kinds without.
        goals: what networks of the kind can be trained for, names of `jaxnas.tasks.goals.GOALS`.
        shared: the supernet, for one-shot search; None for kinds without.
        baselines: `module:NAME` of a space of networks of the literature that are trained with the same
            configuration: lines to beat, named by their decisions' values. None for kinds without.
    """

    config: TrainConfig
    inputs: tuple[str, ...]
    init: Callable
    apply: Callable
    kernels: Callable | None
    module: Callable
    size: Callable
    plans: dict[str, Plan]
    tapped: Callable | None = None
    goals: tuple[str, ...] = ("class",)
    shared: Shared | None = None
    baselines: str | None = None


def family_of(space: TrainableSpace) -> Family:
    """Returns how the networks of a space are trained.

    `space.family` is the dotted name of a module with a `FAMILY`, or `module:NAME` or `path/to/file.py:NAME`; or
    `module:name()` of a function that returns the family of a space.

    Raises:
        ValueError: where the space has no networks, or its family cannot be found.
    """
    name = getattr(space, "family", None)
    if name is None:
        raise ValueError(f"Expected a space with networks, such as a CellSpace, got a {type(space).__name__}.")
    found = catalog.load((name if ":" in name else f"{name}:FAMILY").removesuffix("()"))
    found = found(space) if name.endswith("()") else found
    if not isinstance(found, Family):
        raise ValueError(f"Expected a Family at {name}, got {type(found).__name__}.")
    return found


def default_plan(family: Family, platform: str | None = None) -> str:
    """Returns the name of the plan that trains networks of a kind on a back end, such as `"cpu"`; None: on this one."""
    return "packed" if (platform or jax.default_backend()) != "cpu" and "packed" in family.plans else "sequential"


def equal_chunks(space: TrainableSpace, rows: np.ndarray, num_seeds: int) -> list[tuple[int, ...]]:
    """Returns the rows in chunks of `CHUNK_SIZE`: the chunks of a plan that trains one architecture at a time."""
    return [tuple(rows[start : start + CHUNK_SIZE].tolist()) for start in range(0, len(rows), CHUNK_SIZE)]
