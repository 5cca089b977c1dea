"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.darts.network import Stack
from jaxnas.spaces.graph_networks.network import GraphStates
from jaxnas.spaces.joint.space import JointSpace
from jaxnas.spaces.layers.base import Operation
from jaxnas.spaces.listed import ListedSpace
from jaxnas.spaces.macro.network import Chain
from jaxnas.spaces.macro.space import BlockSpace
from jaxnas.spaces.nasbench101.space import NB101
from jaxnas.spaces.recurrent.baselines import BASELINE_CELLS
from jaxnas.spaces.recurrent.network import Recurrence
from jaxnas.spaces.recurrent.space import RecurrentSpace
from jaxnas.spaces.sizes.network import Widths
from jaxnas.spaces.sizes.space import SizeSpace
from jaxnas.spaces.transformers.space import TransformerSpace

__all__ = [
    "BASELINE_CELLS",
    "BlockSpace",
    "Chain",
    "GraphStates",
    "JointSpace",
    "ListedSpace",
    "NB101",
    "Operation",
    "Recurrence",
    "RecurrentSpace",
    "SizeSpace",
    "Skeleton",
    "Stack",
    "TransformerSpace",
    "Widths",
]
