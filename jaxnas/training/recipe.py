"""The numbers of a training that may be traced: one compiled program serves all values."""

from typing import Any, NamedTuple

import numpy as np

from jaxnas.training.config import TrainConfig


class Recipe(NamedTuple):
    """Numbers of a training, float32[] or Python numbers, which are constants of the compiled program.

    Attributes:
        learning_rate, momentum, weight_decay: as in a `TrainConfig`.
        label_smoothing: the share of a label's probability that is spread over all classes (Szegedy et al.,
            "Rethinking the Inception Architecture for Computer Vision", CVPR 2016); None for the plain loss.
        num_views: training draws from the first `num_views` views of an example; None for all.
    """

    learning_rate: Any
    momentum: Any
    weight_decay: Any
    label_smoothing: Any = None
    num_views: Any = None


def recipe_of(config: TrainConfig) -> Recipe:
    """Returns the recipe of a configuration, as constants."""
    return Recipe(config.learning_rate, config.momentum, config.weight_decay)


def traced_recipe(config: TrainConfig, values: dict[str, float]) -> Recipe:
    """Returns the recipe of a configuration with other values, as float32: arguments of one program for all values."""
    recipe = recipe_of(config)._replace(**values)
    numbers = {name: None if value is None else np.float32(value) for name, value in recipe._asdict().items()}
    return Recipe(**numbers)._replace(num_views=None if recipe.num_views is None else np.int32(recipe.num_views))
