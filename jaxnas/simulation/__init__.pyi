"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.simulation.ask_tell import run_key
from jaxnas.simulation.asynchronous import AsynchronousTrials
from jaxnas.simulation.asynchronous import run_asynchronous
from jaxnas.simulation.checking import check_strategy
from jaxnas.simulation.objectives import joined
from jaxnas.simulation.objectives import objective
from jaxnas.simulation.run import simulate
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Observation

__all__ = [
    "AsynchronousTrials",
    "Observation",
    "Trials",
    "check_strategy",
    "joined",
    "objective",
    "run_asynchronous",
    "run_key",
    "simulate",
]
