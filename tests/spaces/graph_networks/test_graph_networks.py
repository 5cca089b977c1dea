"""Graph networks: the traced network against plain formulas, node by node; classes, padding and the order of nodes."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnas as jn
from jaxnas.spaces.graph_networks.network import FULL, OF_OPERATION, GraphStates, decided
from jaxnas.spaces.graph_networks.networks import GraphNetworks
from jaxnas.spaces.graph_networks.space import GRAPH_NETWORKS, LINKS, NB_GRAPH, SKIP, _same_networks
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.graphs import joined
from jaxnas.training.config import TrainConfig
from jaxnas.training.networks import Variables

NODES, FEATURES, WIDTH, OUTPUTS = 6, 2, 3, 2
SPEC = TaskSpec("graphs", "class", (NODES, FEATURES + NODES), OUTPUTS)
NETWORKS = GraphNetworks(GRAPH_NETWORKS, TrainConfig(network=GraphStates(WIDTH)), SPEC)
RANDOM = np.random.RandomState(0)
TEXTS = ("0012/gat-gin-cheb-sage", "0123/graph-skip-arma-gcn", "0001/fc-skip-skip-gat", "0111/gin-skip-cheb-graph")


def graph_of(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns features and weights of a graph whose last node has no edge."""
    weights = np.triu(RANDOM.randint(0, 4, (count, count)), 1).astype(float)
    weights[:, -1] = 0
    return RANDOM.randn(count, FEATURES), weights + weights.T


GRAPHS = [graph_of(count) for count in (6, 4, 3, 1)]
INPUTS = joined(tuple(zip(*GRAPHS, strict=True)), SPEC.shape).astype(np.float32)


@functools.cache
def compiled():
    return jax.jit(lambda arch, arrays, inputs: NETWORKS.apply(arrays, arch, inputs, mode="evaluate").outputs)


@functools.cache
def variables() -> Variables:
    """Returns initial arrays whose offsets are not 0."""
    made = jax.jit(NETWORKS.init)(jax.random.key(0), jnp.zeros(5, jnp.int32))
    return jax.tree.map(lambda values: values + RANDOM.uniform(0.05, 0.2, values.shape).astype(np.float32), made)


def outputs_of(arch, arrays=None, inputs=INPUTS) -> np.ndarray:
    return np.asarray(compiled()(jnp.asarray(arch), arrays or variables(), jnp.asarray(inputs)))


def plain_layer(name: str, own: dict, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the states of the nodes of one graph after a layer, by the formulas of the papers, node by node."""
    count, degrees = len(x), weights.sum(1)
    near = [np.flatnonzero(row) for row in weights]
    found = np.zeros_like(x)
    for i in range(count):
        total = sum((weights[i, j] * x[j] for j in near[i]), np.zeros(x.shape[1]))
        normal = sum((weights[i, j] / np.sqrt(degrees[i] * degrees[j]) * x[j] for j in near[i]), np.zeros(x.shape[1]))
        if name == "fc":
            found[i] = x[i] @ own["kernel"]
        elif name == "gcn":
            loops = degrees + 1
            mixed = x[i] / loops[i] + sum(weights[i, j] / np.sqrt(loops[i] * loops[j]) * x[j] for j in near[i])
            found[i] = mixed @ own["kernel"]
        elif name == "gin":
            hidden = np.maximum((x[i] + total) @ own["kernel"] + own["hidden_offset"], 0)
            found[i] = hidden @ own["other_kernel"]
        elif name == "sage":
            found[i] = total / max(degrees[i], 1e-9) @ own["kernel"] + x[i] @ own["other_kernel"]
        elif name == "graph":
            found[i] = total @ own["kernel"] + x[i] @ own["other_kernel"]
        elif name == "arma":
            found[i] = normal @ own["kernel"] + x[i] @ own["other_kernel"]
        elif name == "gat":
            y = x @ own["kernel"]
            seen = [i, *near[i]]
            scores = np.asarray([y[i] @ own["source"] + y[j] @ own["target"] for j in seen])
            chances = np.exp(np.where(scores > 0, scores, 0.2 * scores))
            found[i] = chances / chances.sum() @ y[seen]
    if name == "cheb":
        root = np.where(degrees > 0, 1 / np.sqrt(np.maximum(degrees, 1e-9)), 0)
        scaled = -root[:, None] * weights * root  # the Laplacian I - D^-1/2 A D^-1/2, over its half of the largest, - I
        two = 2 * scaled @ scaled - np.eye(count)
        found = x @ own["kernel"] + scaled @ x @ own["other_kernel"] + two @ x @ own["third_kernel"]
    return np.maximum(found + own["offset"], 0)


def plain_outputs(text: str, graph: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Returns the outputs for one graph without padding."""
    links, _, names = text.partition("/")
    names = names.split("-")
    arrays = jax.tree.map(np.asarray, variables().parameters)
    features, weights = graph
    states = [features @ arrays["input_kernel"] + arrays["input_offset"]]
    of_input = [True]
    for number, (digit, name) in enumerate(zip(links, names, strict=True)):
        read = states[int(digit)]
        own = {key: values[number] for key, values in arrays["layers"].items()}
        states.append(read if name == SKIP else plain_layer(name, own, read, weights))
        of_input.append(name == SKIP and of_input[int(digit)])
    ends = [layer for layer in range(1, 5) if str(layer) not in links and not of_input[layer]]
    last = np.mean([states[layer] for layer in ends], axis=0)
    read = np.concatenate([last.mean(0), last.sum(0) / FULL])
    return read @ arrays["head_kernel"] + arrays["head_offset"]


@pytest.mark.parametrize("text", TEXTS)
def test_networks_are_what_the_formulas_of_the_papers_give_for_each_graph_alone(text):
    expected = [plain_outputs(text, graph) for graph in GRAPHS]
    found = outputs_of(GRAPH_NETWORKS.from_str(text))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert np.ptp(found, axis=0).min() > 1e-3


def test_every_operation_is_among_those_that_are_compared():
    assert {name for text in TEXTS for name in text.partition("/")[2].split("-")} == {*OF_OPERATION}


def test_members_of_a_class_are_one_function_of_relabeled_arrays():
    arrays = variables()
    for links, skipped in itertools.product(
        range(len(LINKS)), ((0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 1), (0, 0, 1, 1))
    ):
        operations = np.where(skipped, NB_GRAPH.operations.index(SKIP), RANDOM.permutation(8)[:4])
        arch = np.asarray([links, *operations], np.int32)
        expected = outputs_of(arch)
        for target, order in _same_networks([int(digit) for digit in LINKS[links]], [bool(each) for each in skipped]):
            other = np.asarray([target, *operations[list(order)]], np.int32)
            assert GRAPH_NETWORKS.index(other) == GRAPH_NETWORKS.index(arch)
            layers = jax.tree.map(lambda values, order=order: values[np.asarray(order)], arrays.parameters["layers"])
            relabeled = Variables({**arrays.parameters, "layers": layers})
            np.testing.assert_allclose(outputs_of(other, relabeled), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", TEXTS)
def test_neither_the_order_of_nodes_nor_where_padding_stands_matters(text):
    arch = GRAPH_NETWORKS.from_str(text)
    order = np.asarray([3, 5, 0, 4, 1, 2])
    moved = INPUTS[:, order][..., np.concatenate([np.arange(FEATURES), FEATURES + order])]
    assert (np.isnan(moved) != np.isnan(INPUTS)).any()
    np.testing.assert_allclose(outputs_of(arch, inputs=moved), outputs_of(arch), rtol=1e-4, atol=1e-5)
    choices = tuple(int(choice) for choice in arch)
    network = NETWORKS.module(choices, variables())  # which takes graphs of any number of nodes
    more = joined(tuple(zip(*GRAPHS, strict=True)), (NODES + 2, FEATURES + NODES + 2)).astype(np.float32)
    np.testing.assert_allclose(network(more), outputs_of(arch), rtol=1e-4, atol=1e-5)


def test_an_identity_of_the_input_does_not_reach_the_output_and_one_of_a_layer_does():
    shares = {text: decided(GRAPH_NETWORKS, tuple(GRAPH_NETWORKS.from_str(text).tolist())).shares for text in TEXTS}
    assert shares["0001/fc-skip-skip-gat"] == [0, 0, 0, 1]
    assert shares["0111/gin-skip-cheb-graph"] == [0, 1 / 3, 1 / 3, 1 / 3]
    assert shares["0123/graph-skip-arma-gcn"] == [0, 0, 0, 1]


def test_networks_are_of_graphs_and_searched_by_the_name_of_the_space_or_of_the_benchmark():
    assert GRAPH_NETWORKS.num_architectures == NB_GRAPH.num_architectures == 26_206
    for name in ("graph-networks", "nb-graph", "nb-graph-proteins"):
        assert jn.Trainer(jn.space(name), jn.task("solubility")).size((0,) * 5).num_parameters > 1000
    with pytest.raises(ValueError, match=r"^Expected a task of graphs for a GraphNetworkSpace, got digits"):
        jn.Trainer(GRAPH_NETWORKS, jn.task("digits"))
    with pytest.raises(ValueError, match=r"^Expected width to be an int of at least 1, got 0"):
        GraphStates(0)


def test_the_size_of_a_network_is_counted_by_hand():
    arch = tuple(GRAPH_NETWORKS.from_str("0012/gat-cheb-fc-skip").tolist())
    around, head = FEATURES * WIDTH + WIDTH, 2 * WIDTH * OUTPUTS + OUTPUTS
    layers = (WIDTH * WIDTH + 3 * WIDTH) + (3 * WIDTH * WIDTH + WIDTH) + (WIDTH * WIDTH + WIDTH)
    found = NETWORKS.size(arch)
    assert found.num_parameters == around + head + layers
    assert found.num_flops == NODES * (around + layers) + head + 3 * NODES * NODES * WIDTH
