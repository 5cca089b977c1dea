"""Joint spaces as a kind of network: the networks of the inner space, trained with numbers that are arguments."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import jax
import numpy as np
from flax import nnx

from jaxnas.spaces.joint.space import JointSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.loop import Splits
from jaxnas.training.networks import (
    Applied,
    Kernels,
    Networks,
    Plan,
    ScoredNetworks,
    Size,
    Variables,
    equal_chunks,
    networks_class,
    networks_of,
)
from jaxnas.training.recipe import Recipe, traced_recipe
from jaxnas.training.recorder import SILENT, Recorder


class JointNetworks(Networks):
    """The networks of a joint space: the networks of `space.space` for the architecture's part of the choices."""

    space: JointSpace

    @property
    def inner(self) -> Networks:
        """Returns the networks of the architectures' space."""
        return networks_of(self.space.space, self.config, self.spec)

    def init(self, key: jax.Array, arch: jax.Array) -> Variables:
        return self.inner.init(key, self.space.split(arch)[0])

    def apply(
        self, variables: Variables, choice: jax.Array, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        return self.inner.apply(variables, self.space.split(choice)[0], inputs, mode=mode, recorder=recorder)

    def module(self, arch: tuple[int, ...], variables: Variables) -> nnx.Module:
        return self.inner.module(_inner(self.space, arch), variables)

    def size(self, arch: tuple[int, ...]) -> Size:
        return self.inner.size(_inner(self.space, arch))


class ScoredJointNetworks(JointNetworks, ScoredNetworks):
    """The networks of a joint space whose architectures' networks all proxies score."""

    def kernels(self, arch: jax.Array) -> Kernels:
        inner = self.inner
        assert isinstance(inner, ScoredNetworks)  # ensured by `joint_networks`
        return inner.kernels(self.space.split(arch)[0])


@functools.cache
def joint_networks(space: JointSpace) -> type[Networks]:
    """Returns the class of the networks of a joint space, with inputs, goals and defaults as in `space.space`."""
    inner = networks_class(space.space)
    plan = inner.plans["sequential"]
    own = Plan(f"joint-1-{plan.name}", in_sequence, fit, equal_chunks, plan.precisions)
    same = {name: getattr(inner, name) for name in ("inputs", "goals", "default", "baselines")}
    base = ScoredJointNetworks if issubclass(inner, ScoredNetworks) else JointNetworks
    return type(base.__name__, (base,), {**same, "plans": {"sequential": own}, "__module__": __name__})


def in_sequence(
    networks: JointNetworks, archs: np.ndarray, seeds: jax.Array, splits: Splits
) -> Iterator[dict[bytes, Curves]]:
    """Yields the curves [S, ...] of one vector of choices of int32[A, D] after another, under its bytes.

    All trainings of an architecture and a seed start from the same weights and see the same examples.
    """
    check_values(networks.space, networks.spec, splits)
    inner = _without_numbers(networks.inner)
    for arch in archs:
        own = np.asarray(_inner(networks.space, arch), np.int32)
        recipe = recipe_at(networks.space, networks.config, arch)
        parts = inner.plans["sequential"].train(inner, own[None], seeds, splits, recipe)
        yield {arch.tobytes(): next(iter(parts))[own.tobytes()]}


def fit(networks: JointNetworks, arch: np.ndarray, seed: int, splits: Splits) -> tuple[Variables, Curves]:
    """Returns the variables and the curves ([E] and scalars) of one training."""
    check_values(networks.space, networks.spec, splits)
    inner, own = _without_numbers(networks.inner), np.asarray(_inner(networks.space, arch), np.int32)
    recipe = recipe_at(networks.space, networks.config, arch)
    return inner.plans["sequential"].fit(inner, own, seed, splits, recipe)


def check_values(space: JointSpace, spec: TaskSpec, splits: Splits) -> None:
    """Raises ValueError if a task has no such hyperparameters: too few views, or labels that are not classes."""
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
    """Returns the numbers of a training: from the vector of choices if it decides them, else from the configuration."""
    return traced_recipe(config, space.recipe(arch))


def _without_numbers(networks: Networks) -> Networks:
    """Returns the networks that are a static argument of the program, the same for all numbers of a recipe."""
    config = replace(networks.config, learning_rate=1.0, momentum=0.0, weight_decay=0.0)
    return replace(networks, config=config)


def _inner(space: JointSpace, arch: Sequence[int] | np.ndarray | jax.Array) -> tuple[int, ...]:
    return tuple(int(choice) for choice in arch[: len(space.space.decisions)])
