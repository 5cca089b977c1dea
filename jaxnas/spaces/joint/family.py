"""Joint spaces as a kind of network: those of the architectures' space, trained with numbers that are arguments."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from flax import nnx

from jaxnas.spaces.joint.space import JointSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.family import Applied, Family, Kernels, Plan, Size, Variables, equal_chunks, family_of
from jaxnas.training.loop import Splits
from jaxnas.training.recipe import Recipe, traced_recipe
from jaxnas.training.taps import Tap


@functools.cache
def joint_family(space: JointSpace) -> Family:
    """Returns how the networks of a joint space are trained: as those of `space.space`, whose family it changes."""
    inner = family_of(space.space)
    plan = inner.plans["sequential"]
    return inner._replace(
        init=init,
        apply=apply,
        kernels=None if inner.kernels is None else kernels,
        module=module,
        size=size,
        plans={"sequential": Plan(f"joint-1-{plan.name}", in_sequence, fit, equal_chunks, plan.precisions)},
        tapped=None if inner.tapped is None else tapped,
    )


def init(space: JointSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array, key: jax.Array) -> Variables:
    """Returns the initial arrays of the network of an architecture."""
    return family_of(space.space).init(space.space, config, spec, space.split(arch)[0], key)


def apply(
    space: JointSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    *,
    mode: str,
) -> Applied:
    """Returns what the network of an architecture gives for inputs."""
    inner = space.split(arch)[0]
    return family_of(space.space).apply(space.space, config, spec, inner, variables, inputs, mode=mode)


def tapped(
    space: JointSpace,
    config: TrainConfig,
    spec: TaskSpec,
    arch: jax.Array,
    variables: Variables,
    inputs: jax.Array,
    tap: Tap,
    *,
    mode: str,
) -> tuple[jax.Array, Any]:
    """Returns the outputs of the network of an architecture, and what a tap found."""
    function, inner = family_of(space.space).tapped, space.split(arch)[0]
    assert function is not None  # or the family has none
    return function(space.space, config, spec, inner, variables, inputs, tap, mode=mode)


def kernels(space: JointSpace, config: TrainConfig, spec: TaskSpec, arch: jax.Array) -> Kernels:
    """Returns which parameters are kernels that the architecture uses."""
    function = family_of(space.space).kernels
    assert function is not None
    return function(space.space, config, spec, space.split(arch)[0])


def module(
    space: JointSpace, config: TrainConfig, spec: TaskSpec, arch: tuple[int, ...], variables: Variables | None
) -> nnx.Module:
    """Returns the network of an architecture with the arrays of a training."""
    return family_of(space.space).module(space.space, config, spec, _inner(space, arch), variables)


def size(space: JointSpace, config: TrainConfig, spec: TaskSpec, arch: Sequence[int]) -> Size:
    """Returns the `Size` of the network of an architecture."""
    return family_of(space.space).size(space.space, config, spec, _inner(space, arch))


def in_sequence(
    space: JointSpace, config: TrainConfig, spec: TaskSpec, archs: np.ndarray, seeds: jax.Array, splits: Splits
) -> Iterator[dict[bytes, Curves]]:
    """Yields the curves [S, ...] of one vector of choices of int32[A, D] after another, under its bytes.

    Those of one architecture start from the same weights and see the same examples, whatever the hyperparameters.
    """
    check_values(space, spec, splits)
    train = family_of(space.space).plans["sequential"].train
    for arch in archs:
        inner = np.asarray(_inner(space, arch), np.int32)
        recipe = recipe_at(space, config, arch)
        parts = train(space.space, _without_numbers(config), spec, inner[None], seeds, splits, recipe)
        yield {arch.tobytes(): next(iter(parts))[inner.tobytes()]}


def fit(
    space: JointSpace, config: TrainConfig, spec: TaskSpec, arch: np.ndarray, seed: int, splits: Splits
) -> tuple[Variables, Curves]:
    """Returns the variables and the curves ([E] and scalars) of one training."""
    check_values(space, spec, splits)
    inner, recipe = np.asarray(_inner(space, arch), np.int32), recipe_at(space, config, arch)
    fit_inner = family_of(space.space).plans["sequential"].fit
    return fit_inner(space.space, _without_numbers(config), spec, inner, seed, splits, recipe)


def check_values(space: JointSpace, spec: TaskSpec, splits: Splits) -> None:
    """Raises ValueError where a task has no such hyperparameters: too few views, or labels that are no classes."""
    values = {decision.name: decision.values for decision in space.hyperparameters}
    num_views = splits[0].inputs.shape[0]
    if max(values.get("num_views", (1,))) > num_views:
        raise ValueError(
            f"Expected num_views of at most {num_views}, the views of a training example, got "
            f"{max(values['num_views'])}."
        )
    if "label_smoothing" in values and spec.goal != "class":
        raise ValueError(f"Expected a task whose goal is class for label_smoothing, got {spec.goal}.")


def recipe_at(space: JointSpace, config: TrainConfig, arch: Sequence[int] | np.ndarray) -> Recipe:
    """Returns the numbers of a training: those that the vector of choices decides, others as in the configuration."""
    return traced_recipe(config, space.recipe(arch))


def _without_numbers(config: TrainConfig) -> TrainConfig:
    """Returns the configuration that is a static argument of the program, the same for all numbers of a recipe."""
    return replace(config, learning_rate=1.0, momentum=0.0, weight_decay=0.0)


def _inner(space: JointSpace, arch: Sequence[int] | np.ndarray | jax.Array) -> tuple[int, ...]:
    return tuple(int(choice) for choice in arch[: len(space.space.decisions)])
