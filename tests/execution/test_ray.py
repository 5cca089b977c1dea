"""Work on Ray, on a cluster that is none; and, where Ray is installed, on one of this machine, which all tests share.

Two real nodes, of which workers and one node are killed: experiments/robustness/ray_cluster.py.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.samples import MIXED, SMALL_MLP, all_archs

import jaxnas as jn
from jaxnas.checks import is_installed
from jaxnas.cli.main import main
from jaxnas.execution import ray as executor
from jaxnas.execution.base import Ended
from jaxnas.execution.ray import Node, difference, this_node
from jaxnas.search.result import SearchResult
from jaxnas.tables.building.driver import BuildConfig, build
from jaxnas.training import networks
from jaxnas.training.networks import networks_class

pytestmark = pytest.mark.processes
HERE = Path(__file__).parents[1]
CONFIG = BuildConfig(training=replace(networks_class(SMALL_MLP).default, num_epochs=1, test="last"), limit=9)
MLP = """
import sys
sys.path.append({tests!r})
from helpers.samples import SMALL_MLP as SPACE
from helpers.samples import make_task
def task():
    return make_task(num_images=160)
"""


class RayTaskError(Exception):
    """What a task that raised raises here."""


class WorkerCrashedError(OSError):
    """A process that ended in the middle of a task."""


class NodeDiedError(OSError):
    """A node that was lost."""


class Reference(SimpleNamespace):
    """A task: what is called, with what, and where."""

    def __init__(self, function, arguments, where):
        super().__init__(function=function, arguments=arguments, where=where)

    __hash__ = object.__hash__


class FakeRay:
    """A cluster of two nodes which runs a task when it is waited for, the last first."""

    def __init__(self, gpus: int = 0):
        crashes = {"WorkerCrashedError": WorkerCrashedError, "OutOfMemoryError": MemoryError}
        self.exceptions = SimpleNamespace(RayError=OSError, RayTaskError=RayTaskError, **crashes)
        self.gpus, self.options, self.cancelled, self.failure = gpus, [], [], None
        self.failure_of = lambda reference: self.failure
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
        if reference.function is executor.on_node:
            failure = self.failure_of(reference)
            if isinstance(failure, Ended):
                return failure
            if failure is not None:
                raise failure
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
    monkeypatch.setattr(executor, "_shared", {})
    monkeypatch.setattr(networks, "CHUNK_SIZE", 4)
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
        patch.setattr(networks, "CHUNK_SIZE", 4)
        folder = tmp_path_factory.mktemp("local")
        return build(*names, folder, CONFIG, num_processes=1)


def same(table) -> dict:
    """Returns the manifest of a table without what changes with each commit of the checkout."""
    return {name: value for name, value in table.manifest.items() if name not in ("git_commit", "manifest_hash")}


def test_a_build_on_a_cluster_is_the_local_one(names, local, cluster, tmp_path):
    reports = []
    table = build(*names, tmp_path, CONFIG, ray="auto", progress=lambda *done: reports.append(done))
    assert same(table) == same(local)
    assert [done for done, _ in reports] == [0, 0, 1, 5, 9]  # chunks of 4, 4 and 1, the last first
    assert cluster.address == "auto"
    assert cluster.ended
    assert all(options["num_gpus"] == 0 for options in cluster.options)
    assert cluster.options[-1]["runtime_env"]["env_vars"]["JAX_PLATFORMS"] == "cpu"


def test_a_task_that_fails_ends_the_build_in_one_line_and_finished_shards_stay(names, cluster, tmp_path, capsys):
    command = ["build", "--space", names[0], "--task", names[1], "--epochs", "1", "--limit", "9", "--ray"]
    cluster.failure = Ended(failure="OSError: [Errno 28] No space left on device", log="Traceback")
    assert main([*command, "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "jaxnas build: Expected every worker to finish, got 3 chunks missing: OSError: [Errno 28] No space left on "
        "device; run the same command again to resume."
    ]
    assert (tmp_path / "worker.log").read_text() == "Traceback"
    assert len(cluster.cancelled) == 2
    cluster.failure = NodeDiedError("gone")
    assert main([*command, "--out", str(tmp_path)]) == 1
    assert (
        "3 chunks missing: worker lost (NodeDiedError; out of memory?), 4 times in turn; run" in capsys.readouterr().err
    )


def test_nodes_of_other_versions_are_named(names, cluster, tmp_path):
    cluster.nodes_differ = True
    with pytest.raises(
        RuntimeError, match=r"^Expected optax \S+ on every node, as here, got 0\.0\.1; install the same"
    ):
        build(*names, tmp_path, ray="")
    node = this_node()
    other = Node(node.versions, node.machine | {"features": ["sse"]})
    assert difference(other, node).startswith("Expected nodes of one features, since numbers depend on it, got ['sse']")
    assert difference(node, node) == ""
    with pytest.raises(RuntimeError, match="Expected nodes of one features"):
        executor.on_node(b"", "", other, None)


def test_a_task_takes_a_gpu_where_there_are_some(cluster):
    cluster.gpus = 2
    executor.RayCluster().close()
    assert {options["num_gpus"] for options in cluster.options} == {1}
    assert "JAX_PLATFORMS" not in cluster.options[0]["runtime_env"]["env_vars"]


def test_an_address_without_a_cluster_says_what_to_do(names, cluster, tmp_path, capsys):
    command = ["build", "--space", names[0], "--task", names[1], "--out", str(tmp_path)]
    assert main([*command, "--ray", "127.0.0.1:9"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "jaxnas build: Expected a Ray cluster at 127.0.0.1:9, got: Connection refused; start one there by "
        "`ray start --head`, or leave the address out to use this machine alone."
    )


def test_without_ray_it_says_how_to_get_it(names, tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "is_installed", lambda name: False)
    with pytest.raises(
        ValueError, match=r"^Expected Ray for work on a cluster, got none; install it: pip install 'jax"
    ):
        build(*names, tmp_path, ray="")


def scored(deadly: dict | None = None) -> Callable[[dict], float]:
    """Returns an evaluator that ends one of its calls by SystemExit, and another one with its process."""

    def score(architecture: dict) -> float:
        if architecture == {"depth": 0, "width": 16, "act": "tanh"}:
            sys.exit("enough")
        if architecture == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return architecture["depth"] + architecture["width"] / 100

    return score


def searched(evaluator=None, **choices) -> SearchResult:
    """Returns the result of a search of all architectures by two workers on Ray."""
    choices = {"num_workers": 2, "ray": "", "progress": False} | choices
    nas = jn.NAS(MIXED, evaluator=evaluator or scored(), strategy="exhaustive_search", **choices)
    return nas.search(12, num_finalists=1)


def scores_of(result: SearchResult) -> dict[bytes, float]:
    archs = np.asarray(result.trials.query.arch)[0]
    return dict(zip((arch.tobytes() for arch in archs), result.scores.tolist(), strict=True))


def expected_scores(*failed: tuple[int, ...]) -> dict[bytes, float]:
    """Returns the scores of all architectures, NaN for those that fail."""
    archs = np.asarray(all_archs(MIXED), np.int32)
    decoded = {arch.tobytes(): MIXED.decode(arch) for arch in archs}
    scores = {arch: each["depth"] + each["width"] / 100 for arch, each in decoded.items()}
    return scores | {np.asarray(arch, np.int32).tobytes(): np.nan for arch in ((0, 1, 1), *failed)}


def test_a_search_on_a_cluster_has_the_trials_of_one_here(cluster, tmp_path):
    found = searched(folder=tmp_path, ray="auto")
    np.testing.assert_equal(scores_of(found), expected_scores())
    assert {each for each in found.failures if each} == {"SystemExit: enough"}
    assert found.score == 1.32
    assert cluster.ended


def test_a_lost_node_is_asked_again_and_a_lost_process_is_a_failed_trial(cluster):
    lost = {(1, 2, 0): [NodeDiedError("gone")] * 2, (1, 1, 0): [WorkerCrashedError("killed")]}
    lost[0, 0, 0] = [NodeDiedError("gone")] * 4

    def failure_of(reference: Reference) -> Exception | None:
        left = lost.get(tuple(getattr(reference.arguments[-1], "arch", np.zeros(0)).tolist()))
        return left.pop() if left else None

    cluster.failure_of = failure_of
    found = searched(lambda architecture: architecture["depth"] + architecture["width"] / 100)
    assert not any(lost.values())
    archs = map(tuple, np.asarray(found.trials.query.arch)[0].tolist())
    assert {arch: failure for arch, failure in zip(archs, found.failures, strict=True) if failure} == {
        (1, 1, 0): "worker lost (WorkerCrashedError; out of memory?)",
        (0, 0, 0): "worker lost (NodeDiedError; out of memory?), 4 times in turn",
    }
    assert found.score == 1.32


def test_a_search_on_a_cluster_that_cannot_be_used_ends_in_one_line(cluster, tmp_path, capsys):
    command = ["search", "--space", "mlp-small", "--task", "digits", "--trials", "3", "--out", str(tmp_path)]
    command += ["--strategy", "random_search", "--workers", "2"]
    assert main([*command, "--ray", "127.0.0.1:9"]) == 1
    assert capsys.readouterr().err == (
        "jaxnas search: Expected a Ray cluster at 127.0.0.1:9, got: Connection refused; start one there by "
        "`ray start --head`, or leave the address out to use this machine alone.\n"
    )
    cluster.failure = RayTaskError()
    cluster.failure.cause = RuntimeError(
        "Expected optax 1 on every node, as here, got 2; install the same version on b"
    )
    with pytest.raises(RuntimeError, match="Expected a worker process that starts, got: RuntimeError: Expected optax"):
        searched()
    with pytest.raises(ValueError, match="Expected 2 workers or more on a Ray cluster"):
        searched(num_workers=1)


@pytest.fixture(scope="module")
def ray_itself() -> Iterator[None]:
    """Starts Ray on this machine with one core, which takes some seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
        with contextlib.closing(executor.RayCluster("local", 1)):
            yield


@pytest.mark.nightly
@pytest.mark.skipif(not is_installed("ray"), reason="needs the extra ray")
def test_a_build_on_ray_itself_is_the_local_one(names, local, tmp_path, monkeypatch, ray_itself):
    monkeypatch.setattr(networks, "CHUNK_SIZE", 4)
    table = build(*names, tmp_path, CONFIG, ray="local")
    assert same(table) == same(local)
    assert SMALL_MLP.num_architectures == len(table.class_of)


@pytest.mark.nightly
@pytest.mark.skipif(not is_installed("ray"), reason="needs the extra ray")
def test_a_search_on_ray_itself_has_the_trials_of_one_here(ray_itself):
    found = searched(scored({"depth": 0, "width": 8, "act": "tanh"}))
    assert sorted(filter(None, found.failures)) == [
        "SystemExit: enough",
        "worker lost (WorkerCrashedError; out of memory?)",
    ]
    np.testing.assert_equal(scores_of(found), expected_scores((0, 0, 1)))
