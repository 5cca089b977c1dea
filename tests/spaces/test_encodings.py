"""Encodings: features that agree with the graph that they encode."""

import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxnas as jn
from jaxnas.spaces import encodings, graphs
from jaxnas.spaces.cells import encodings as cell_encodings
from jaxnas.spaces.cells import graph
from jaxnas.spaces.layers.base import ZERO

WIDE = jn.CellSpace(5, ("skip_connect", "none", "nor_conv_3x3"), name="wide")
"""A space whose zero operation is not the first."""
FULL = jn.CellSpace(3, ("skip_connect", "nor_conv_1x1"), name="full")
"""A space without a zero operation."""
CELLS = {"nb201": jn.NB201, "small": SMALL, "wide": WIDE, "full": FULL, "pair": jn.CellSpace(2, SMALL.operations)}
ENCODINGS = {
    "one_hot": encodings.one_hot,
    "adjacency": cell_encodings.adjacency,
    "path": cell_encodings.path,
    "weisfeiler_lehman": cell_encodings.weisfeiler_lehman,
    "weisfeiler_lehman_twice": lambda space: cell_encodings.weisfeiler_lehman(space, num_iterations=2),
}
COMPILED = {}


def features_of(name: str, space, arch) -> np.ndarray:
    """Returns the features of an architecture, by a compiled encoding."""
    if (name, space) not in COMPILED:
        COMPILED[name, space] = jax.jit(ENCODINGS[name](space))
    return np.asarray(COMPILED[name, space](np.asarray(arch, np.int32)))


@st.composite
def cells(draw):
    """Returns a cell space and an architecture of it."""
    space = CELLS[draw(st.sampled_from(sorted(CELLS)))]
    return space, [draw(st.integers(0, len(decision.values) - 1)) for decision in space.decisions]


def operation_names(space) -> list[str]:
    return [operation.name for operation in space.operations if operation.role != ZERO]


def passing_edges(space, arch) -> list[graph.Edge]:
    return [edge for edge in space.graph(arch).edges if edge.operation.role != ZERO]


def walks(edges: list[graph.Edge], node: int, last: int) -> list[tuple[str, ...]]:
    """Returns the operations along each path from a node to the last one, found by walking along the edges."""
    if node == last:
        return [()]
    return [
        (edge.operation.name, *rest)
        for edge in edges
        if edge.source == node
        for rest in walks(edges, edge.target, last)
    ]


def label_counts(space, arch, num_iterations: int) -> list[Counter]:
    """Returns the counts of Weisfeiler-Lehman labels of each iteration, labels being nested tuples."""
    edges = graph.prune(space.graph(arch)).edges
    last = space.num_nodes - 1
    labels = {edge: edge.operation.name for edge in edges} | {"input": "input", "output": "output"}
    reads = {edge: edge.source for edge in edges} | {"output": last}
    counts = [Counter(edge.operation.name for edge in edges)]
    for _ in range(num_iterations):
        before = labels
        labels = {"input": (before["input"], ())}
        for vertex, node in reads.items():
            predecessors = [before[edge] for edge in edges if edge.target == node]
            predecessors += [before["input"]] if node == 0 else []
            labels[vertex] = (before[vertex], tuple(sorted(predecessors, key=repr)))
        counts.append(Counter(label for vertex, label in labels.items() if vertex != "input"))
    return counts


def hash_of(label, names: list[str]) -> int:
    """Returns the hash of a nested label, from the rule in the docstring of `weisfeiler_lehman`."""
    if isinstance(label, str):
        return [*names, "input", "output"].index(label)
    own, predecessors = label
    passed = sum(int(graphs.hash_label(hash_of(other, names), 0)) for other in predecessors)
    return int(graphs.hash_label(hash_of(own, names), passed % 2**32))


@settings(deadline=None, max_examples=60)
@given(cells())
def test_adjacency_matrices_are_those_of_the_graph(case):
    space, arch = case
    names = operation_names(space)
    matrices = features_of("adjacency", space, arch).reshape(len(names), space.num_nodes, space.num_nodes)
    assert set(matrices.ravel()) <= {0, 1}
    decoded = {(source, target, names[k]) for k, source, target in np.argwhere(matrices)}
    assert decoded == {(edge.source, edge.target, edge.operation.name) for edge in passing_edges(space, arch)}


@settings(deadline=None, max_examples=60)
@given(cells())
def test_paths_are_those_that_a_walk_along_the_edges_finds(case):
    space, arch = case
    names = operation_names(space)
    features = features_of("path", space, arch)
    sequences = [
        sequence for length in range(1, space.num_nodes) for sequence in itertools.product(names, repeat=length)
    ]
    assert features.shape == (len(sequences),)
    assert set(features) <= {0, 1}
    present = {sequences[position] for position in np.flatnonzero(features)}
    assert present == set(walks(passing_edges(space, arch), 0, space.num_nodes - 1))


@settings(deadline=None, max_examples=60)
@given(cells(), st.sampled_from([1, 2]))
def test_weisfeiler_lehman_features_are_the_counts_of_a_dictionary(case, num_iterations):
    space, arch = case
    names = operation_names(space)
    name = "weisfeiler_lehman" if num_iterations == 1 else "weisfeiler_lehman_twice"
    features = features_of(name, space, arch)
    first, *others = label_counts(space, arch, num_iterations)
    expected = np.zeros(len(names) + 256 * num_iterations)
    expected[: len(names)] = [first[operation] for operation in names]
    for iteration, counts in enumerate(others):
        for label, count in counts.items():
            expected[len(names) + 256 * iteration + hash_of(label, names) % 256] += count
    np.testing.assert_array_equal(features, expected)


def test_weisfeiler_lehman_distinguishes_what_the_dictionaries_distinguish():
    archs = np.random.RandomState(0).randint(0, 5, (400, 6))
    encode = cell_encodings.weisfeiler_lehman(jn.NB201, num_iterations=2, num_buckets=4096)
    features = np.asarray(jax.jit(jax.vmap(encode))(archs))
    groups = {}
    for arch, row in zip(archs, features, strict=True):
        counts = tuple(frozenset(counter.items()) for counter in label_counts(jn.NB201, arch, 2))
        groups.setdefault(counts, set()).add(row.tobytes())
    assert all(len(rows) == 1 for rows in groups.values())
    assert len(set().union(*groups.values())) == len(groups) > 100


@settings(deadline=None, max_examples=60)
@given(cells())
def test_weisfeiler_lehman_ignores_dead_edges_and_the_numbers_of_inner_nodes(case):
    space, arch = case
    features = features_of("weisfeiler_lehman_twice", space, arch)
    np.testing.assert_array_equal(features, features_of("weisfeiler_lehman_twice", space, space.pruned(arch)))
    if space is jn.NB201 and space.operations[arch[2]].role == ZERO:  # nodes 1 and 2 can be swapped
        swapped = [arch[1], arch[0], arch[2], arch[3], arch[5], arch[4]]
        np.testing.assert_array_equal(features, features_of("weisfeiler_lehman_twice", space, swapped))


@settings(deadline=None, max_examples=40)
@given(cells())
def test_one_hot_features_are_the_choices(case):
    space, arch = case
    features = features_of("one_hot", space, arch)
    assert features.reshape(len(space.decisions), -1).argmax(1).tolist() == arch
    assert features.sum() == len(arch)


def test_one_hot_serves_spaces_without_graphs():
    encode = encodings.one_hot(MIXED)
    assert encode(jnp.array([1, 2, 0])).tolist() == [0, 1, 0, 0, 1, 1, 0]


@settings(deadline=None, max_examples=40)
@given(cells(), st.data())
def test_an_edge_changes_the_features_that_are_about_it(case, data):
    space, arch = case
    edge = data.draw(st.integers(0, len(arch) - 1))
    other = data.draw(st.integers(0, len(space.operations) - 1))
    changed = [*arch[:edge], other, *arch[edge + 1 :]]
    differs = space.operations[other].name != space.operations[arch[edge]].name
    before, after = (features_of("adjacency", space, value) for value in (arch, changed))
    before, after = (value.reshape(-1, space.num_nodes, space.num_nodes) for value in (before, after))
    places = {(source, target) for _, source, target in np.argwhere(before != after)}
    assert places == ({space.edges[edge]} if differs else set())
    same_walks = set(walks(passing_edges(space, arch), 0, space.num_nodes - 1)) == set(
        walks(passing_edges(space, changed), 0, space.num_nodes - 1)
    )
    assert np.array_equal(features_of("path", space, arch), features_of("path", space, changed)) == same_walks


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("space", [jn.NB201, SMALL], ids=lambda space: space.name)
def test_rows_plain_calls_and_batches_have_the_same_features(name, space):
    archs = np.random.RandomState(1).randint(0, 5, (6, len(space.decisions))).astype(np.int32)
    encode, rows = ENCODINGS[name](space), space.enumerated()
    batch = np.asarray(jax.jit(jax.vmap(encode))(archs))
    assert batch.dtype == np.float32
    assert batch.ndim == 2
    for arch, features in zip(archs, batch, strict=True):
        np.testing.assert_array_equal(encode(arch), features)
        np.testing.assert_array_equal(features_of(name, rows, rows.arch_at(space.index(arch))), features)


@pytest.mark.parametrize("name", sorted(set(ENCODINGS) - {"one_hot"}))
@pytest.mark.parametrize("space", [MIXED, MIXED.enumerated()], ids=["plain", "rows"])
def test_encodings_of_cells_refuse_other_spaces(name, space):
    with pytest.raises(ValueError, match=r"^Expected a CellSpace, .* got SearchSpace"):
        ENCODINGS[name](space)


def test_wrong_sizes_are_refused():
    for size in (0, -1, 1.5, "two"):
        with pytest.raises(ValueError, match=r"^Expected num_buckets to be an int of at least 1, got"):
            cell_encodings.weisfeiler_lehman(SMALL, num_buckets=size)
    with pytest.raises(ValueError, match=r"^Expected num_iterations to be an int of at least 0, got -1"):
        cell_encodings.weisfeiler_lehman(SMALL, num_iterations=-1)
    large = jn.CellSpace(12, ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"))
    with pytest.raises(ValueError, match=r"^Expected at most 1,000,000 paths, got 5,592,404"):
        cell_encodings.path(large)


def test_equal_factory_calls_are_the_same_function():
    assert cell_encodings.path(SMALL) is cell_encodings.path(SMALL)
    assert encodings.one_hot(MIXED) is encodings.one_hot(MIXED)
