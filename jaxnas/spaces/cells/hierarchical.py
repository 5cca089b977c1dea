"""The cells of hierarchical NAS-Bench-201: each edge an identity, nothing, a pooling, or a block of three layers."""

from jaxnas.spaces.cells.operations.fused import FUSED
from jaxnas.spaces.cells.space import CellSpace

REFERENCES = ("schrodi2023construction",)

HIERARCHICAL_CELL = CellSpace(4, ("none", "skip_connect", "avg_pool_3x3", *FUSED), name="hierarchical-cell")
"""The cells that a grammar of hierarchical NAS-Bench-201 derives, with equal derivations as one: 30^6 = 7.29e8."""
