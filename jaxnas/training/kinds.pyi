"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.training.curves import Curves
from jaxnas.training.family import Applied
from jaxnas.training.family import Family
from jaxnas.training.family import Kernels
from jaxnas.training.family import Plan
from jaxnas.training.family import Shared
from jaxnas.training.family import Size
from jaxnas.training.family import Variables
from jaxnas.training.loop import sequential_plan
from jaxnas.training.taps import Tap

__all__ = [
    "Applied",
    "Curves",
    "Family",
    "Kernels",
    "Plan",
    "Shared",
    "Size",
    "Tap",
    "Variables",
    "sequential_plan",
]
