"""The network of a cell space: its parts as pure functions, and the Flax module of one architecture.

The macro-skeleton is from NAS-Bench-201 (Dong & Yang, ICLR 2020), scaled by `Skeleton`: a stem, stages of cells
with a residual reduction block before all but the first, and a head. Images are float32[N, H, W, C].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.spaces.cells import edges, graph
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers import convolution, feature_maps
from jaxnas.spaces.layers.modules import MOMENTUM, Layer
from jaxnas.training.networks import Applied, Variables
from jaxnas.training.recorder import BLOCK, FEATURES, LINEAR, NORM, OUTPUT, RECTIFIER, REDUCTION, SILENT, Recorder


@dataclass(frozen=True)
class Skeleton:
    """The size of a network around its cells. The published one is 16 channels, 3 stages, 5 cells a stage.

    Attributes:
        num_channels: channels of the stem and of the first stage; each reduction block doubles them.
        num_stages: stages of equal image size; each reduction block halves height and width, rounding up.
        cells_per_stage: copies of the cell in a stage, each with its own parameters.
    """

    num_channels: int = 4
    num_stages: int = 3
    cells_per_stage: int = 1

    def __post_init__(self) -> None:
        for name in ("num_channels", "num_stages", "cells_per_stage"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected {name} of 1 or more, got {getattr(self, name)}.")


class Cell(nnx.Module):
    """The cell of one architecture: a layer for each live edge."""

    def __init__(self, space: CellSpace, arch: tuple[int, ...], num_channels: int, vectors: tuple[Any, Any]):
        numbers = {edge: number for number, edge in enumerate(space.edges)}
        self.num_nodes = space.num_nodes
        self.edges: nnx.Dict[Layer] = nnx.Dict()
        for edge in graph.prune(space.graph(arch)).edges:
            number = numbers[edge.source, edge.target]
            shapes = edges.array_shapes(edge.operation, num_channels)
            arrays = (edges.unpack(kind[number], own) for kind, own in zip(vectors, shapes, strict=True))
            self.edges[f"{edge.source}-{edge.target}"] = Layer(edge.operation, *arrays)

    def __call__(self, x: jax.Array, train: bool, momentum: float | jax.Array) -> jax.Array:
        nodes: list[Any] = [x] + [None] * (self.num_nodes - 1)
        for name, layer in self.edges.items():
            source, target = (int(node) for node in name.split("-"))
            y = layer(nodes[source], train, momentum)
            nodes[target] = y if nodes[target] is None else nodes[target] + y
        return jnp.zeros_like(x) if nodes[-1] is None else nodes[-1]


class Network(nnx.Module):
    """The network of one architecture of a cell space: `network(images, train=False) -> logits`.

    Attributes:
        space, skeleton: the space and the skeleton of the network.
        arch: the architecture, a tuple of ints.
    """

    def __init__(self, space: CellSpace, skeleton: Skeleton, arch: tuple[int, ...], variables: Variables):
        """Makes the network with the arrays that `CellNetworks.init` made and training changed."""
        self.space, self.skeleton, self.arch = space, skeleton, tuple(map(int, arch))

        def layers(apply: Callable, place: str) -> Any:
            return jax.tree.map(
                lambda *arrays: Layer(apply, *arrays), *(kind[place] for kind in variables), is_leaf=_is_layer
            )

        self.stem = layers(apply_stem, "stem")
        self.reductions = nnx.List(layers(apply_reduction, "reductions"))
        self.cells: nnx.List[Cell] = nnx.List()
        for number, vectors in enumerate(zip(*(kind["cells"] for kind in variables), strict=True)):
            num_channels = skeleton.num_channels << number // skeleton.cells_per_stage
            self.cells.append(Cell(space, self.arch, num_channels, vectors))
        self.head = layers(apply_head, "head")

    def __call__(self, x: jax.Array, train: bool = False, momentum: float | jax.Array = MOMENTUM) -> jax.Array:
        """Returns the logits [N, num_classes] of images [N, H, W, C].

        In training, batches are normalized by their own statistics, and the running averages move towards them by
        1 - momentum; otherwise the running averages are used.
        """
        x = self.stem(jnp.transpose(x, (3, 1, 2, 0)), train, momentum)
        for number, cell in enumerate(self.cells):
            if number and number % self.skeleton.cells_per_stage == 0:
                x = self.reductions[number // self.skeleton.cells_per_stage - 1](x, train, momentum)
            x = cell(x, train, momentum)
        return self.head(x, train, momentum)


def _is_layer(arrays: Any) -> bool:
    return isinstance(arrays, dict)


def forward(
    skeleton: Skeleton, variables: Variables, images: jax.Array, cell: Callable, train: bool, recorder: Recorder
) -> Applied:
    """Returns the logits [N, K] of images [N, H, W, C], and the statistics after them.

    Args:
        variables: the network's arrays; a supernet's have no statistics.
        cell: `(x, parameters, statistics) -> (y, statistics)` of one cell; statistics are None in a supernet.
    """
    parameters = variables.parameters
    statistics = variables.statistics or {
        "stem": {},
        "reductions": [{}] * len(parameters["reductions"]),
        "cells": [None] * len(parameters["cells"]),
        "head": {},
    }
    changed: dict[str, Any] = {"reductions": [], "cells": []}
    x = jnp.transpose(images, (3, 1, 2, 0))
    x, changed["stem"] = apply_stem(x, parameters["stem"], statistics["stem"], train, recorder)
    x = recorder(BLOCK, x, 0)
    for number, arrays in enumerate(zip(parameters["cells"], statistics["cells"], strict=True)):
        stage, position = divmod(number, skeleton.cells_per_stage)
        if stage and not position:
            own = parameters["reductions"][stage - 1], statistics["reductions"][stage - 1]
            x, found = apply_reduction(x, *own, train, recorder)
            x = recorder(REDUCTION, x, stage + number)
            changed["reductions"].append(found)
        x, found = cell(x, *arrays)
        x = recorder(BLOCK, x, stage + number + 1)
        changed["cells"].append(found)
    outputs, changed["head"] = apply_head(x, parameters["head"], statistics["head"], train, recorder)
    return Applied(outputs, after(variables.statistics, changed, train))


def after(statistics: Any, changed: Any, train: bool) -> Any:
    """Returns the statistics after a batch: in training the batch's statistics, else unchanged ones.

    They are running averages without memory: stored networks have the rounding of this sum. A supernet has none.
    """
    if not (train and statistics):
        return statistics
    return jax.tree.map(lambda old, new: 0.0 * old + 1.0 * new, statistics, changed)


def _normalized(
    recorder: Recorder, x: jax.Array, parameters: dict, statistics: dict, train: bool
) -> tuple[jax.Array, dict]:
    """Returns what a convolution gives after batch normalization, and its statistics."""
    return feature_maps.batch_norm(recorder(NORM, recorder(LINEAR, x)), parameters, statistics, train)


def apply_stem(
    x: jax.Array, parameters: dict, statistics: dict, train: bool, recorder: Recorder = SILENT
) -> tuple[jax.Array, dict]:
    """Returns the first convolution, normalized, of images [C, H, W, N]."""
    x = convolution.convolve(x, parameters["kernel"])
    return _normalized(recorder, x, parameters, statistics, train)


def init_convolution(key: jax.Array, in_channels: int, out_channels: int) -> tuple[dict, dict]:
    """Returns the initial parameters and statistics of a 3x3 convolution with batch normalization."""
    parameters, statistics = feature_maps.init_batch_norm(out_channels)
    return {"kernel": feature_maps.kaiming_normal(key, (3, 3, in_channels, out_channels)), **parameters}, statistics


def apply_reduction(
    x: jax.Array, parameters: dict, statistics: dict, train: bool, recorder: Recorder = SILENT
) -> tuple[jax.Array, dict]:
    """Returns the residual block with stride 2.

    It is two relu-convolution-norms in parallel with an average pooling and a 1x1 convolution.
    """
    y, changed = x, dict[str, jax.Array]()
    for block, stride in (("a", 2), ("b", 1)):
        own, used = (_of_block(block, arrays) for arrays in (parameters, statistics))
        y = convolution.convolve(jax.nn.relu(recorder(RECTIFIER, y)), own["kernel"], stride=stride)
        y, found = _normalized(recorder, y, own, used, train)
        changed |= {f"{block}_{name}": value for name, value in found.items()}
    shortcut = convolution.convolve_pointwise(feature_maps.halve(x), parameters["shortcut"])
    return recorder(LINEAR, shortcut) + y, changed


def _of_block(block: str, arrays: dict) -> dict:
    return {name[2:]: value for name, value in arrays.items() if name.startswith(f"{block}_")}


def init_reduction(key: jax.Array, in_channels: int) -> tuple[dict, dict]:
    """Returns the initial parameters and statistics of a reduction block."""
    keys = jax.random.split(key, 3)
    out_channels = 2 * in_channels
    a = init_convolution(keys[0], in_channels, out_channels)
    b = init_convolution(keys[1], out_channels, out_channels)
    parameters, statistics = (
        {f"{block}_{name}": value for block, arrays in zip("ab", kind, strict=True) for name, value in arrays.items()}
        for kind in zip(a, b, strict=True)
    )
    return {**parameters, "shortcut": feature_maps.kaiming_normal(keys[2], (in_channels, out_channels))}, statistics


def apply_head(
    x: jax.Array, parameters: dict, statistics: dict, train: bool, recorder: Recorder = SILENT
) -> tuple[jax.Array, dict]:
    """Returns the logits [N, K] of features [C, H, W, N]."""
    x, statistics = feature_maps.batch_norm(recorder(NORM, x), parameters, statistics, train)
    features = jax.nn.relu(recorder(RECTIFIER, recorder(FEATURES, x))).mean((1, 2))
    outputs = recorder.rows(LINEAR, features.T @ parameters["kernel"], OUTPUT)
    return outputs + parameters["offset"], statistics


def init_head(key: jax.Array, num_channels: int, num_classes: int) -> tuple[dict, dict]:
    """Returns the initial parameters and statistics of the head."""
    parameters, statistics = feature_maps.init_batch_norm(num_channels)
    kernel = jax.random.normal(key, (num_channels, num_classes)) / np.sqrt(num_channels).astype(np.float32)
    return {"kernel": kernel, "offset": jnp.zeros(num_classes), **parameters}, statistics
