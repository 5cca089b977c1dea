"""Parameters and multiply-accumulates of a network, counted from the graph of its cell."""

import functools
import itertools
import math
from typing import NamedTuple

import jax

from jaxnas import graph
from jaxnas.network import edges, model
from jaxnas.network.model import Skeleton
from jaxnas.spaces.cell import CellSpace
from jaxnas.spaces.mlp import MLPSpace


class Size(NamedTuple):
    """The size of a network: trainable parameters, and multiply-accumulates for one image.

    Multiply-accumulates are those of convolutions and of linear maps, their bias included, as NAS-Bench-201 counts
    them; so a multilayer perceptron has as many as parameters.
    """

    num_parameters: int
    num_flops: int


def network_size(space, skeleton: Skeleton | None, image_shape: tuple[int, ...], num_classes: int, arch) -> Size:
    """Returns the `Size` of the network of an architecture: what is left when its dead edges are removed.

    `skeleton` is that of a cell space, None for other spaces.
    """
    return _SIZES[type(space)](space, skeleton, image_shape, num_classes, arch)


def _cell_network_size(space: CellSpace, skeleton: Skeleton, image_shape, num_classes: int, arch) -> Size:
    cell = graph.prune(space.graph(arch))
    parameters, flops = _fixed_size(skeleton, image_shape, num_classes)
    for channels, height, width in _stages(skeleton, image_shape):
        for edge in cell.edges:
            parameters += skeleton.cells_per_stage * edges.num_values(edges.array_shapes(edge.operation, channels)[0])
        flops += skeleton.cells_per_stage * graph.num_flops(cell, channels, height, width)
    return Size(parameters, flops)


def _perceptron_size(space: MLPSpace, skeleton, image_shape, num_classes: int, arch) -> Size:
    units = (math.prod(image_shape), *space.decode(arch)["layers"], num_classes)
    parameters = sum((before + 1) * after for before, after in itertools.pairwise(units))
    return Size(parameters, parameters)


_SIZES = {CellSpace: _cell_network_size, MLPSpace: _perceptron_size}


def _stages(skeleton: Skeleton, image_shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """Returns channels, height and width of each stage."""
    height, width, _ = image_shape
    scales = [2**stage for stage in range(skeleton.num_stages)]
    return [(skeleton.num_channels * scale, -(-height // scale), -(-width // scale)) for scale in scales]


@functools.cache
def _fixed_size(skeleton: Skeleton, image_shape: tuple[int, int, int], num_classes: int) -> Size:
    """Returns the size of the stem, the reduction blocks and the head."""
    stages = _stages(skeleton, image_shape)
    channels, height, width = stages[0]
    parameters = _num_initialised(model._init_convolution, image_shape[2], channels)
    flops = 9 * height * width * image_shape[2] * channels
    for (before, _, _), (after, height, width) in itertools.pairwise(stages):
        parameters += _num_initialised(model._init_reduction, before)
        flops += height * width * (9 * before * after + 9 * after * after + before * after)
    channels = stages[-1][0]
    parameters += _num_initialised(model._init_head, channels, num_classes)
    return Size(parameters, flops + (channels + 1) * num_classes)


def _num_initialised(init, *sizes: int) -> int:
    return edges.num_values(jax.eval_shape(lambda key: init(key, *sizes)[0], jax.random.key(0)))
