"""Runs of strategies on benchmarks. `jn.run` and `jn.AskTell` are the usual ways; here are their parts and results.

For example `jn.simulation.check_strategy(strategy, bench)`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
