"""Training: one program for a whole search space, compiled once; the architecture is an argument of it."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.spaces.cells.network import Network, specialize
from jaxnas.spaces.cells.plans import _in_packs, _in_sequence, _train_one
from jaxnas.spaces.cells.size import _cell_network_size
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.tasks.base import Task
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Family


def _fit_cell_network(space: CellSpace, arch: np.ndarray, task: Task, config: TrainConfig, seed: int):
    """Returns the trained static `Network` of an architecture, and its curves ([E] and scalars)."""
    splits = jax.device_put((task.train, task.validation, task.test))
    curves, trainee = _train_one(space, config, task.num_classes, jnp.asarray(arch), seed, splits)
    template = Network(
        space, config.skeleton, task.image_shape, task.num_classes, jnp.asarray(arch), key=jax.random.key(0)
    )
    nnx.update(template, trainee.parameters, trainee.statistics)
    return specialize(template, tuple(int(choice) for choice in arch)), jax.device_get(curves)


def _cell_network(space: CellSpace, config: TrainConfig, image_shape, num_classes: int, arch: tuple[int, ...]):
    return Network(space, config.skeleton, image_shape, num_classes, arch, key=jax.random.key(0))


FAMILY = Family(
    TrainConfig(),
    {"sequential": _in_sequence, "packed": _in_packs},
    fit=_fit_cell_network,
    network=_cell_network,
    size=_cell_network_size,
    num_axes=(3,),
)
