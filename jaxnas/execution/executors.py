"""The executor of a command's or a function's options."""

from jaxnas.execution.base import Executor
from jaxnas.execution.processes import Processes
from jaxnas.execution.ray import RayCluster


def executor(ray: str | None = None, num_processes: int | None = None, part: int = 0) -> Executor:
    """Returns the processes of this machine, or a Ray cluster.

    Args:
        ray: None: no cluster; otherwise its address, as of `RayCluster`.
        num_processes: of this machine; by default one for each core, or for each GPU.
        part: as of `Processes`.

    Raises:
        ValueError: if Ray is not installed, or a cluster is given a number of processes.
        RuntimeError: if the cluster cannot be reached.
    """
    return Processes(num_processes, part) if ray is None else RayCluster(ray, num_processes)
