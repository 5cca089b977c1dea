"""Cells as a kind of network: how they are initialized, applied, shared, trained and sized."""

import functools
from collections.abc import Callable
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.cells import edges, graph, network
from jaxnas.spaces.cells.mixture import mixture_cell
from jaxnas.spaces.cells.network import Network, Skeleton
from jaxnas.spaces.cells.plans import in_packs, num_seeds_together, packed_chunks
from jaxnas.spaces.cells.shown import shown_edge
from jaxnas.spaces.cells.size import fixed_size, stage_shapes
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers import feature_maps
from jaxnas.spaces.layers.base import Operation
from jaxnas.training.config import TrainConfig
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied, Gated, Kernels, MixedNetworks, Plan, ScoredNetworks, Size, Variables
from jaxnas.training.recorder import SILENT, Recorder

KERNELS = ("kernel", "shortcut")
"""How the names of arrays end that are kernels."""
AFFINE = ("scale", "bias")
"""How the names of arrays end that batch normalization has besides its statistics."""
_SEQUENTIAL = sequential_plan("switch-sequential-4", num_seeds_together)


@final
class CellNetworks(ScoredNetworks, MixedNetworks):
    """The networks of a cell space.

    Parameters are `stem`, `reductions` and `head`, arrays by name, and `cells`: for each cell float32[E, P], vectors
    that hold the arrays of any operation. In a supernet they are float32[E, K', P]: each of the K' operations with
    parameters has an array of its own on each edge, and an architecture uses those of its operations.
    """

    space: CellSpace
    inputs = ("images",)
    default = TrainConfig(network=Skeleton())
    plans: ClassVar = {
        "sequential": _SEQUENTIAL,
        "packed": Plan("packed-2", in_packs, _SEQUENTIAL.fit, packed_chunks, _SEQUENTIAL.precisions),
    }

    def init(self, key: jax.Array, arch: jax.Array | None = None) -> Variables:
        """Returns the initial arrays of an architecture, or of the supernet.

        Raises ValueError if the channels of a supernet cannot be divided into `partial` parts.
        """
        skeleton, num_outputs = self.config.network, self.spec.num_outputs
        if skeleton.num_channels % self.partial:
            raise ValueError(
                f"Expected a number of channels that {self.partial} divides, got {skeleton.num_channels}: with partial "
                "channels operations see one part of them."
            )
        arch = arch if arch is None else self.space.pruned(arch)
        stem_key, head_key, body_key = jax.random.split(key, 3)
        channels = skeleton.num_channels
        made: dict[str, Any] = {"reductions": [], "cells": []}
        made["stem"] = network.init_convolution(stem_key, self.spec.shape[2], channels)
        for stage in range(skeleton.num_stages):
            stage_key = jax.random.fold_in(body_key, stage)
            if stage:
                made["reductions"].append(network.init_reduction(stage_key, channels))
                channels *= 2
            for number in range(skeleton.cells_per_stage):
                made["cells"].append(self._init_cell(arch, channels, jax.random.fold_in(stage_key, number)))
        made["head"] = network.init_head(head_key, channels, num_outputs)
        parameters, statistics = (
            jax.tree.map(lambda pair, kind=kind: pair[kind], made, is_leaf=_is_pair) for kind in (0, 1)
        )
        return Variables(parameters, () if arch is None else statistics)

    def _init_cell(self, arch: jax.Array | None, num_channels: int, key: jax.Array) -> tuple[Any, Any]:
        operations, numbers = self.space.operations, jnp.arange(len(self.space.edges))
        if arch is None:
            num_channels //= self.partial
            init = functools.partial(edges.init_shared_edge, operations, num_channels)
            return jax.lax.map(lambda number: init(jax.random.fold_in(key, number)), numbers), ()

        def init_edge(edge: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            return edges.init_edge(operations, num_channels, edge[1], jax.random.fold_in(key, edge[0]))

        return jax.lax.map(init_edge, (numbers, arch))  # one compilation for all edges

    def apply(
        self, variables: Variables, choice: Any, inputs: jax.Array, *, mode: str, recorder: Recorder = SILENT
    ) -> Applied:
        """Returns the logits [N, K] of images [N, H, W, C], and the statistics after them: in training, the batch's."""
        train = mode == "train"
        gated = choice if isinstance(choice, Gated) else Gated(choice)
        if gated.arch.ndim == 1:
            cell: Callable = functools.partial(self._cell, gated, train, recorder)
        else:
            cell = mixture_cell(self.space, gated.arch, gated.scale, self.partial)
        return network.forward(self.config.network, variables, inputs, cell, train, recorder)

    def _cell(
        self, gated: Gated, train: bool, recorder: Recorder, x: jax.Array, parameters: jax.Array, statistics: Any
    ) -> tuple[jax.Array, jax.Array]:
        """Returns the output of the cell of an architecture, of which only the operations run, and its statistics.

        Dead edges have no places. A recorder sees the input of an operation's activation if the operation declares that
        it begins with one (`Operation.rectifies`), and nothing inside other operations.
        """
        space, operations, num_channels = self.space, self.space.operations, len(x)
        arch = space.pruned(gated.arch)
        if parameters.ndim == 3:  # of a supernet
            own = jnp.asarray(edges.shared_slots(operations))[arch]
            vectors = [parameters[number, own[number]] for number in range(len(space.edges))]
            running = [jnp.zeros(edges.slot_sizes(operations, num_channels)[1], x.dtype)] * len(space.edges)
        else:
            vectors, running = list(jnp.unstack(parameters)), list(jnp.unstack(statistics))
        if recorder.silent:
            edge = edges.traced_edge(operations, num_channels, train)
        else:
            edge = functools.partial(shown_edge, operations, num_channels, train, recorder)
        changed = []
        nodes: list[Any] = [x] + [None] * (space.num_nodes - 1)
        for number, (source, target) in enumerate(space.edges):
            y, new = edge(arch[number], nodes[source], vectors[number], running[number])
            if gated.scale is not None and gated.offset is not None:
                y = gated.scale[number] * y + gated.offset[number]
            nodes[target] = y if nodes[target] is None else nodes[target] + y
            changed.append(new)
        return nodes[-1], jnp.stack(changed)

    def module(self, arch: tuple[int, ...], variables: Variables) -> Network:
        return Network(self.space, self.config.network, arch, variables)

    def size(self, arch: tuple[int, ...]) -> Size:
        """Returns the `Size` of the network of an architecture without its dead edges."""
        skeleton, image_shape = self.config.network, self.spec.shape
        cell = graph.prune(self.space.graph(arch))
        parameters, flops = fixed_size(skeleton, image_shape, self.spec.num_outputs)
        for channels, height, width in stage_shapes(skeleton, image_shape):
            shapes = (edges.array_shapes(edge.operation, channels)[0] for edge in cell.edges)
            parameters += skeleton.cells_per_stage * sum(map(edges.num_values, shapes))
            flops += skeleton.cells_per_stage * graph.num_flops(cell, channels, height, width)
        return Size(parameters, flops)

    def kernels(self, arch: jax.Array) -> Kernels:
        """Returns which parameters of an architecture are kernels of convolutions and linear maps of live edges.

        Layers are numbered in the order of the arrays; each edge of a cell is a layer.
        """
        shapes = jax.eval_shape(self.init, jax.random.key(0), arch).parameters
        arch, live, layers, num_layers = self.space.pruned(arch), [], [], 0
        for path, shape in jax.tree.leaves_with_path(shapes):
            if path[0].key == "cells":
                num_channels = self.config.network.num_channels << path[1].idx // self.config.network.cells_per_stage
                is_kernel = jnp.asarray(_edge_kernels(self.space.operations, num_channels, shape.shape[1]))[arch]
                numbers = num_layers + jnp.arange(len(self.space.edges), dtype=jnp.int32)[:, None]
            else:
                is_kernel = jnp.full(shape.shape, path[-1].key.endswith(KERNELS), jnp.float32)
                numbers = jnp.full((1,) * len(shape.shape), num_layers, jnp.int32)
            num_layers += numbers.size
            live.append(is_kernel)
            layers.append(jnp.where(is_kernel > 0, numbers, -1))
        structure = jax.tree.structure(shapes)
        return Kernels(jax.tree.unflatten(structure, live), jax.tree.unflatten(structure, layers), num_layers)

    def trained(self) -> dict[str, Any]:
        """Returns 1 for the parameters that are trained, 0 for scales and biases of batch normalization."""
        shapes = jax.eval_shape(self.init, jax.random.key(0)).parameters
        skeleton = self.config.network
        cells = [
            _trained_in_cell(
                self.space.operations, (skeleton.num_channels << number // skeleton.cells_per_stage) // self.partial
            )
            for number in range(len(shapes["cells"]))
        ]
        around = jax.tree.map_with_path(lambda path, _: np.float32(not _name(path).endswith(AFFINE)), shapes)
        return {**around, "cells": cells}

    def used(self, arch: jax.Array) -> dict[str, Any]:
        """Returns 1 for the shared parameters that an architecture uses, 0 for the parameters of idle operations."""
        arch, num_edges = self.space.pruned(arch), len(self.space.edges)
        slots, with_parameters = edges.shared_slots(self.space.operations), edges.have_parameters(self.space.operations)
        in_cell = jnp.zeros((num_edges, max(int(with_parameters.sum()), 1), 1))
        in_cell = in_cell.at[jnp.arange(num_edges), jnp.asarray(slots)[arch], 0].set(
            jnp.asarray(with_parameters, jnp.float32)[arch]
        )
        shapes = jax.eval_shape(self.init, jax.random.key(0)).parameters
        return {**jax.tree.map(lambda shape: jnp.float32(1), shapes), "cells": [in_cell] * len(shapes["cells"])}

    def flops(self) -> tuple[float, np.ndarray]:
        """Returns the multiply-accumulates for one image outside the cells, and of each operation on each edge."""
        skeleton = self.config.network
        fixed = fixed_size(skeleton, self.spec.shape, self.spec.num_outputs).num_flops
        stages = stage_shapes(skeleton, self.spec.shape)
        per_operation = [
            sum(skeleton.cells_per_stage * operation.num_flops(*shape) for shape in stages)
            for operation in self.space.operations
        ]
        return float(fixed), np.tile(np.asarray(per_operation, np.float64), (len(self.space.edges), 1))


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple)


def _name(path: tuple) -> str:
    return str(getattr(path[-1], "key", ""))


@functools.lru_cache(maxsize=64)
def _edge_kernels(operations: tuple[Operation, ...], num_channels: int, num_values: int) -> np.ndarray:
    """Returns for each operation which numbers of an edge's vector are a kernel, float32[K, P]."""
    rows = [
        [(name.endswith(KERNELS), shape) for name, shape in sorted(edges.array_shapes(each, num_channels)[0].items())]
        for each in operations
    ]
    return np.stack([edges.marked(row, num_values) for row in rows])


@functools.lru_cache(maxsize=64)
def _trained_in_cell(operations: tuple[Operation, ...], num_channels: int) -> np.ndarray:
    """Returns 1 for the trained part of the arrays of an edge, 0 elsewhere, float32[K', P]."""
    size = edges.slot_sizes(operations, num_channels)[0]
    rows = []
    for operation in operations:
        fixed = AFFINE if operation.apply is feature_maps.batch_norm else ()
        shapes = edges.array_shapes(operation, num_channels)[0]
        if shapes:
            rows.append(edges.marked([(name not in fixed, shapes[name]) for name in sorted(shapes)], size))
    return np.stack(rows) if rows else np.zeros((1, size), np.float32)
