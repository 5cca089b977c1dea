"""Training: one program for a whole search space, compiled once; the architecture is an argument of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.tasks.base import Task
from jaxnas.training.config import TrainConfig, check_fit
from jaxnas.training.curves import Curves
from jaxnas.training.family import family_of


def default_config(space, task: Task | None = None) -> TrainConfig:
    """Returns the training of a space's networks by default, with smaller batches where a task has too few images."""
    config = family_of(space).config
    num_images = config.batch_size if task is None else task.train.images.shape[1]
    return replace(config, batch_size=min(config.batch_size, num_images))


def default_plan(space) -> str:
    """Returns the name of the plan that `evaluate` follows for a space on this back end."""
    plans = family_of(space).plans
    return "packed" if jax.default_backend() != "cpu" and "packed" in plans else "sequential"


def evaluate(
    space,
    archs,
    task: Task,
    config: TrainConfig | None = None,
    seeds: Sequence[int] = (0,),
    progress: Callable[[], None] | None = None,
    plan: str | None = None,
) -> Curves:
    """Returns the `Curves` of trainings of each architecture with each seed.

    The representative of an architecture's class is trained, once where several of the class are asked for. One
    compilation serves the whole space.

    Two plans give the same trainings up to the order of sums, which training amplifies: the first step agrees, final
    counts differ. In the plan `"sequential"`, for CPU, architectures are trained in sequence and seeds together; a
    training's numbers do not depend on what else is trained. In the plan `"packed"`, for accelerators, many
    architectures are trained together, packed by operation (`jaxnas.spaces.cells.packed`). It has been run
    on CPU only.

    Args:
        archs: int32[A, D] or a sequence of architectures.
        config: by default that of `default_config`.
        seeds: seed numbers, 0 or more.
        progress: called after each architecture.
        plan: `"sequential"`, or for cell spaces `"packed"`; by default the one for this back end.

    Raises:
        ValueError: where the arguments do not fit together.
    """
    archs = np.asarray(archs, np.int32)
    if archs.ndim != 2 or archs.shape[1] != len(space.decisions) or not len(archs):
        raise ValueError(f"Expected architectures of shape [A, {len(space.decisions)}], got {list(archs.shape)}.")
    if not len(seeds) or min(seeds) < 0:
        raise ValueError(f"Expected one or more seeds of 0 or more, got {list(seeds)}.")
    plans = family_of(space).plans
    config = config or default_config(space, task)
    check_trainable(space, task, config)
    plan = default_plan(space) if plan is None else plan
    if plan not in plans:
        raise ValueError(f"Expected a plan of {', '.join(plans)}, got {plan!r}.")
    splits = jax.device_put((task.train, task.validation, task.test))
    archs = np.stack([np.asarray(space.canonical(arch)) for arch in archs])
    rows = [arch.tobytes() for arch in archs]
    first = np.sort(np.unique(archs, axis=0, return_index=True)[1])
    parts = plans[plan](space, config, task.num_classes, archs[first], jnp.asarray(seeds, jnp.int32), splits)
    found = {}
    for row in rows:
        while row not in found:
            found |= next(parts)
        if progress:
            progress()
    return jax.tree.map(lambda *values: np.stack(values), *(found[row] for row in rows))


def fit(space, arch, task: Task, config: TrainConfig | None = None, seed: int = 0) -> tuple[nnx.Module, Curves]:
    """Returns the trained static network of an architecture, and its curves ([E] and scalars).

    The network is an ordinary Flax module. The training is the one that `evaluate` runs for this architecture and
    seed with the plan `"sequential"`.
    """
    config = config or default_config(space, task)
    check_trainable(space, task, config)
    return family_of(space).fit(space, np.asarray(space.canonical(arch)), task, config, seed)


def check_trainable(space, task: Task, config: TrainConfig) -> None:
    """Raises ValueError where the networks of a space cannot be trained on a task in this way."""
    num_axes = family_of(space).num_axes
    if len(task.image_shape) not in num_axes:
        raise ValueError(
            f"Expected images of height, width and channels for a {type(space).__name__}, got samples of shape"
            f" {list(task.image_shape)}; vectors are for an MLPSpace."
        )
    check_fit(task, config)
