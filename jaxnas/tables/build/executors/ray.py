"""Training the chunks of a build on a Ray cluster: one task a chunk, on as many machines as there are.

Moritz et al., "Ray: A Distributed Framework for Emerging AI Applications", OSDI 2018. Tasks return shards as bytes and
this process writes them, so that no finished chunk is lost with a node and the nodes need no common folder.
"""

import contextlib
import hashlib
import importlib
import os
import pickle
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from jaxnas.checks import first_line, is_installed
from jaxnas.tables.build.executors.base import Work
from jaxnas.tables.build.plan import Chunk, shard_bytes, shard_path
from jaxnas.tables.build.provenance import machine, versions
from jaxnas.tables.files import replace_file
from jaxnas.training.copies import copied

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
        copy = copied(work.trainer)
        shared, digest = self.ray.put(copy), hashlib.sha256(copy).hexdigest()
        task = self._remote(shard_of, max_retries=MAX_RETRIES, scheduling_strategy="SPREAD")
        left, running = iter(missing), dict[Any, Chunk]()
        try:
            while True:
                for chunk in _up_to(MAX_WAITING - len(running), left):
                    name = work.plan.training_plan
                    running[task.remote(shared, digest, chunk, work.plan.seeds, name, self.node)] = chunk
                if not running:
                    return "Ray lost none, but shards or plan were changed meanwhile"
                for done in self.ray.wait(list(running), num_returns=len(running), timeout=POLL_SECONDS)[0]:
                    chunk = running.pop(done)
                    failure, shard = self._got(done)
                    if shard is None:
                        return failure
                    replace_file(shard_path(work.plan_path.parent, chunk), shard)
                look()
        finally:  # tasks would run on for as long as this process lives
            for reference in running:
                with contextlib.suppress(Exception):
                    self.ray.cancel(reference, force=True)

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
            failure, node = self._got(reference)
            if node is None:
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

    def _got(self, reference: Any) -> tuple[str, Any]:
        """Returns what a task returned, or in one line why it did not, and None."""
        try:
            return "", self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None) or error
            return f"{type(cause).__name__}: {first_line(cause)}", None
        except self.ray.exceptions.RayError as error:
            return f"a worker was lost {MAX_RETRIES + 1} times ({type(error).__name__}; out of memory?)", None


def shard_of(copy: bytes, digest: str, chunk: Chunk, seeds: Sequence[int], training_plan: str, node: Node) -> bytes:
    """Returns the shard of a chunk, trained in this process.

    Args:
        copy, digest: of a trainer, as `copied` makes it, and its SHA-256.
        node: what this one must be like.

    Raises:
        RuntimeError: where it is not.
    """
    import numpy as np

    if problem := difference(this_node(), node):
        raise RuntimeError(f"{problem} on {socket.gethostname()}")
    trainer = _trainer_of(copy, digest)
    archs = [trainer.space.arch_at(np.int32(row)) for row in chunk.rows]
    return shard_bytes(chunk, trainer.curves(archs, seeds, plan=training_plan))


_trainers: dict[str, Any] = {}  # one: of a copy functions are other ones each time, and would be compiled again


def _trainer_of(copy: bytes, digest: str) -> Any:
    if digest not in _trainers:
        _trainers.clear()
        _trainers[digest] = pickle.loads(copy)
    return _trainers[digest]


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


def _up_to(count: int, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    return (chunk for _, chunk in zip(range(count), chunks, strict=False))


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
