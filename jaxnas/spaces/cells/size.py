"""Parameters and multiply-accumulates of a network, counted from the graph of its cell."""

import functools
import itertools
from collections.abc import Callable

import jax

from jaxnas.spaces.cells import edges, network
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.training.networks import Size


def stage_shapes(skeleton: Skeleton, image_shape: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Returns channels, height and width of each stage."""
    height, width = image_shape[:2]
    scales = [2**stage for stage in range(skeleton.num_stages)]
    return [(skeleton.num_channels * scale, -(-height // scale), -(-width // scale)) for scale in scales]


@functools.cache
def fixed_size(skeleton: Skeleton, image_shape: tuple[int, ...], num_classes: int) -> Size:
    """Returns the size of the stem, the reduction blocks and the head."""
    stages = stage_shapes(skeleton, image_shape)
    channels, height, width = stages[0]
    parameters = _num_initialized(network.init_convolution, image_shape[2], channels)
    flops = 9 * height * width * image_shape[2] * channels
    for (before, _, _), (after, height, width) in itertools.pairwise(stages):
        parameters += _num_initialized(network.init_reduction, before)
        flops += height * width * (9 * before * after + 9 * after * after + before * after)
    channels = stages[-1][0]
    parameters += _num_initialized(network.init_head, channels, num_classes)
    return Size(parameters, flops + (channels + 1) * num_classes)


def _num_initialized(init: Callable, *sizes: int) -> int:
    return edges.num_values(jax.eval_shape(lambda key: init(key, *sizes)[0], jax.random.key(0)))
