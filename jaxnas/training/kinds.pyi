"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.training.curves import Curves
from jaxnas.training.loop import sequential_plan
from jaxnas.training.networks import Applied
from jaxnas.training.networks import AppliedNetwork
from jaxnas.training.networks import Kernels
from jaxnas.training.networks import MixedNetworks
from jaxnas.training.networks import Networks
from jaxnas.training.networks import Plan
from jaxnas.training.networks import ScoredNetworks
from jaxnas.training.networks import SharedNetworks
from jaxnas.training.networks import Size
from jaxnas.training.networks import Variables
from jaxnas.training.recorder import Recorder
from jaxnas.training.recorder import Tap

__all__ = [
    "Applied",
    "AppliedNetwork",
    "Curves",
    "Kernels",
    "MixedNetworks",
    "Networks",
    "Plan",
    "Recorder",
    "ScoredNetworks",
    "SharedNetworks",
    "Size",
    "Tap",
    "Variables",
    "sequential_plan",
]
