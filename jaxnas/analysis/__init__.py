"""Analysis of runs: regret and optima, tests and their power, which decisions matter and why a network is good.

For example `jn.analysis.pairwise(regrets)`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
