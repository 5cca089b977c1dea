"""The trainer: a space, a task and a recipe together."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.checks import checked_seed
from jaxnas.tasks.base import Split, Task
from jaxnas.training.config import FLOAT32, TrainConfig, check_fit, config_to_dict
from jaxnas.training.curves import Curves
from jaxnas.training.definition import Definition, definition_of
from jaxnas.training.fitted import FittedModel
from jaxnas.training.inputs import Inputs
from jaxnas.training.networks import Networks, Plan, Size, TrainableSpace, default_plan, networks_class
from jaxnas.training.order import training_key

MAX_SEED = 2**31 - 1  # tables hold seeds as int32
VALUE_RATE = 0.1
"""The learning rate for real numbers, as a share of the rate for classes."""
SpaceType = TypeVar("SpaceType", bound=TrainableSpace)


class Trainer(Generic[SpaceType]):
    """The networks of a space on a task, trained in one way.

    Defaults, checks and the transfer of data to the device happen here, once.

    Attributes:
        space, task: the space and the task, with images in the resolution of `config`.
        config: the training configuration, with batches and the kind's `network` filled in.
        networks: the networks, bound to the space, the task and the configuration.

    Raises ValueError if the networks of the space cannot be trained on the task in this way.
    """

    def __init__(
        self,
        space: SpaceType,
        task: Task,
        config: TrainConfig | None = None,
        *,
        num_epochs: int | None = None,
    ):
        """Makes a trainer.

        Args:
            config: by default the kind's configuration, with smaller batches if the task has few examples.
            num_epochs: instead of those of `config`.
        """
        self.space: SpaceType = space
        kind = networks_class(space)
        if not isinstance(task, Task):
            raise ValueError(f"Make a Task by jn.task(name) or jn.task_from_arrays(X, y); got {type(task).__name__}.")
        config = config or default_config(space, task)
        task = task if config.resolution is None else task.shrunk(config.resolution)
        self.task: Task = task
        if config.network is None:
            config = replace(config, network=kind.default.network)
        self.config: TrainConfig = config if num_epochs is None else replace(config, num_epochs=num_epochs)
        if type(self.config.network) is not type(kind.default.network):
            expected, found = type(kind.default.network).__name__, type(self.config.network).__name__
            raise ValueError(f"Expected config.network to be a {expected} for {space.name}, got a {found}.")
        if task.kind not in kind.inputs:
            raise ValueError(
                f"Expected a task of {' or '.join(kind.inputs)} for a {type(space).__name__}, got {task.name},"
                f" {task.kind} of shape {list(task.shape)}."
            )
        if task.goal not in kind.goals:
            raise ValueError(
                f"Expected a task with the goal {' or '.join(kind.goals)} for a {type(space).__name__}, got "
                f"{task.name} with {task.goal}."
            )
        self.networks: Networks = kind(space, self.config, task.spec)
        check_fit(task, self.config)
        if self.config.precision != FLOAT32:
            self.plan("sequential")  # raises an error if it does not have that precision

    def __reduce__(self) -> tuple:
        """Returns how a copy is made: of what defines it, without the arrays on the device."""
        return Trainer, (self.space, self.task, self.config)

    @functools.cached_property
    def _splits(self) -> tuple[Split, Split, Split]:
        return jax.device_put((self.task.train, self.task.validation, self.task.test))

    def plan(self, name: str | None = None) -> Plan:
        """Returns the plan of a name; None for the one of this back end. Its own name tells the precision.

        Raises ValueError on another name, or if the plan does not train in the precision of the recipe.
        """
        plans = self.networks.plans
        name = default_plan(type(self.networks)) if name is None else name
        if name not in plans:
            raise ValueError(f"Expected a plan of {', '.join(plans)}, got {name!r}.")
        found, precision = plans[name], self.config.precision
        if precision not in found.precisions:
            raise ValueError(
                f"Expected a precision of {' or '.join(found.precisions)} for {self.space.name}, in which its plan "
                f"{found.name} trains, got {precision}."
            )
        return found if precision == FLOAT32 else found._replace(name=f"{found.name}-{precision}")

    def curves(
        self,
        archs: Any,
        seeds: Sequence[int] = (0,),
        *,
        plan: str | None = None,
        progress: Callable[[], None] | None = None,
    ) -> Curves:
        """Returns the `Curves` [A, S, ...] of trainings of each architecture with each seed.

        The representative of an architecture's class is trained, and only once if several of the class are given. One
        compilation serves the whole space.

        Two plans give the same trainings up to the order of sums, which training amplifies: the first step agrees,
        final counts differ. In the plan `"sequential"`, for CPU, architectures are trained in sequence and seeds
        together; a training's numbers do not depend on what else is trained. In the plan `"packed"`, for accelerators,
        many architectures are trained together, packed by operation (`jaxnas.spaces.cells.packed`); run on CPU only.

        Args:
            archs: int32[A, D] or a sequence of architectures.
            seeds: seed numbers, 0 or more.
            plan: `"sequential"`, or for cell spaces `"packed"`; by default the one for this back end.
            progress: called after each architecture.

        Raises ValueError on wrong shapes, seeds or plans.
        """
        archs = np.asarray(archs)
        if archs.ndim != 2 or archs.shape[1] != len(self.space.decisions) or not len(archs):
            raise ValueError(
                f"Expected architectures of shape [A, {len(self.space.decisions)}], got {list(archs.shape)}."
            )
        if archs.dtype.kind not in "iu":
            raise ValueError(f"Expected architectures of integers, got {archs.dtype}.")
        archs = archs.astype(np.int32)
        if not len(seeds):
            raise ValueError("Expected one or more seeds, got none.")
        seeds = [checked_seed(seed, MAX_SEED) for seed in seeds]
        train = self.plan(plan).train
        archs = np.stack([np.asarray(self.space.canonical(arch)) for arch in archs])
        names = [arch.tobytes() for arch in archs]
        first = np.sort(np.unique(archs, axis=0, return_index=True)[1])
        parts = train(self.networks, archs[first], jnp.asarray(seeds, jnp.int32), self._splits)
        found: dict[bytes, Curves] = {}
        for name in names:
            while name not in found:
                found |= next(parts)
            if progress:
                progress()
        return jax.tree.map(lambda *values: np.stack(values), *(found[name] for name in names))

    def network(self, arch: Any, seed: int = 0) -> tuple[nnx.Module, Curves]:
        """Returns the trained network of an architecture, an ordinary Flax module, and its curves ([E] and scalars).

        The training is the one that `curves` runs for this architecture and seed with the plan `"sequential"`.
        """
        arch = np.asarray(self.space.canonical(arch), np.int32)
        fit, seed = self.networks.plans["sequential"].fit, checked_seed(seed, MAX_SEED)
        variables, curves = fit(self.networks, arch, seed, self._splits)
        return self.networks.module(tuple(int(choice) for choice in arch), variables), curves

    def untrained(self, arch: Any, seed: int = 0) -> nnx.Module:
        """Returns the network of an architecture, an ordinary Flax module, with initial arrays drawn by a seed."""
        arch = jnp.asarray(self.space.canonical(arch), jnp.int32)
        variables = jax.jit(self.networks.init)(training_key(arch, checked_seed(seed, MAX_SEED)), arch)
        return self.networks.module(tuple(int(choice) for choice in arch), variables)

    def fit(self, arch: Any, seed: int = 0) -> FittedModel:
        """Returns the fitted model of an architecture.

        Raises FloatingPointError if the training diverged.
        """
        network, curves = self.network(arch, seed)
        diverged = ~np.isfinite(curves.loss)
        if diverged.any():
            raise FloatingPointError(
                f"Expected a training that converges, got one with seed {seed} that diverged in epoch"
                f" {diverged.argmax() + 1} of {self.config.num_epochs}; try a smaller learning rate or fewer epochs."
            )
        task = self.task
        choices = tuple(int(choice) for choice in np.asarray(self.space.canonical(arch)))
        classes = np.asarray(task.classes if task.classes or task.goal == "value" else range(task.num_classes))
        labels = (task.label_mean, task.label_deviation)
        inputs = Inputs(task.spec, task.mean, task.deviation, classes, task.vocabulary, *labels)
        model = FittedModel(network, self.space, choices, self.config, inputs, task)
        model.curves = curves
        return model

    def size(self, arch: Any) -> Size:
        """Returns the `Size` of an architecture, of the network of its class."""
        choices = tuple(int(choice) for choice in np.asarray(self.space.canonical(arch)))
        return self.networks.size(choices)

    def description(self, plan: str = "sequential") -> dict[str, Any]:
        """Returns all that the numbers of a training depend on, as JSON values: for plans of builds and journals."""
        definition = self.definition
        return {
            "space": self.space.description(),
            "task": self.task.sha256,
            "config": config_to_dict(self.config),
            "plan": self.plan(plan).name,
            **({"code of the space": definition.code} if definition.code else {}),
            **({"not compared": list(definition.unknown)} if definition.unknown else {}),
        }

    @functools.cached_property
    def definition(self) -> Definition:
        """Returns the definition of user-defined functions in the space or its networks."""
        return definition_of((self.space, type(self.networks), self.networks.plans))


def default_config(space: TrainableSpace, task: Task | None = None) -> TrainConfig:
    """Returns the default training configuration of a space, with smaller batches if a task has few examples.

    Steps of SGD are smaller for real numbers: gradients of squared errors are unbounded.
    """
    default = networks_class(space).default
    if task is not None and task.goal == "value" and default.optimizer == "sgd":
        default = replace(default, learning_rate=VALUE_RATE * default.learning_rate)
    num_examples = default.batch_size if task is None else task.train.inputs.shape[1]
    return replace(default, batch_size=min(default.batch_size, num_examples))
