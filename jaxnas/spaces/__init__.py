"""Search spaces: which architectures exist, one folder a kind.

For example `jn.spaces.ListedSpace(jn.NB201, range(100))`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "BASELINE_CELLS": "spaces.recurrent.baselines",
    "BlockSpace": "spaces.macro.space",
    "Chain": "spaces.macro.network",
    "GraphStates": "spaces.graph_networks.network",
    "ListedSpace": "spaces.listed",
    "NB101": "spaces.nasbench101.space",
    "Operation": "spaces.layers.base",
    "Recurrence": "spaces.recurrent.network",
    "RecurrentSpace": "spaces.recurrent.space",
    "SizeSpace": "spaces.sizes.space",
    "Skeleton": "spaces.cells.network",
    "Stack": "spaces.darts.network",
    "TransformerSpace": "spaces.transformers.space",
    "Widths": "spaces.sizes.network",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
