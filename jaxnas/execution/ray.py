"""Workers on a Ray cluster, on as many machines as there are.

Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", OSDI 2018. Results return to the process
that calls, so no finished call is lost with a node and the nodes need no common folder.
"""

import collections
import contextlib
import faulthandler
import hashlib
import importlib
import os
import pickle
import socket
import warnings
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, final

from jaxnas.checks import first_line, is_installed
from jaxnas.execution.base import Ended, Executor, Terms, Workers, called
from jaxnas.execution.copies import copied
from jaxnas.provenance import machine, versions

CONNECT_SECONDS = 10
MAX_WAITING = 2000
"""Tasks that Ray knows of at a time."""
STORE_BYTES = 80 << 20  # results of tasks are small; by default Ray reserves 30 % of the memory
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
"""Nothing is reported over the network; workers run as those of `processes`. Of nodes that are started here."""


class Node(NamedTuple):
    """The properties of a node on which numbers depend."""

    versions: dict[str, str]
    machine: dict[str, Any]


@final
class RayCluster(Executor):
    """The executor of a Ray cluster.

    Args:
        address: of the cluster, `host:port` or `"auto"`; `"local"`: this machine alone; empty: the variable
            RAY_ADDRESS, or this machine alone.
        num_processes: of this machine alone.
    """

    def __init__(self, address: str = "", num_processes: int | None = None):
        if not is_installed("ray"):
            raise ValueError("Expected Ray for work on a cluster, got none; install it: pip install 'jaxnas[ray]'.")
        address = address or os.environ.get("RAY_ADDRESS") or "local"
        if address != "local" and num_processes is not None:
            raise ValueError("Expected no number of processes on a cluster, whose nodes say how many, got one.")
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)  # before Ray is imported
        self.ray: Any = importlib.import_module("ray")
        self.own = not self.ray.is_initialized()
        if self.own:
            self._connect(address, num_processes)
        try:
            self._has_gpus = self.ray.cluster_resources().get("GPU", 0) > 0
            self.node = self._common_node()
        except BaseException:
            self.close()
            raise

    def machine(self) -> dict[str, Any]:
        """Returns the properties of the nodes on which numbers depend; they are the same on all."""
        return self.node.machine

    def workers(self, function: Callable, value: Any, num_calls: int, terms: Terms = Terms()) -> Workers:
        task = self.task(on_node, max_retries=0, scheduling_strategy="SPREAD")
        return _Tasks(self.ray, task, copied((function, value)), self.node, terms)

    def close(self) -> None:
        """Leaves the cluster; one of this machine alone ends."""
        if self.own:
            self.ray.shutdown()

    def _connect(self, address: str, num_processes: int | None) -> None:
        """Joins a cluster. Raises RuntimeError if there is none, or one of other versions."""
        _check_reachable(address)
        started = {"num_cpus": num_processes, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        options = started if address == "local" else {}
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r"os.fork\(\) was called")  # another program begins at once
                self.ray.init(address, log_to_driver=False, logging_level="error", **options)
        except Exception as error:  # of many kinds
            raise _unreachable(address, first_line(error).partition(". ")[0]) from None

    def _common_node(self) -> Node:
        """Returns the properties of all nodes. Raises RuntimeError if one differs from this process or from others."""
        resource = "GPU" if self._has_gpus else "CPU"
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        asked = {}
        for node in self.ray.nodes():
            if node["Alive"] and node["Resources"].get(resource, 0) >= 1:
                there = strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                asked[self.task(this_node, scheduling_strategy=there).remote()] = node["NodeManagerAddress"]
        first: Node | None = None
        for reference, name in asked.items():
            try:
                node = self.ray.get(reference)
            except self.ray.exceptions.RayError as error:
                raise RuntimeError(
                    f"Expected the versions of this process on {name}, got: {cause_of(error)}."
                ) from None
            first = first or node
            if problem := difference(node, Node(versions(), first.machine)):
                raise RuntimeError(f"{problem} on {name}.")
        if first is None:
            raise RuntimeError("Expected a Ray node with a free core, got none; start one: ray start --address=...")
        return first

    def task(self, function: Callable, **options: Any) -> Any:
        """Returns a function as a remote one, for a core or a GPU."""
        environment = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        if not self._has_gpus:
            flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"  # as `processes` has them
            environment |= {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags.strip()}
        # `.options`, since in the decorator `num_gpus` starts a process, which compiles, for each task
        return self.ray.remote(function).options(
            num_cpus=1, num_gpus=int(self._has_gpus), runtime_env={"env_vars": environment}, **options
        )


class _Tasks(Workers):
    """Calls as tasks of Ray, whose processes keep the function and its first argument."""

    def __init__(self, ray: Any, task: Any, copy: bytes, node: Node, terms: Terms):
        super().__init__(MAX_WAITING, terms.again)
        self._ray, self._task = ray, task
        self._shared = ray.put(copy), hashlib.sha256(copy).hexdigest(), node, terms.timeout
        self._running: dict[Any, Hashable] = {}
        self._done: collections.deque[Any] = collections.deque()

    def _send(self, name: Hashable, arguments: tuple[Any, ...]) -> None:
        self._running[self._task.remote(*self._shared, *arguments)] = name

    def _received(self, seconds: float | None) -> tuple[Any, Ended] | None:
        if not self._done:
            running = list(self._running)
            if self._ray.wait(running, num_returns=1, timeout=seconds)[0]:
                self._done.extend(self._ray.wait(running, num_returns=len(running), timeout=0)[0])
        if not self._done:
            return None
        reference = self._done.popleft()
        return self._running.pop(reference), self._ended(reference)

    def _ended(self, reference: Any) -> Ended:
        """Returns how a task ended, once it has."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            raise RuntimeError(f"Expected a worker process that starts, got: {cause_of(error)}") from None
        except errors.RayError as error:
            crashed = isinstance(error, errors.WorkerCrashedError | errors.OutOfMemoryError)
            limit = "memory" if self._shared[-1] is None else "memory or time"
            failure = f"worker lost ({type(error).__name__}; out of {limit}?)"
            return Ended(failure=failure, lost=not crashed, crashed=crashed)

    def close(self) -> None:
        """Ends the calls, which would run on for as long as this process lives."""
        for reference in self._running:
            with contextlib.suppress(Exception):
                self._ray.cancel(reference, force=True)


def cause_of(error: Exception) -> str:
    """Returns in one line the error that a task raised, or Ray's own."""
    cause = getattr(error, "cause", None) or error
    return f"{type(cause).__name__}: {first_line(cause)}"


def on_node(copy: bytes, digest: str, node: Node, timeout: float | None, *arguments: Any) -> Ended:
    """Returns the end of a call in this process.

    Args:
        copy, digest: of the function and its first argument, as `copied` makes it, and its SHA-256.
        node: the properties that this one must have.
        timeout: seconds after which the process ends.

    Raises RuntimeError if it differs.
    """
    if problem := difference(this_node(), node):
        raise RuntimeError(f"{problem} on {socket.gethostname()}")
    function, value = _loaded(copy, digest)
    if timeout is not None:
        faulthandler.dump_traceback_later(timeout, exit=True)
    ended = called(function, value, *arguments)
    faulthandler.cancel_dump_traceback_later()
    return ended


_shared: dict[str, tuple[Any, Any]] = {}  # one: functions of a copy are others each time, and would be compiled again


def _loaded(copy: bytes, digest: str) -> tuple[Any, Any]:
    if digest not in _shared:
        found = pickle.loads(copy)
        _shared.clear()
        _shared[digest] = found
    return _shared[digest]


def this_node() -> Node:
    """Returns the properties of this node; programs that it compiles from now on are kept."""
    from jaxnas.training.compilation import configure_compilation

    configure_compilation()
    return Node(versions(), machine())


def difference(found: Node, expected: Node) -> str:
    """Returns in words how a node differs from another one, and the remedy; nothing if it does not."""
    for name, version in expected.versions.items():
        if found.versions.get(name) != version:
            other = found.versions.get(name, "none")
            return f"Expected {name} {version} on every node, as here, got {other}; install the same version"
    for name, value in expected.machine.items():
        if found.machine.get(name) != value:
            got = found.machine.get(name)
            return (
                f"Expected nodes of one {name}, since numbers depend on it, got {got!s:.60} beside {value!s:.60}; "
                "use nodes of one kind"
            )
    return ""


def _check_reachable(address: str) -> None:
    """Raises RuntimeError if nothing listens at `host:port`: Ray itself would wait for a minute."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise _unreachable(address, getattr(error, "strerror", None) or str(error)) from None


def _unreachable(address: str, reason: str) -> RuntimeError:
    return RuntimeError(
        f"Expected a Ray cluster at {address}, got: {reason}; start one there by `ray start --head`, or leave the "
        "address out to use this machine alone."
    )
