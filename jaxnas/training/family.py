"""What training must know of a kind of space: a `Family`, in the module that `space.family` names."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

from jaxnas.training.config import TrainConfig


class Size(NamedTuple):
    """The size of a network: trainable parameters, and multiply-accumulates for one image.

    Multiply-accumulates are those of convolutions and of linear maps, their bias included, as NAS-Bench-201 counts
    them; so a multilayer perceptron has as many as parameters.
    """

    num_parameters: int
    num_flops: int


class Family(NamedTuple):
    """How the networks of a kind of space are trained.

    Attributes:
        config: the training by default.
        plans: of `evaluate`, by name: `(space, config, num_classes, archs, seeds, splits)` -> iterator over parts.
        fit: `(space, arch, task, config, seed) -> (network, Curves)`.
        network: `(space, config, image_shape, num_classes, arch)` -> the static network, untrained; arch is a tuple.
        size: `(space, skeleton, image_shape, num_classes, arch) -> Size`.
        num_axes: how many axes an image may have: 3 for height, width and channels, 1 for a vector of features.
    """

    config: TrainConfig
    plans: dict[str, Callable]
    fit: Callable
    network: Callable
    size: Callable
    num_axes: tuple[int, ...]


def family_of(space) -> Family:
    """Returns how the networks of a space are trained. Raises ValueError where it has none."""
    name = getattr(space, "family", None)
    if name is None:
        raise ValueError(f"Expected a space with networks, such as a CellSpace, got a {type(space).__name__}.")
    return importlib.import_module(name).FAMILY


def network_size(space, skeleton, image_shape: tuple[int, ...], num_classes: int, arch) -> Size:
    """Returns the `Size` of the network of an architecture: what is left when its dead edges are removed.

    `skeleton` is that of a cell space, None for other spaces.
    """
    return family_of(space).size(space, skeleton, image_shape, num_classes, arch)
