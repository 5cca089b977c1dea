"""Tasks: what is learned.

For example `jn.tasks.Metric("error", "percent", -1)`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "Metric": "tasks.metrics",
    "Split": "tasks.base",
    "Task": "tasks.base",
    "TaskSpec": "tasks.base",
    "hmm_optimum": "tasks.generated",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
