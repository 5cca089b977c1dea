"""Cells as graphs: what is simplified, which cells are one class, counts and drawings."""

import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from helpers.samples import NB201
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxnas.spaces.cells import drawing, graph
from jaxnas.spaces.cells.graph import Edge, Graph
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers import OPERATIONS
from jaxnas.spaces.layers.base import IDENTITY, ZERO, Operation

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
    return [NB201.graph([list(LETTERS.values()).index(name) for name in names]) for names in choices]


SAME = {
    "a skip after a convolution": ("c 00 0s0", "0 00 c00"),
    "edges that lead nowhere": ("s cs c00", "0 00 c00"),
    "edges that come from nowhere": ("0 0c c0c", "0 00 c00"),
    "the output is not reached": ("0 00 0ss", "c cc 000"),
    "nodes in another order, one path": ("0 c0 00a", "c 00 0a0"),
    "nodes in another order, two paths": ("c p0 sac", "p c0 sca"),
    "a pool used twice and two pools": ("p 0s 0ss", "p p0 0ss"),
    "an output summed at two nodes and at one": ("c as s0s", "c a0 sss"),
    "an argument with a skip in another place": ("s sp 00c", "p ss 00c"),
    "the input twice": ("s 0s 0ss", "0 s0 s0s"),
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


def test_roles_and_not_names_say_what_is_simplified():
    def ours(letters):
        roles = {"0": Operation("nothing", None, role=ZERO), "s": Operation("same", None, role=IDENTITY)}
        edges = [
            Edge(*edge[:2], roles.get(letter, edge.operation))
            for edge, letter in zip(cell(letters).edges, letters.replace(" ", ""), strict=True)
        ]
        return Graph(4, tuple(edges))

    for left, right in SAME.values():
        assert graph.canonical_form(ours(left)) == graph.canonical_form(ours(right)) == graph.canonical_form(cell(left))


@settings(derandomize=True, deadline=None)
@given(st.text("0sacp", min_size=10, max_size=10), st.integers(1, 2))
def test_exchanging_two_nodes_without_an_edge_between_them_keeps_the_class(letters, node):
    other = {node: node + 1, node + 1: node}
    letters = dict(zip(pairs(5), letters, strict=True)) | {(node, node + 1): "0"}
    exchanged = {
        (other.get(source, source), other.get(target, target)): letter for (source, target), letter in letters.items()
    } | {(node, node + 1): "0"}
    assume(any(exchanged[pair] != letters[pair] for pair in pairs(5)))
    left, right = (
        Graph(5, tuple(Edge(*pair, OPERATIONS[LETTERS[of[pair]]]) for pair in pairs(5))) for of in (letters, exchanged)
    )
    assert graph.canonical_form(left) == graph.canonical_form(right)


def two_layers(arguments: list[tuple[int, int]]) -> Graph:
    """Returns the sum of 1x1 convolutions, each of the sum of two of four 3x3 convolutions of the input."""
    found = [Edge(0, 1 + node, OPERATIONS["nor_conv_3x3"]) for node in range(4)]
    skip, pointwise = OPERATIONS["skip_connect"], OPERATIONS["nor_conv_1x1"]
    for node, pair in enumerate(arguments):
        found += [Edge(1 + source, 5 + node, skip) for source in pair]
    found += [Edge(5 + node, 9, pointwise) for node in range(len(arguments))]
    return Graph(10, tuple(found))


def test_cells_that_only_cycles_tell_apart_are_different_classes():
    # every node has the same neighborhood here, so refinement by neighborhoods does not suffice
    ring = graph.canonical_form(two_layers([(0, 1), (1, 2), (2, 3), (0, 3)]))
    assert ring == graph.canonical_form(two_layers([(0, 2), (1, 3), (0, 1), (2, 3)]))
    assert ring != graph.canonical_form(two_layers([(0, 1), (0, 1), (2, 3), (2, 3)]))


def test_classes_of_nb201_are_the_functions_up_to_the_names_of_convolutions(choices, graphs):
    functions = [function_of(dict(zip(pairs(4), names, strict=True)), 4) for names in choices]
    forms = [graph.canonical_form(one) for one in graphs]
    assert same_grouping(forms, functions)
    assert same_grouping(forms, NB201.classes().tolist())
    assert len(set(forms)) == 5_260
    assert functions.count(None) == forms.count(graph.canonical_form(cell("0 00 000"))) == 341


def test_official_strings_name_the_edges_by_target_and_then_by_source():
    text = "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"
    found = [(edge.source, edge.target, edge.operation.name) for edge in NB201.graph(NB201.from_str(text)).edges]
    assert found == [
        (0, 1, "none"),
        (0, 2, "skip_connect"),
        (1, 2, "nor_conv_1x1"),
        (0, 3, "nor_conv_3x3"),
        (1, 3, "avg_pool_3x3"),
        (2, 3, "none"),
    ]


@settings(derandomize=True, deadline=None)
@given(st.text("00sacp", min_size=10, max_size=10))
def test_pruning_keeps_the_edges_on_uncut_paths(letters):
    whole = cell(" ".join((letters[0], letters[1:3], letters[3:6], letters[6:])))
    names = {edge[:2]: edge.operation.name for edge in whole.edges}
    alive = live_pairs(names, 5)
    assert graph.prune(whole) == Graph(5, tuple(edge for edge in whole.edges if edge[:2] in alive))
    assert graph.canonical_form(graph.prune(whole)) == graph.canonical_form(whole)


def test_flops_are_those_of_live_edges():
    convolution, pointwise = 9 * 3 * 5 * 2**2, 3 * 5 * 2**2
    assert graph.num_flops(cell("c cc c00"), 2, 3, 5) == convolution
    assert graph.num_flops(cell("c c0 pas"), 2, 3, 5) == 2 * convolution + pointwise
    assert graph.num_flops(cell("c cc 000"), 2, 3, 5) == 0


@pytest.mark.parametrize("letters", ["c 0s apc", "s cs c00", "0 00 000", "c", "c sa pss acs0"])
def test_drawings_are_well_formed_and_name_every_edge_once(letters):
    drawn = cell(letters)
    texts = [
        element.text for element in ElementTree.fromstring(drawing.draw(drawn)).iter() if element.tag.endswith("text")
    ]
    shown = [edge.operation.name for edge in drawn.edges if edge.operation.role != ZERO]
    assert sorted(texts) == sorted([*shown, "in", *map(str, range(1, drawn.num_nodes - 1)), "out"])
    assert drawing.draw(drawn).count("stroke-dasharray") == len(shown) - len(graph.prune(drawn).edges)


def test_drawings_show_any_name():
    drawn = CellSpace(2, ("none", Operation("a<b>&c", None))).graph([1])
    assert "a<b>&c" in [element.text for element in ElementTree.fromstring(drawing.draw(drawn)).iter()]
