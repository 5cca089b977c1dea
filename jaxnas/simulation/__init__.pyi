"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.simulation.ask_tell import run_key as run_key
from jaxnas.simulation.asynchronous import AsynchronousTrials as AsynchronousTrials
from jaxnas.simulation.asynchronous import run_asynchronous as run_asynchronous
from jaxnas.simulation.checking import check_strategy as check_strategy
from jaxnas.simulation.run import simulate as simulate
from jaxnas.simulation.trials import Trials as Trials
from jaxnas.strategies.base import Observation as Observation
