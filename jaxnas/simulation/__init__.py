"""Runs of strategies on benchmarks. `jn.run` and `jn.AskTell` are the usual ways; here are their parts and results.

For example `jn.simulation.check_strategy(strategy, bench)`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "AsynchronousTrials": "simulation.asynchronous",
    "Observation": "strategies.base",
    "Trials": "simulation.trials",
    "check_strategy": "simulation.checking",
    "run_asynchronous": "simulation.asynchronous",
    "run_key": "simulation.ask_tell",
    "simulate": "simulation.run",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
