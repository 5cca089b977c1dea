"""The Ray executor's own work, on a cluster that is none; and, where Ray is installed, on one of this machine.

Two real nodes, of which workers and one node are killed: experiments/attack_ray.py.
"""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from samples import SMALL_MLP

from jaxnas.checks import is_installed
from jaxnas.cli.main import main
from jaxnas.tables.build.driver import build
from jaxnas.tables.build.executors import ray as executor
from jaxnas.tables.build.executors.ray import Node, difference, this_node
from jaxnas.training import family

pytestmark = pytest.mark.processes
HERE = Path(__file__).parents[2]
MLP = """
import sys
sys.path.append({tests!r})
from samples import SMALL_MLP as SPACE
from samples import make_task
def task():
    return make_task(num_images=160)
"""


class RayTaskError(Exception):
    """What a task that raised raises here."""


class Reference(SimpleNamespace):
    """A task: what is called, with what, and where."""

    def __init__(self, function, arguments, where):
        super().__init__(function=function, arguments=arguments, where=where)

    __hash__ = object.__hash__


class FakeRay:
    """A cluster of two nodes which runs a task when it is waited for, the last first."""

    def __init__(self, gpus: int = 0):
        self.exceptions = SimpleNamespace(RayError=OSError, RayTaskError=RayTaskError)
        self.gpus, self.options, self.cancelled, self.failure = gpus, [], [], None
        self.nodes_differ = False

    def is_initialized(self):
        return False

    def init(self, address, **options):
        self.address = address

    def shutdown(self):
        self.ended = True

    def cluster_resources(self):
        return {"CPU": 2, "GPU": self.gpus}

    def nodes(self):
        resources = {"CPU": 1} | ({"GPU": 1} if self.gpus else {})
        return [{"Alive": True, "Resources": resources, "NodeID": name, "NodeManagerAddress": name} for name in "ab"]

    def put(self, value):
        return value

    def remote(self, function):
        def options(**options):
            self.options.append(options)
            where = options["scheduling_strategy"]
            return SimpleNamespace(remote=lambda *arguments: Reference(function, arguments, where))

        return SimpleNamespace(options=options)

    def wait(self, references, num_returns, timeout):
        return references[-1:], references[:-1]

    def get(self, reference):
        if self.failure is not None and reference.function is executor.shard_of:
            raise self.failure
        found = reference.function(*reference.arguments)
        if self.nodes_differ and reference.where == "b":
            return found._replace(versions=found.versions | {"optax": "0.0.1"})
        return found

    def cancel(self, reference, force):
        self.cancelled.append(reference)


@pytest.fixture
def cluster(monkeypatch) -> FakeRay:
    found = FakeRay()
    monkeypatch.setattr(executor, "is_installed", lambda name: True)
    monkeypatch.setitem(sys.modules, "ray", found)
    strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda name, soft: name)
    monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", strategies)
    monkeypatch.setattr(executor, "_trainers", {})
    monkeypatch.setattr(family, "CHUNK_SIZE", 4)
    return found


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> tuple[str, str]:
    path = tmp_path_factory.mktemp("names") / "mlp.py"
    path.write_text(MLP.format(tests=str(HERE)))
    return f"{path}:SPACE", f"{path}:task"


@pytest.fixture(scope="module")
def local(names, tmp_path_factory):
    """Returns the table of a build by a process of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "CHUNK_SIZE", 4)
        folder = tmp_path_factory.mktemp("local")
        return build(*names, folder, num_epochs=1, limit=9, num_processes=1)


def same(table) -> dict:
    """Returns the manifest of a table without what changes with each commit of the checkout."""
    return {name: value for name, value in table.manifest.items() if name not in ("git_commit", "manifest_hash")}


def test_a_build_on_a_cluster_is_the_local_one(names, local, cluster, tmp_path):
    reports = []
    options = {"executor": "ray", "address": "auto", "progress": lambda *done: reports.append(done)}
    table = build(*names, tmp_path, num_epochs=1, limit=9, **options)
    assert same(table) == same(local)
    assert [done for done, _ in reports] == [0, 1, 5, 9, 9]  # chunks of 4, 4 and 1, the last first
    assert cluster.address == "auto"
    assert cluster.ended
    assert all(options["num_gpus"] == 0 for options in cluster.options)
    assert cluster.options[-1]["runtime_env"]["env_vars"]["JAX_PLATFORMS"] == "cpu"


def test_a_task_that_fails_ends_the_build_in_one_line_and_finished_shards_stay(names, cluster, tmp_path, capsys):
    command = ["build", "--space", names[0], "--task", names[1], "--epochs", "1", "--limit", "9", "--executor", "ray"]
    cluster.failure = RayTaskError()
    cluster.failure.cause = OSError(28, "No space left on device")
    assert main([*command, "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "jaxnas build: Expected every worker to finish, got 3 chunks missing: OSError: [Errno 28] No space left on "
        "device; run the same command again to resume."
    )
    assert len(cluster.cancelled) == 2
    cluster.failure = OSError("died")  # a worker that Ray could not bring back
    assert main([*command, "--out", str(tmp_path)]) == 1
    assert "3 chunks missing: a worker was lost 4 times (OSError; out of memory?); run" in capsys.readouterr().err


def test_nodes_of_other_versions_are_named(names, cluster, tmp_path):
    cluster.nodes_differ = True
    with pytest.raises(
        RuntimeError, match=r"^Expected optax \S+ on every node, as here, got 0\.0\.1; install the same"
    ):
        build(*names, tmp_path, executor="ray")
    node = this_node()
    other = Node(node.versions, node.machine | {"features": ["sse"]})
    assert difference(other, node).startswith("Expected nodes of one features, since numbers depend on it, got ['sse']")
    assert difference(node, node) == ""
    with pytest.raises(RuntimeError, match="Expected nodes of one features"):
        executor.shard_of(b"", "", None, (0,), "sequential", other)


def test_a_task_takes_a_gpu_where_there_are_some(cluster):
    cluster.gpus = 2
    executor.RayCluster().close()
    assert {options["num_gpus"] for options in cluster.options} == {1}
    assert "JAX_PLATFORMS" not in cluster.options[0]["runtime_env"]["env_vars"]


def test_an_address_without_a_cluster_says_what_to_do(names, cluster, tmp_path, capsys):
    command = ["build", "--space", names[0], "--task", names[1], "--out", str(tmp_path)]
    assert main([*command, "--executor", "ray", "--address", "127.0.0.1:9"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "jaxnas build: Expected a Ray cluster at 127.0.0.1:9, got: Connection refused; start one there by "
        "`ray start --head`, or leave the address out to use this machine alone."
    )
    assert main([*command, "--address", "127.0.0.1:9"]) == 2
    assert "Expected no address without an executor of many machines" in capsys.readouterr().err


def test_without_ray_it_says_how_to_get_it(names, tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "is_installed", lambda name: False)
    with pytest.raises(ValueError, match=r"^Expected Ray for the executor ray, got none; install it: pip install 'jax"):
        build(*names, tmp_path, executor="ray")
    with pytest.raises(ValueError, match=r"^Expected an executor of processes, ray, got 'rays'; did you mean ray"):
        build(*names, tmp_path, executor="rays")


@pytest.mark.skipif(not is_installed("ray"), reason="needs the extra ray")
def test_a_build_on_ray_itself_is_the_local_one(names, local, tmp_path, monkeypatch):
    """Half a minute: Ray starts on this machine."""
    monkeypatch.setattr(family, "CHUNK_SIZE", 4)
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    table = build(*names, tmp_path, num_epochs=1, limit=9, executor="ray", address="local", num_processes=1)
    assert same(table) == same(local)
    assert SMALL_MLP.num_architectures == len(table.class_of)
