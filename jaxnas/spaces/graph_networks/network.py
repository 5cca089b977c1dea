"""Graph neural networks: one function for the network of a fixed architecture, and of a traced one.

The features of a node enter by a linear map; each layer but the identity is rectified. The outputs of the layers that
no other reads are averaged; the mean and the sum over the nodes of a graph enter the head.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.checks import checked_size
from jaxnas.spaces.graph_networks.space import LINKS, NUM_LAYERS, SKIP, GraphNetworkSpace
from jaxnas.spaces.layers.steps import chosen
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.graphs import num_features
from jaxnas.training.recorder import BLOCK, FEATURES, LINEAR, OUTPUT, RECTIFIER, SILENT, Recorder

MAX_WIDTH = 4096
SLOPE = 0.2
"""Of the leaky rectifier of attention, on its negative side."""
FULL = 16
"""The nodes of a graph whose sum of states is as large as their mean."""
AROUND = ("input_kernel", "input_offset", "head_kernel", "head_offset")
"""The arrays around the layers."""
OF_OPERATION = {
    "gat": ("kernel", "source", "target", "offset"),
    "gcn": ("kernel", "offset"),
    "gin": ("kernel", "hidden_offset", "other_kernel", "offset"),
    "cheb": ("kernel", "other_kernel", "third_kernel", "offset"),
    "sage": ("kernel", "other_kernel", "offset"),
    "arma": ("kernel", "other_kernel", "offset"),
    "graph": ("kernel", "other_kernel", "offset"),
    "fc": ("kernel", "offset"),
    SKIP: (),
}
"""The arrays of a layer that an operation uses: kernels [H, H], the others [H]."""
IN_LAYER = ("kernel", "other_kernel", "third_kernel", "source", "target", "hidden_offset", "offset")


@dataclass(frozen=True)
class GraphStates:
    """The settings of a network besides its links and operations: the size of a node's state."""

    width: int = 24

    def __post_init__(self) -> None:
        checked_size("width", self.width, 1, MAX_WIDTH, "whose linear maps are kept for every layer")


class Choice(NamedTuple):
    """The choices of an architecture: each layer's source, its operation, and its share in the output, [4] each.

    All are numbers, or traced arrays.
    """

    sources: Any
    operations: Any
    shares: Any


class Graphs(NamedTuple):
    """The graphs of a batch: the weights of edges, float32[N, A, A], and which nodes are real, bool[N, A].

    `convolved` are the weights with a loop of 1 at each node, over the roots of both nodes' sums; `normal` the same
    without loops; `mean` the weights over the node's sum; `linked` marks edges and loops.
    """

    weights: jax.Array
    real: jax.Array
    convolved: jax.Array
    normal: jax.Array
    mean: jax.Array
    linked: jax.Array


def decided(space: GraphNetworkSpace, arch: Any) -> Choice:
    """Returns the choices of an architecture: arrays if it is traced, numbers for a tuple of ints.

    The output is the mean of the layers that no layer reads, except layers that pass on the input through identities.
    """
    sources = np.asarray([[int(digit) for digit in links] for links in LINKS])
    ends = np.asarray([[layer not in read for layer in range(1, NUM_LAYERS + 1)] for read in sources])
    static = isinstance(arch, tuple)
    numpy: Any = np if static else jnp
    read, skips = numpy.asarray(sources)[arch[0]], numpy.asarray(arch[1:]) == space.operations.index(SKIP)
    is_input = [True]
    for layer in range(NUM_LAYERS):
        is_input.append(skips[layer] & numpy.asarray(is_input)[read[layer]])
    shares = numpy.asarray(ends)[arch[0]] & ~numpy.asarray(is_input[1:])
    shares = shares / numpy.maximum(shares.sum(), 1)
    if static:
        return Choice(read.tolist(), list(arch[1:]), shares.tolist())
    return Choice(read, arch[1:], shares)


def graphs_of(inputs: jax.Array) -> tuple[jax.Array, Graphs]:
    """Returns the features of nodes [N, A, F], 0 for padding, and the graphs of inputs [N, A, F + A]."""
    count = inputs.shape[1]
    features = num_features(inputs.shape[1:])
    real = ~jnp.isnan(inputs[..., 0])
    inputs = jnp.where(real[..., None], inputs, 0)
    weights = jnp.where(real[:, None], inputs[..., features:], 0)
    loops = weights + jnp.eye(count)
    sums = weights.sum(-1)
    known = jnp.where(sums > 0, sums, 1)
    root = jnp.where(sums > 0, jax.lax.rsqrt(known), 0)
    looped = jax.lax.rsqrt(loops.sum(-1))
    return inputs[..., :features], Graphs(
        weights,
        real,
        loops * looped[:, :, None] * looped[:, None],
        weights * root[:, :, None] * root[:, None],
        weights / known[..., None],
        loops > 0,
    )


def outputs(
    space: GraphNetworkSpace, choice: Choice, arrays: dict[str, Any], inputs: jax.Array, show: Recorder = SILENT
) -> jax.Array:
    """Returns the outputs [N, K] of graphs [N, A, F + A].

    Args:
        choice: if traced, `arrays["layers"]` stacks the arrays of all layers; for numbers, it is a list with the arrays
            of each layer's operation.
        show: a recorder of the inner arrays. Nodes are the rows of its images.
    """
    features, graphs = graphs_of(inputs)
    x = _linear(show, features, arrays["input_kernel"]) + arrays["input_offset"]
    first = show.rows(BLOCK, jnp.where(graphs.real[..., None], x, 0), 0)
    states: Any
    if show.silent and not isinstance(choice.sources, list):
        states = _states(space, choice, arrays["layers"], graphs, first)
    else:
        states = _unrolled(space, choice, arrays["layers"], graphs, show, first)
    last = sum(share * state for share, state in zip(choice.shares, states[1:], strict=True))
    count = jnp.maximum(graphs.real.sum(1), 1)[:, None]
    total = show.rows(FEATURES, jnp.asarray(last)).sum(1)
    read = jnp.concatenate([total / count, total / FULL], axis=1)
    return show.rows(LINEAR, read @ arrays["head_kernel"], OUTPUT) + arrays["head_offset"]


def _states(
    space: GraphNetworkSpace, choice: Choice, layers: dict[str, jax.Array], graphs: Graphs, first: jax.Array
) -> jax.Array:
    """Returns the input of the layers, and the states after each, [5, N, A, H]: a loop, which compiles one layer."""

    def step(states: jax.Array, at: tuple) -> tuple[jax.Array, tuple]:
        number, source, operation, own = at
        x = _layer(space, operation, own, graphs, SILENT, states[source])
        return states.at[number].set(jnp.where(graphs.real[..., None], x, 0)), ()

    states = jnp.zeros((NUM_LAYERS + 1, *first.shape)).at[0].set(first)
    return jax.lax.scan(step, states, (jnp.arange(1, NUM_LAYERS + 1), choice.sources, choice.operations, layers))[0]


def _unrolled(
    space: GraphNetworkSpace, choice: Choice, layers: Any, graphs: Graphs, show: Recorder, first: jax.Array
) -> list[jax.Array]:
    """Returns the result of `_states`, layer by layer, for static parts: a network's own arrays, or places of a tap."""
    states = [first]
    for number in range(NUM_LAYERS):
        own = layers[number] if isinstance(layers, list) else jax.tree.map(lambda values, n=number: values[n], layers)
        read = chosen(choice.sources[number], states)
        x = _layer(space, choice.operations[number], own, graphs, show, read)
        states.append(show.rows(BLOCK, jnp.where(graphs.real[..., None], x, 0), number + 1))
    return states


def _layer(
    space: GraphNetworkSpace, operation: Any, own: dict, graphs: Graphs, show: Recorder, x: jax.Array
) -> jax.Array:
    """Returns the states of nodes [N, A, H] after a layer."""
    parts = [functools.partial(_rectified, OPERATIONS[name]) if name != SKIP else _same for name in space.operations]
    if isinstance(operation, int):
        return parts[operation](show, own, graphs, x)
    # Values saved for the backward pass of a branch would be padded in all others: each is computed again instead.
    branches = [jax.checkpoint(branch) for branch in show.branches(parts)]
    x, found = jax.lax.switch(operation, branches, own, graphs, x)
    show.add(found)
    return x


def _rectified(operation: Callable, show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    return jax.nn.relu(show.rows(RECTIFIER, operation(show, own, graphs, x) + own["offset"]))


def _same(show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    return x


def _linear(show: Recorder, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return show.rows(LINEAR, x @ kernel)


def _gat(show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    """Returns attention to neighbors and to the node itself, by one head."""
    y = _linear(show, x, own["kernel"])
    scores = (y @ own["source"])[:, :, None] + (y @ own["target"])[:, None]
    return jax.nn.softmax(jnp.where(graphs.linked, jax.nn.leaky_relu(scores, SLOPE), -1e9), axis=-1) @ y


def _gcn(show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    """Returns a graph convolution: neighbors and the node itself, over the roots of their degrees."""
    return _linear(show, graphs.convolved @ x, own["kernel"])


def _gin(show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    """Returns a perceptron of one hidden layer of the sum of a node and its neighbors."""
    y = _linear(show, x + graphs.weights @ x, own["kernel"]) + own["hidden_offset"]
    return _linear(show, jax.nn.relu(show.rows(RECTIFIER, y)), own["other_kernel"])


def _cheb(show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    """Returns a filter of Chebyshev polynomials of degree 0 to 2 of the Laplacian, as if its eigenvalues ended at 2."""
    one = -(graphs.normal @ x)
    two = -2 * (graphs.normal @ one) - x
    terms = zip((x, one, two), ("kernel", "other_kernel", "third_kernel"), strict=True)
    first, second, third = (_linear(show, term, own[name]) for term, name in terms)
    return first + second + third


def _sage(show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    """Returns a linear map of the mean of the neighbors, and one of the node."""
    return _linear(show, graphs.mean @ x, own["kernel"]) + _linear(show, x, own["other_kernel"])


def _arma(show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    """Returns a filter of one stack and one step: neighbors over the roots of their degrees, and the node."""
    return _linear(show, graphs.normal @ x, own["kernel"]) + _linear(show, x, own["other_kernel"])


def _graph(show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    """Returns a linear map of the sum of the neighbors, and one of the node."""
    return _linear(show, graphs.weights @ x, own["kernel"]) + _linear(show, x, own["other_kernel"])


def _fc(show: Recorder, own: dict, graphs: Graphs, x: jax.Array) -> jax.Array:
    """Returns a linear map of the node alone."""
    return _linear(show, x, own["kernel"])


OPERATIONS = {
    "gat": _gat,
    "gcn": _gcn,
    "gin": _gin,
    "cheb": _cheb,
    "sage": _sage,
    "arma": _arma,
    "graph": _graph,
    "fc": _fc,
}
"""All but the identity: `(show, own, graphs, x [N, A, H]) -> [N, A, H]`; an offset is added, and all is rectified."""


class GraphNetwork(nnx.Module):
    """The network of one architecture: `network(inputs, train=False) -> outputs`.

    Attributes:
        around, layers: the arrays around the layers, and the arrays of each layer's operation.
    """

    def __init__(self, space: GraphNetworkSpace, spec: TaskSpec, arch: tuple[int, ...], arrays: dict[str, Any]):
        """Makes the network with the arrays of the architecture's operations."""
        self.space, self.spec, self.arch = space, spec, arch
        self.around = nnx.Dict({name: nnx.Param(arrays[name]) for name in AROUND})
        self.layers = nnx.List(
            [nnx.Dict({name: nnx.Param(value) for name, value in layer.items()}) for layer in arrays["layers"]]
        )

    def __call__(self, inputs: jax.Array, train: bool = False) -> jax.Array:
        """Returns the outputs [N, K] of graphs [N, A, F + A]; A may be any number."""
        arrays: dict[str, Any] = {name: value[...] for name, value in self.around.items()}
        arrays["layers"] = [{name: value[...] for name, value in layer.items()} for layer in self.layers]
        return outputs(self.space, decided(self.space, self.arch), arrays, jnp.asarray(inputs))
