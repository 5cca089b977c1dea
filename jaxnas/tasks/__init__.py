"""Tasks: data sets with fixed splits, goals and metrics.

For example `jn.tasks.Metric("error", "percent", -1)`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
