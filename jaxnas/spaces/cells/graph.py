"""The graph of a cell: simplification, isomorphism classes, operation counts.

Node 0 is the input of the cell and the last node its output; a node is the sum over its incoming edges.
"""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from jaxnas.spaces.layers.base import IDENTITY, ZERO, Operation


class Edge(NamedTuple):
    """An edge of a cell, from node `source` to a later node `target`."""

    source: int
    target: int
    operation: Operation


@dataclass(frozen=True)
class Graph:
    """A cell: directed, without cycles, edges ordered by target and then by source."""

    num_nodes: int
    edges: tuple[Edge, ...]


def live_edges(graph: Graph) -> list[bool]:
    """Returns for each edge whether it is on a path from the input to the output that no zero operation cuts."""
    reached = [node == 0 for node in range(graph.num_nodes)]
    for edge in graph.edges:
        reached[edge.target] |= reached[edge.source] and edge.operation.role != ZERO
    needed = [node == graph.num_nodes - 1 for node in range(graph.num_nodes)]
    for edge in reversed(graph.edges):
        needed[edge.source] |= needed[edge.target] and edge.operation.role != ZERO
    return [reached[edge.source] and needed[edge.target] and edge.operation.role != ZERO for edge in graph.edges]


def prune(graph: Graph) -> Graph:
    """Returns the graph with its live edges only; no edges if the output is not reached."""
    return Graph(
        graph.num_nodes, tuple(edge for edge, live in zip(graph.edges, live_edges(graph), strict=True) if live)
    )


def canonical_form(graph: Graph) -> tuple:
    """Returns a value that two cells share exactly when they are equal by graph isomorphism and identities.

    They then compute the same function of their input and their own parameters. Dead edges and zero terms are dropped,
    sums are flattened through identities to multisets, and every edge with parameters is another symbol, up to
    renaming: `c(x) + c(x)` (one convolution, used twice) differs from `c(x) + c'(x)`. No algebra goes beyond that:
    average pooling is linear, so some cells of other values compute the same function, too. Counting these as one, the
    5,260 classes of nb201 are 5,044 functions.
    """
    terms, output = _terms(graph)
    names = {0: "output"}
    inputs = {0: output}
    stack = list(output)
    while stack:
        term = stack.pop()
        if term not in inputs:
            names[term], inputs[term] = terms[term]
            stack.extend(inputs[term])
    return _smallest_labeling(names, inputs)


def _terms(graph: Graph) -> tuple[dict[int, tuple[str, Counter]], Counter]:
    """Returns the terms that occur in sums (number -> operation name and its argument) and the sum at the output.

    A sum is a Counter of term numbers; term 1 is the input of the cell. Equal applications of an operation without
    parameters are one term.
    """
    terms: dict[int, tuple[str, Counter]] = {1: ("input", Counter())}
    sums = [Counter({1: 1})] + [Counter() for _ in range(graph.num_nodes - 1)]
    known: dict[tuple[str, frozenset], int] = {}
    for edge in graph.edges:
        argument = sums[edge.source]
        if edge.operation.role == ZERO or not argument:
            continue
        if edge.operation.role == IDENTITY:
            sums[edge.target].update(argument)
            continue
        number = len(terms) + 1
        if edge.operation.init is None:
            number = known.setdefault((edge.operation.name, frozenset(argument.items())), number)
        terms.setdefault(number, (edge.operation.name, argument))
        sums[edge.target][number] += 1
    return terms, sums[-1]


def _smallest_labeling(
    names: dict[int, str], inputs: dict[int, Counter], colors: dict[int, int] | None = None
) -> tuple:
    """Returns the smallest description of a labeled graph over the orders of its vertices.

    The orders are all those that refinement cannot distinguish.
    """
    colors = _refine(names, inputs, colors or dict.fromkeys(names, 0))
    groups: dict[int, list[int]] = {}
    for vertex, color in colors.items():
        groups.setdefault(color, []).append(vertex)
    tied = [group for color, group in sorted(groups.items()) if len(group) > 1]
    if not tied:
        order = sorted(names, key=colors.__getitem__)
        return tuple((names[v], tuple(sorted((colors[u], count) for u, count in inputs[v].items()))) for v in order)
    return min(_smallest_labeling(names, inputs, {**colors, vertex: len(names)}) for vertex in tied[0])


def _refine(names: dict[int, str], inputs: dict[int, Counter], colors: dict[int, int]) -> dict[int, int]:
    """Returns colors that differ wherever names, colors or neighborhoods do.

    Weisfeiler & Leman, 1968.
    """
    users = {
        vertex: [(user, counts[vertex]) for user, counts in inputs.items() if vertex in counts] for vertex in names
    }
    num_colors = 0
    while True:
        signatures = {
            vertex: (
                colors[vertex],
                names[vertex],
                tuple(sorted((colors[u], count) for u, count in inputs[vertex].items())),
                tuple(sorted((colors[u], count) for u, count in users[vertex])),
            )
            for vertex in names
        }
        ranks = {signature: rank for rank, signature in enumerate(sorted(set(signatures.values())))}
        colors = {vertex: ranks[signature] for vertex, signature in signatures.items()}
        if len(ranks) == num_colors:
            return colors
        num_colors = len(ranks)


def num_flops(graph: Graph, num_channels: int, height: int, width: int) -> int:
    """Returns the multiply-accumulates of the live edges for one image."""
    return sum(edge.operation.num_flops(num_channels, height, width) for edge in prune(graph).edges)
