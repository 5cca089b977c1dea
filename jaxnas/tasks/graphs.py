"""Graphs as arrays of one size, without anything else of a task: features of nodes, adjacency, and padding.

A graph of up to A nodes is float[A, F + A]: a row a node, its F features, then the weights of its edges to all nodes.
The row of a padding node is NaN, and its column among the weights is 0.
"""

from typing import Any

import numpy as np

from jaxnas.tasks.sequences import MAX_VALUES

MAX_NODES = 1024
_EXPECTED = "graphs as (features, adjacency): [n, A, F] and [n, A, A], or lists of arrays [a, F] and [a, a]"


def num_features(shape: tuple[int, ...]) -> int:
    """Returns the number of features of a node, F, of graphs of a shape (A, F + A)."""
    return shape[1] - shape[0]


def joined(values: Any, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Returns graphs as float64[n, A, F + A], NaN for padding nodes.

    Args:
        values: (features, adjacency): lists of arrays [a, F] and [a, a], or arrays [n, A, F] and [n, A, A], in which
            nodes with NaN features are padding; or one array [n, A, F + A] of both.
        shape: (A, F + A), by default inferred from the values; smaller graphs are padded.

    Raises ValueError on other shapes, graphs without nodes or with more than A, weights that are
    not symmetric or negative, or values that are not finite numbers.
    """
    parts = [_graph(*pair, row) for row, pair in enumerate(_pairs(values))]
    if not parts:
        raise ValueError("Expected one or more graphs, got none.")
    most, width = shape or (max(len(nodes) for nodes, _ in parts), 0)
    features = width - most if shape else parts[0][0].shape[1]
    if len(parts) * most * (features + most) > MAX_VALUES or most > MAX_NODES:
        raise ValueError(
            f"Expected at most {MAX_NODES:,} nodes and {MAX_VALUES:,} values, got {len(parts):,} graphs of up to "
            f"{most:,} nodes; leave the largest ones out."
        )
    found = np.full((len(parts), most, features + most), np.nan)
    for row, (nodes, weights) in enumerate(parts):
        count = len(nodes)
        if count > most or nodes.shape[1] != features:
            raise ValueError(
                f"Expected graphs of up to {most} nodes of {features} features each, got {count} nodes of "
                f"{nodes.shape[1]} in row {row}."
            )
        found[row, :count] = 0
        found[row, :count, :features] = nodes
        found[row, :count, features : features + count] = weights
    return found


def _pairs(values: Any) -> list[tuple[Any, Any]]:
    """Returns the features and the weights of each graph."""
    if isinstance(values, np.ndarray) and values.ndim == 3 and values.shape[2] > values.shape[1]:
        features = values.shape[2] - values.shape[1]
        return [(graph[:, :features], graph[:, features:]) for graph in values]
    if not isinstance(values, tuple | list) or len(values) != 2:
        got = f"an array {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
        raise ValueError(f"Expected {_EXPECTED}, got {got}.")
    features, weights = values
    if not all(hasattr(each, "__len__") for each in (features, weights)) or len(features) != len(weights):
        raise ValueError(f"Expected {_EXPECTED}, got parts of unequal lengths.")
    return list(zip(features, weights, strict=True))


def _graph(features: Any, weights: Any, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns features float64[a, F] and weights float64[a, a] of the real nodes of a graph."""
    try:
        nodes, edges = np.asarray(features, np.float64), np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"Expected graphs of numbers, got others in row {row}.") from None
    if nodes.ndim != 2 or not nodes.shape[1] or edges.shape != (len(nodes), len(nodes)):
        raise ValueError(f"Expected {_EXPECTED}, got {list(nodes.shape)} and {list(edges.shape)} in row {row}.")
    real = ~np.isnan(nodes).all(1)
    nodes, edges = nodes[real], edges[np.ix_(real, real)]
    if not len(nodes):
        raise ValueError(f"Expected a real node in each graph, got padding alone in row {row}.")
    if not np.isfinite(nodes).all() or not np.isfinite(edges).all():
        raise ValueError(f"Expected finite features and weights, got NaN or infinite ones in row {row}.")
    if (edges < 0).any() or (edges != edges.T).any():
        wrong = "negative ones" if (edges < 0).any() else "an edge with another weight, or none, in return"
        raise ValueError(f"Expected symmetric weights of 0 or more, got {wrong} in row {row}.")
    return nodes, edges
