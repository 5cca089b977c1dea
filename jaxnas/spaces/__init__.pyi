"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.spaces.cells.network import Network as Network
from jaxnas.spaces.cells.network import Skeleton as Skeleton
from jaxnas.spaces.darts.network import Stack as Stack
from jaxnas.spaces.graph_networks.network import GraphStates as GraphStates
from jaxnas.spaces.layers.base import Operation as Operation
from jaxnas.spaces.listed import ListedSpace as ListedSpace
from jaxnas.spaces.macro.network import Chain as Chain
from jaxnas.spaces.macro.space import BlockSpace as BlockSpace
from jaxnas.spaces.nasbench101.space import NB101 as NB101
from jaxnas.spaces.recurrent.network import Recurrence as Recurrence
from jaxnas.spaces.recurrent.space import RecurrentSpace as RecurrentSpace
from jaxnas.spaces.sizes.network import Widths as Widths
from jaxnas.spaces.sizes.space import SizeSpace as SizeSpace
from jaxnas.spaces.transformers.space import TransformerSpace as TransformerSpace
