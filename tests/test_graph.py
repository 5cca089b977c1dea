"""Cells as graphs: what is simplified, which cells are one class, counts and drawings."""

import itertools
import os
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import NB201, SMALL
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxnas import graph
from jaxnas.graph import Edge, Graph
from jaxnas.operations import OPERATIONS
from jaxnas.operations.base import IDENTITY, ZERO, Operation

LETTERS = {"0": "none", "s": "skip_connect", "a": "nor_conv_1x1", "c": "nor_conv_3x3", "p": "avg_pool_3x3"}
PRIME = 2**61 - 1
POLYNOMIALS = np.random.RandomState(0).randint(1, PRIME, (20, 5)).tolist()


def pairs(num_nodes: int) -> list[tuple[int, int]]:
    return [(source, target) for target in range(1, num_nodes) for source in range(target)]


def cell(letters: str) -> Graph:
    """Returns the cell with one letter an edge, grouped by target: "01 02 12 03 13 23"."""
    num_nodes = letters.count(" ") + 2
    names = [LETTERS[letter] for letter in letters.replace(" ", "")]
    edges = [Edge(*pair, OPERATIONS[name]) for pair, name in zip(pairs(num_nodes), names, strict=True)]
    return Graph(num_nodes, tuple(edges))


def live_pairs(names: dict[tuple[int, int], str], num_nodes: int) -> list[tuple[int, int]]:
    """Returns the edges on paths that no `none` cuts, by listing all paths."""
    inner = [itertools.combinations(range(1, num_nodes - 1), size) for size in range(num_nodes - 1)]
    paths = [list(itertools.pairwise((0, *nodes, num_nodes - 1))) for nodes in itertools.chain(*inner)]
    found = {edge for path in paths if all(names[edge] != "none" for edge in path) for edge in path}
    return [edge for edge in pairs(num_nodes) if edge in found]


def output(names: dict, alive: list, polynomials: dict, num_nodes: int) -> int:
    """Returns what a cell makes of one number where operations are random polynomials, in exact arithmetic."""
    values = [12345] + [0] * (num_nodes - 1)
    for source, target in alive:
        value = values[source]
        if names[source, target] != "skip_connect":
            a, b, c, d, e = POLYNOMIALS[polynomials.get((source, target), 0)]
            value = ((((a * value + b) * value + c) * value + d) * value + e) % PRIME
        values[target] = (values[target] + value) % PRIME
    return values[-1]


def function_of(names: dict[tuple[int, int], str], num_nodes: int) -> int | None:
    """Returns a number that two cells share when they compute the same for some matching of their live convolutions:
    the smallest output over all orders of the convolutions. A pool is the same polynomial everywhere.
    """
    alive = live_pairs(names, num_nodes)
    if not alive:
        return None
    first, second = ([edge for edge in alive if names[edge] == name] for name in ("nor_conv_1x1", "nor_conv_3x3"))
    return min(
        output(names, alive, dict(zip(first + second, order + other, strict=True)), num_nodes)
        for order in itertools.permutations(range(1, 1 + len(first)))
        for other in itertools.permutations(range(10, 10 + len(second)))
    )


def same_grouping(left, right) -> bool:
    return len(set(left)) == len(set(right)) == len(set(zip(left, right, strict=True)))


@pytest.fixture(scope="module")
def choices() -> list[tuple[str, ...]]:
    """Returns the operations of all architectures of NAS-Bench-201, in the order of the space."""
    return list(itertools.product(LETTERS.values(), repeat=6))


@pytest.fixture(scope="module")
def graphs(choices) -> list[Graph]:
    return [
        Graph(4, tuple(Edge(*pair, OPERATIONS[name]) for pair, name in zip(pairs(4), names, strict=True)))
        for names in choices
    ]


SAME = {
    "a skip after a convolution": ("c 00 0s0", "0 00 c00"),
    "edges that lead nowhere": ("s cs c00", "0 00 c00"),
    "edges that come from nowhere": ("0 0c c0c", "0 00 c00"),
    "the output is not reached": ("0 00 0ss", "c cc 000"),
    "nodes in another order, one path": ("0 c0 00a", "c 00 0a0"),
    "nodes in another order, two paths": ("c p0 sac", "p c0 sca"),
    "a pool used twice and two pools": ("p 0s 0ss", "p p0 0ss"),
    "a sum of three at one node and at two": ("c a0 sss", "c as s0s"),
    "the input twice": ("s 0s 0ss", "0 s0 s0s"),
    "an argument summed at one node and at two": ("c s0 0sc 000s", "c ss 00c 000s") if False else ("c sc s0s", "c sc s0s"),
}


@pytest.mark.parametrize(("left", "right"), SAME.values(), ids=SAME)
def test_cells_of_one_function_are_one_class(left, right):
    assert graph.canonical_form(cell(left)) == graph.canonical_form(cell(right))


DIFFERENT = {
    "a convolution used twice and two convolutions": ("c 0s 0ss", "c c0 0ss"),
    "two convolutions after one and after two": ("c 0s 0aa", "c c0 0aa"),
    "a term twice and once": ("0 s0 s0s", "0 00 s00"),
    "a pool twice and once": ("p p0 0ss", "0 00 p00"),
    "operations in another order": ("c 00 0a0", "a 00 0c0"),
    "the input and nothing": ("0 00 s00", "0 00 000"),
}


@pytest.mark.parametrize(("left", "right"), DIFFERENT.values(), ids=DIFFERENT)
def test_cells_of_different_functions_are_different_classes(left, right):
    assert graph.canonical_form(cell(left)) != graph.canonical_form(cell(right))


@settings(derandomize=True, deadline=None)
@given(st.lists(st.sampled_from("0sacp"), min_size=10, max_size=10), st.integers(1, 2), st.randoms())
def test_exchanging_two_nodes_without_an_edge_between_them_keeps_the_class(letters, node, random):
    names = dict(zip(pairs(5), letters, strict=True)) | {(node, node + 1): "0"}
    exchange = {node: node + 1, node + 1: node}
    exchanged = {
        (exchange.get(source, source), exchange.get(target, target)): name for (source, target), name in names.items()
    }
    exchanged[node, node + 1] = "0"
    assume(exchanged != names)

    def form(operations):
        return graph.canonical_form(
            Graph(5, tuple(Edge(*pair, OPERATIONS[LETTERS[operations[pair]]]) for pair in pairs(5)))
        )

    assert form(names) == form(exchanged)


def test_classes_of_nb201_are_the_functions_up_to_the_names_of_convolutions(choices, graphs):
    functions = [function_of(dict(zip(pairs(4), names, strict=True)), 4) for names in choices]
    forms = [graph.canonical_form(one) for one in graphs]
    assert same_grouping(forms, functions)
    assert same_grouping(forms, NB201.classes().tolist())
    assert len(set(forms)) == 5_260
    assert functions.count(None) == 341
    assert Counter(forms)[graph.canonical_form(cell("0 00 000"))] == 341


def test_unique_strings_are_those_of_nas_bench_201(choices, graphs):
    ours = {NB201.to_str(np.asarray([list(LETTERS.values()).index(name) for name in names])): graph.unique_string(one)
            for names, one in zip(choices, graphs, strict=True)}
    assert len(ours) == 15_625
    assert len(set(ours.values())) == 6_466
    folder = os.environ.get("JAXNAS_CHECK_DATA")
    if not folder:
        pytest.skip("JAXNAS_CHECK_DATA is not set: no official data to compare with")
    import pandas as pd

    official = pd.read_parquet(Path(folder) / "nasbench201_cifar10.parquet", columns=["arch_str", "unique_str"])
    assert same_grouping(official.unique_str, [ours[text] for text in official.arch_str])
