"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.tasks.arrays import task_from_arrays
from jaxnas.tasks.base import Split
from jaxnas.tasks.base import Task
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.generated import hmm_optimum
from jaxnas.tasks.metrics import Metric

__all__ = [
    "Metric",
    "Split",
    "Task",
    "TaskSpec",
    "hmm_optimum",
    "task_from_arrays",
]
