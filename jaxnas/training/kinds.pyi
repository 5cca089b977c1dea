"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.training.curves import Curves as Curves
from jaxnas.training.family import Applied as Applied
from jaxnas.training.family import Family as Family
from jaxnas.training.family import Kernels as Kernels
from jaxnas.training.family import Plan as Plan
from jaxnas.training.family import Shared as Shared
from jaxnas.training.family import Size as Size
from jaxnas.training.family import Variables as Variables
from jaxnas.training.loop import sequential_plan as sequential_plan
from jaxnas.training.taps import Tap as Tap
