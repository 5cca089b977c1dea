"""The network of a cell space as one Flax module, for one architecture that is fixed or for any architecture that is
traced.

The macro-skeleton is that of NAS-Bench-201 (Dong & Yang, ICLR 2020), scaled by `Skeleton`: a stem, stages of cells
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

MOMENTUM = 0.9


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


class Layer(nnx.Module):
    """A pure function `(x, parameters, statistics, train) -> (y, statistics)` and the arrays it is called with."""

    def __init__(self, apply: Callable, parameters: dict, statistics: dict):
        self.apply = apply
        self.parameters = nnx.Dict({name: nnx.Param(value) for name, value in parameters.items()})
        self.statistics = nnx.Dict({name: nnx.BatchStat(value) for name, value in statistics.items()})

    def __call__(self, x: jax.Array, train: bool, momentum: float | jax.Array) -> jax.Array:
        parameters = {name: variable[...] for name, variable in self.parameters.items()}
        statistics = {name: variable[...] for name, variable in self.statistics.items()}
        y, changed = self.apply(x, parameters, statistics, train)
        if train:
            for name, value in changed.items():
                self.statistics[name].set_value(momentum * statistics[name] + (1 - momentum) * value)
        return y


class StaticCell(nnx.Module):
    """The cell of one architecture: a layer for each live edge."""

    def __init__(self, space: CellSpace, arch: tuple[int, ...], num_channels: int, key: jax.Array):
        pruned = graph.prune(space.graph(arch))
        numbers = {edge: number for number, edge in enumerate(space.edges)}
        self.num_nodes = space.num_nodes
        self.edges: nnx.Dict[Layer] = nnx.Dict()
        for edge in pruned.edges:
            edge_key = jax.random.fold_in(key, numbers[edge.source, edge.target])
            arrays = edge.operation.arrays(edge_key, num_channels)
            self.edges[f"{edge.source}-{edge.target}"] = Layer(edge.operation, *arrays)

    def __call__(self, x: jax.Array, arch: None, train: bool, momentum: float | jax.Array) -> jax.Array:
        nodes: list[Any] = [x] + [None] * (self.num_nodes - 1)
        for name, layer in self.edges.items():
            source, target = (int(node) for node in name.split("-"))
            y = layer(nodes[source], train, momentum)
            nodes[target] = y if nodes[target] is None else nodes[target] + y
        return jnp.zeros_like(x) if nodes[-1] is None else nodes[-1]


class TracedCell(nnx.Module):
    """The cell of any architecture of a space: for each edge, vectors that hold the arrays of any operation."""

    def __init__(self, space: CellSpace, arch: jax.Array, num_channels: int, key: jax.Array):
        def init(edge: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            number, choice = edge
            return edges.init_edge(space.operations, num_channels, choice, jax.random.fold_in(key, number))

        parameters, statistics = jax.lax.map(
            init, (jnp.arange(len(space.edges)), arch)
        )  # one compilation for all edges
        self.space = space
        self.num_channels = num_channels
        self.parameters = nnx.Param(parameters)
        self.statistics = nnx.BatchStat(statistics)

    def __call__(self, x: jax.Array, arch: jax.Array, train: bool, momentum: float | jax.Array) -> jax.Array:
        edge = edges.traced_edge(self.space.operations, self.num_channels, train)
        parameters, statistics = jnp.unstack(self.parameters[...]), jnp.unstack(self.statistics[...])
        changed = []
        nodes: list[Any] = [x] + [None] * (self.space.num_nodes - 1)
        for number, (source, target) in enumerate(self.space.edges):
            y, new = edge(arch[number], nodes[source], parameters[number], statistics[number])
            nodes[target] = y if nodes[target] is None else nodes[target] + y
            changed.append(new)
        if train:
            self.statistics.set_value(momentum * self.statistics[...] + (1 - momentum) * jnp.stack(changed))
        return nodes[-1]


class Network(nnx.Module):
    """A network of a cell space: `network(images, train=False) -> logits`.

    Attributes:
        space, skeleton: what it is a network of.
        image_shape: (height, width, channels) of the images.
        arch: the architecture, a tuple of ints, of a static network; None for a traced one, which is called with the
            architecture.
    """

    def __init__(
        self,
        space: CellSpace,
        skeleton: Skeleton,
        image_shape: tuple[int, ...],
        num_classes: int,
        arch: tuple[int, ...] | np.ndarray | jax.Array,
        *,
        key: jax.Array,
    ):
        """Makes a static network where `arch` is a tuple of ints or a NumPy array, and a traced one where it is an
        array of JAX.

        The traced network has the arrays of `arch`, and is called with the architecture.
        """
        arch = tuple(map(int, arch)) if isinstance(arch, np.ndarray | list) else arch
        static = isinstance(arch, tuple)
        make_cell: Callable = StaticCell if static else TracedCell
        arch = arch if isinstance(arch, tuple) else space.pruned(arch)
        self.space, self.skeleton, self.image_shape = space, skeleton, tuple(image_shape)
        self.arch = arch if static else None
        stem_key, head_key, body_key = jax.random.split(key, 3)
        channels = skeleton.num_channels
        self.stem = Layer(apply_stem, *init_convolution(stem_key, image_shape[2], channels))
        self.reductions: nnx.List[Layer] = nnx.List()
        self.cells: nnx.List[Any] = nnx.List()
        for stage in range(skeleton.num_stages):
            stage_key = jax.random.fold_in(body_key, stage)
            if stage:
                self.reductions.append(Layer(apply_reduction, *init_reduction(stage_key, channels)))
                channels *= 2
            for number in range(skeleton.cells_per_stage):
                self.cells.append(make_cell(space, arch, channels, jax.random.fold_in(stage_key, number)))
        self.head = Layer(apply_head, *init_head(head_key, channels, num_classes))

    def __call__(
        self, x: jax.Array, arch: jax.Array | None = None, train: bool = False, momentum: float | jax.Array = MOMENTUM
    ) -> jax.Array:
        """Returns the logits [N, num_classes] of images [N, H, W, C].

        In training, batches are normalized by their own statistics, and the running averages move towards them by
        1 - momentum; otherwise the running averages are used.
        """
        if self.arch is None:
            if arch is None:
                raise ValueError(
                    "Expected an architecture for a traced network, got none; a tuple of ints makes a static one."
                )
            arch = self.space.pruned(arch)
        x = self.stem(jnp.transpose(x, (3, 1, 2, 0)), train, momentum)
        for number, cell in enumerate(self.cells):
            if number and number % self.skeleton.cells_per_stage == 0:
                x = self.reductions[number // self.skeleton.cells_per_stage - 1](x, train, momentum)
            x = cell(x, arch, train, momentum)
        return self.head(x, train, momentum)


def specialize(network: Network, arch: tuple[int, ...]) -> Network:
    """Returns the static network of an architecture with the arrays of a traced one.

    It is the model to take away after a search.
    """
    num_classes = network.head.parameters["kernel"].shape[1]
    static = Network(network.space, network.skeleton, network.image_shape, num_classes, arch, key=jax.random.key(0))
    for name in ("stem", "head"):
        _copy_arrays(getattr(network, name), getattr(static, name))
    for source, target in zip(network.reductions, static.reductions, strict=True):
        _copy_arrays(source, target)
    for source, target in zip(network.cells, static.cells, strict=True):
        for number, (start, end) in enumerate(network.space.edges):
            name = f"{start}-{end}"
            if name not in target.edges:
                continue
            shapes = edges.array_shapes(network.space.operations[arch[number]], source.num_channels)
            for kind, shape in zip(("parameters", "statistics"), shapes, strict=True):
                values = edges.unpack(getattr(source, kind)[...][number], shape)
                for key, variable in getattr(target.edges[name], kind).items():
                    variable.set_value(values[key])
    return static


def _copy_arrays(source: Layer, target: Layer) -> None:
    for kind in ("parameters", "statistics"):
        for name, variable in getattr(target, kind).items():
            variable.set_value(getattr(source, kind)[name][...])


def apply_stem(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
    """Returns the first convolution, normalized, of images [C, H, W, N]."""
    return feature_maps.batch_norm(convolution.convolve(x, parameters["kernel"]), parameters, statistics, train)


def init_convolution(key: jax.Array, in_channels: int, out_channels: int) -> tuple[dict, dict]:
    """Returns the initial parameters and statistics of a 3x3 convolution with batch normalization."""
    parameters, statistics = feature_maps.init_batch_norm(out_channels)
    return {"kernel": feature_maps.kaiming_normal(key, (3, 3, in_channels, out_channels)), **parameters}, statistics


def apply_reduction(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
    """Returns the residual block with stride 2.

    It is two relu-convolution-norms in parallel with an average pooling and a 1x1 convolution.
    """
    (first, first_statistics), (second, second_statistics) = (
        ({name: parameters[f"{block}_{name}"] for name in ("kernel", "scale", "bias")}, _of_block(block, statistics))
        for block in ("a", "b")
    )
    y, first_statistics = feature_maps.batch_norm(
        convolution.convolve(jax.nn.relu(x), first["kernel"], stride=2), first, first_statistics, train
    )
    y, second_statistics = feature_maps.batch_norm(
        convolution.convolve(jax.nn.relu(y), second["kernel"]), second, second_statistics, train
    )
    shortcut = convolution.convolve_pointwise(feature_maps.halve(x), parameters["shortcut"])
    return shortcut + y, _joined(a=first_statistics, b=second_statistics)


def _of_block(block: str, statistics: dict) -> dict:
    return {name: statistics[f"{block}_{name}"] for name in ("mean", "variance")}


def _joined(**blocks: dict) -> dict:
    return {f"{block}_{name}": value for block, arrays in blocks.items() for name, value in arrays.items()}


def init_reduction(key: jax.Array, in_channels: int) -> tuple[dict, dict]:
    """Returns the initial parameters and statistics of a reduction block."""
    keys = jax.random.split(key, 3)
    out_channels = 2 * in_channels
    a, a_statistics = init_convolution(keys[0], in_channels, out_channels)
    b, b_statistics = init_convolution(keys[1], out_channels, out_channels)
    shortcut = feature_maps.kaiming_normal(keys[2], (in_channels, out_channels))
    return {**_joined(a=a, b=b), "shortcut": shortcut}, _joined(a=a_statistics, b=b_statistics)


def apply_head(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
    """Returns the logits [N, K] of features [C, H, W, N]."""
    normal, statistics = feature_maps.batch_norm(x, parameters, statistics, train)
    features = jax.nn.relu(normal).mean((1, 2))
    return features.T @ parameters["kernel"] + parameters["offset"], statistics


def init_head(key: jax.Array, num_channels: int, num_classes: int) -> tuple[dict, dict]:
    """Returns the initial parameters and statistics of the head."""
    parameters, statistics = feature_maps.init_batch_norm(num_channels)
    kernel = jax.random.normal(key, (num_channels, num_classes)) / np.sqrt(num_channels).astype(np.float32)
    return {"kernel": kernel, "offset": jnp.zeros(num_classes), **parameters}, statistics
