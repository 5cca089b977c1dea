"""The cells of hierarchical NAS-Bench-201: activation, convolution and normalization of each edge are chosen."""

from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers.fused import FUSED
from jaxnas.spaces.layers.nasbench import AVG_POOL_3X3, NONE, SKIP_CONNECT

CITES = ("schrodi2023construction",)

HIERARCHICAL_CELL = CellSpace(4, (NONE, SKIP_CONNECT, AVG_POOL_3X3, *FUSED), name="hierarchical-cell")
"""Cells of four nodes with 30 operations on six edges, 7.29e8 of them (Schrodi et al., NeurIPS 2023)."""
