"""Work on a Ray cluster, on as many machines as there are: the chunks of a build, each a task, and other calls.

Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", OSDI 2018. Tasks return shards as bytes and
this process writes them, so that no finished chunk is lost with a node and the nodes need no common folder.
"""

import contextlib
import functools
import hashlib
import importlib
import os
import pickle
import socket
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from jaxnas.checks import first_line, is_installed
from jaxnas.files import replace_file
from jaxnas.provenance import machine, versions
from jaxnas.tables.building.executors.base import Ended, Work
from jaxnas.tables.building.plan import Chunk, shard_bytes, shard_path
from jaxnas.training.copies import copied
from jaxnas.training.trainer import Trainer

POLL_SECONDS = 0.5
CONNECT_SECONDS = 10
MAX_RETRIES = 3
MAX_WAITING = 2000
"""Tasks that Ray knows of at a time."""
STORE_BYTES = 80 << 20  # what tasks return is small; by default Ray reserves 30 % of the memory
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
"""Nothing is reported over the network; workers run as those of `processes`. Of nodes that are started here."""


class Node(NamedTuple):
    """What of a node numbers depend on."""

    versions: dict[str, str]
    machine: dict[str, Any]


class Shared(NamedTuple):
    """A copy in Ray's store, and its SHA-256."""

    reference: Any
    digest: str


class RayCluster:
    """The executor of a Ray cluster that runs at an address, or without one of this machine alone.

    The address is `host:port` or `"auto"`; by default that of the variable RAY_ADDRESS.
    """

    def __init__(self, num_processes: int | None = None, address: str | None = None):
        if not is_installed("ray"):
            raise ValueError("Expected Ray for the executor ray, got none; install it: pip install 'jaxnas[ray]'.")
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
        """Returns what of the nodes numbers depend on; it is the same on all."""
        return self.node.machine

    def train(self, work: Work, missing: Sequence[Chunk], look: Callable[[], None]) -> str:
        """Returns why chunks may be missing still: what the first task to fail said; Ray retries those that are lost.

        Raises OSError where a shard cannot be written here.
        """
        chunks = ((chunk, (chunk, work.plan.seeds, work.plan.training_plan)) for chunk in missing)
        with contextlib.closing(self.results(shard_of, copied(work.trainer), chunks, look)) as results:
            for chunk, ended in results:
                if ended.failure:
                    return ended.failure
                replace_file(shard_path(work.plan_path.parent, chunk), ended.value)
        return "Ray lost none, but shards or plan were changed meanwhile"

    @property
    def calls(self) -> "RayCluster":
        """Returns itself: functions are called on the nodes."""
        return self

    def shared(self, copy: bytes) -> Shared:
        """Returns the handle of a value, after putting its copy into Ray's store."""
        return Shared(self.ray.put(copy), hashlib.sha256(copy).hexdigest())

    def begin(self, function: Callable, shared: Shared, *arguments: Any) -> Any:
        """Returns Ray's reference to a call of a function with a value, which is not tried again."""
        return self._task.remote(*shared, self.node, function, *arguments)

    @functools.cached_property
    def _task(self) -> Any:
        """The function that is called once each, which Ray sends to its workers once."""
        return self._remote(on_node, max_retries=0, scheduling_strategy="SPREAD")

    def ended(self, call: Any) -> Ended:
        """Returns how a call ended, once it has."""
        errors = self.ray.exceptions
        try:
            return Ended(self.ray.get(call))
        except errors.RayTaskError as error:
            cause = getattr(error, "cause", None) or error
            return Ended(failure=f"{type(cause).__name__}: {first_line(cause)}")
        except errors.RayError as error:
            crashed = isinstance(error, errors.WorkerCrashedError | errors.OutOfMemoryError)
            failure = f"a worker was lost {MAX_RETRIES + 1} times ({type(error).__name__}; out of memory?)"
            return Ended(failure=failure, lost=not crashed, crashed=crashed)

    def cancel(self, call: Any) -> None:
        """Ends a call, which would run on for as long as this process lives."""
        with contextlib.suppress(Exception):
            self.ray.cancel(call, force=True)

    def results(
        self, function: Callable, copy: bytes, calls: Iterable[tuple[Any, tuple]], look: Callable[[], None]
    ) -> Generator[tuple[Any, Ended], None, None]:
        """Yields the names of calls and how they ended; as `Calls.results`. Ray retries those that are lost."""
        shared = self.shared(copy)
        task = self._remote(on_node, max_retries=MAX_RETRIES, scheduling_strategy="SPREAD")
        left, running = iter(calls), dict[Any, Any]()
        try:
            while True:
                for name, arguments in _up_to(MAX_WAITING - len(running), left):
                    running[task.remote(*shared, self.node, function, *arguments)] = name
                if not running:
                    return
                for done in self.ray.wait(list(running), num_returns=len(running), timeout=POLL_SECONDS)[0]:
                    yield running.pop(done), self.ended(done)
                look()
        finally:
            for call in running:
                self.cancel(call)

    def close(self) -> None:
        """Leaves the cluster; one of this machine alone ends."""
        if self.own:
            self.ray.shutdown()

    def _connect(self, address: str, num_processes: int | None) -> None:
        """Joins a cluster. Raises RuntimeError where there is none, or one of other versions."""
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
        """Returns what all nodes are like. Raises RuntimeError where one differs from this process or from others."""
        resource = "GPU" if self._has_gpus else "CPU"
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        asked = {}
        for node in self.ray.nodes():
            if node["Alive"] and node["Resources"].get(resource, 0) >= 1:
                there = strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                asked[self._remote(this_node, scheduling_strategy=there).remote()] = node["NodeManagerAddress"]
        first: Node | None = None
        for reference, name in asked.items():
            node, failure, *_ = self.ended(reference)
            if failure:
                raise RuntimeError(f"Expected the versions of this process on {name}, got: {failure}.")
            first = first or node
            if problem := difference(node, Node(versions(), first.machine)):
                raise RuntimeError(f"{problem} on {name}.")
        if first is None:
            raise RuntimeError("Expected a Ray node with a free core, got none; start one: ray start --address=...")
        return first

    def _remote(self, function: Callable, **options: Any) -> Any:
        environment = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        if not self._has_gpus:
            flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"  # as `processes` has them
            environment |= {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags.strip()}
        # `.options`, since in the decorator `num_gpus` starts a process, which compiles, for each task
        return self.ray.remote(function).options(
            num_cpus=1, num_gpus=int(self._has_gpus), runtime_env={"env_vars": environment}, **options
        )


def on_node(copy: bytes, digest: str, node: Node, function: Callable, *arguments: Any) -> Any:
    """Returns what a function of a value returns in this process.

    Args:
        copy, digest: of the value, as `copied` makes it, and its SHA-256.
        node: what this one must be like.

    Raises:
        RuntimeError: where it is not.
    """
    if problem := difference(this_node(), node):
        raise RuntimeError(f"{problem} on {socket.gethostname()}")
    return function(_value_of(copy, digest), *arguments)


_values: dict[str, Any] = {}  # one: of a copy functions are other ones each time, and would be compiled again


def _value_of(copy: bytes, digest: str) -> Any:
    value = _values.get(digest)
    if value is None:
        value = pickle.loads(copy)
        _values.clear()
        _values[digest] = value
    return value


def shard_of(trainer: Trainer, chunk: Chunk, seeds: Sequence[int], training_plan: str) -> bytes:
    """Returns the shard of a chunk, trained in this process."""
    import numpy as np

    archs = [trainer.space.arch_at(np.int32(row)) for row in chunk.rows]
    return shard_bytes(chunk, trainer.curves(archs, seeds, plan=training_plan))


def this_node() -> Node:
    """Returns what of this node numbers depend on; programs that it compiles from now on are kept."""
    from jaxnas.training.compilation import configure_compilation

    configure_compilation()
    return Node(versions(), machine())


def difference(found: Node, expected: Node) -> str:
    """Returns in words where a node differs from another one, and what to do; nothing where it does not."""
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


def _up_to(count: int, calls: Iterator[tuple[Any, tuple]]) -> Iterator[tuple[Any, tuple]]:
    return (call for _, call in zip(range(count), calls, strict=False))


def _check_reachable(address: str) -> None:
    """Raises RuntimeError where nothing listens at `host:port`: Ray itself would wait for a minute."""
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
