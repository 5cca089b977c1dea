"""Training multilayer perceptrons: one program for a space, compiled once; the architecture is an argument of it.

SGD with Nesterov momentum and a cosine schedule to zero, as for cells. What an architecture decides enters here: the
gradient of its regulariser is added to that of the loss, and its dropout is on while it is trained.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.perceptrons.network import Perceptron
from jaxnas.spaces.perceptrons.plans import _train_seeds, in_sequence
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.tasks.base import Task
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Family, Size

DEFAULT_CONFIG = TrainConfig(
    num_epochs=30, batch_size=32, learning_rate=0.1, momentum=0.9, weight_decay=0.0, skeleton=None
)
"""Regularisation is the architecture's, so that there is no weight decay besides."""


def network(space: MLPSpace, config: TrainConfig, image_shape, num_classes: int, arch) -> Perceptron:
    """Returns the untrained network of an architecture, with zeros for parameters."""
    return Perceptron(space, image_shape, num_classes, arch, key=None)


def fit(space: MLPSpace, arch: np.ndarray, task: Task, config: TrainConfig, seed: int):
    """Returns the trained `Perceptron` of an architecture, and its curves ([E] and scalars)."""
    splits = jax.device_put((task.train, task.validation, task.test))
    seeds = jnp.asarray([seed], jnp.int32)
    curves, arrays = _train_seeds(space, config, task.num_classes, jnp.asarray(arch), seeds, splits)
    fitted = network(space, config, task.image_shape, task.num_classes, arch)
    fitted.assign(jax.tree.map(lambda values: values[0], arrays))
    return fitted, jax.tree.map(lambda values: values[0], jax.device_get(curves))


def _perceptron_size(space: MLPSpace, skeleton, image_shape, num_classes: int, arch) -> Size:
    units = (math.prod(image_shape), *space.decode(arch)["layers"], num_classes)
    parameters = sum((before + 1) * after for before, after in itertools.pairwise(units))
    return Size(parameters, parameters)


FAMILY = Family(
    DEFAULT_CONFIG,
    {"sequential": in_sequence},
    fit=fit,
    network=network,
    size=_perceptron_size,
    num_axes=(1, 3),
)
