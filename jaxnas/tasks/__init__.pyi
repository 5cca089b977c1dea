"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.tasks.base import Split as Split
from jaxnas.tasks.base import Task as Task
from jaxnas.tasks.base import TaskSpec as TaskSpec
from jaxnas.tasks.metrics import Metric as Metric
