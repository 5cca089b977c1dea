"""Builds under kill -9, with another builder, on a full disk: always the undisturbed table."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.samples import TINY

from jaxnas.cli.main import main
from jaxnas.execution.processes import Processes
from jaxnas.files import MANIFEST_FILE
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.spaces.named import space_named
from jaxnas.tables.building import driver
from jaxnas.tables.building.driver import BuildConfig, build
from jaxnas.tables.building.plan import BuildPlan, make_plan, read_shard, shard_bytes, shard_path
from jaxnas.tables.table import Table
from jaxnas.tasks.named import task_named
from jaxnas.training import networks
from jaxnas.training.curves import Curves
from jaxnas.training.trainer import Trainer

HERE = Path(__file__).parents[2]
pytestmark = pytest.mark.processes
PATIENCE = 900  # seconds until a test gives up: nothing here depends on how fast the machine is
CHUNK_SIZE = 3
CONFIG = BuildConfig(replace(TINY, test="last"), num_seeds=2)

# The command line on the smallest networks, in small chunks, with files of no more than FILE_SIZE bytes.
COMMAND = f"""
import os
import resource
import sys
from helpers.samples import TINY
from jaxnas.cli import main
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.training import networks
CellNetworks.default, networks.CHUNK_SIZE = TINY, {CHUNK_SIZE}
size = int(os.environ.get("FILE_SIZE", resource.RLIM_INFINITY))
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
sys.exit(main.main(sys.argv[1:]))
"""

# A space that makes workers slow (PAUSE), stops them once there are HOLD shards in FOLDER, or kills them (CRASH); and
# kills a builder that writes a shard (WRITING).
PACED = """
import os
import signal
import sys
import time
from pathlib import Path

from helpers.mine import SPACE as QUICK
from helpers.mine import task


def crash(*_):
    os.kill(os.getpid(), signal.SIGKILL)


if "WRITING" in os.environ:
    os.replace = crash


class Paced(type(QUICK)):
    def arch_at(self, row):
        if sys.argv[0].endswith("worker.py"):
            if "CRASH" in os.environ:
                crash()
            time.sleep(float(os.environ.get("PAUSE", 0)))
            shards = Path(os.environ.get("FOLDER", ".")) / "shards"
            while "HOLD" in os.environ and len(list(shards.glob("*.arrays"))) >= int(os.environ["HOLD"]):
                time.sleep(0.01)
        return super().arch_at(row)


SPACE = Paced(QUICK.num_nodes, QUICK.operations, name=QUICK.name)
"""


@pytest.fixture(scope="module", autouse=True)
def small_chunks_and_importable_tests():
    """Worker processes import tests/helpers/mine.py; here and there a chunk holds few classes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "CHUNK_SIZE", CHUNK_SIZE)
        patch.setattr(CellNetworks, "default", TINY)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
        yield


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> tuple[str, str]:
    """Returns the names of the space and of the task."""
    path = tmp_path_factory.mktemp("paced") / "paced.py"
    path.write_text(PACED)
    return f"{path}:SPACE", f"{path}:task"


@pytest.fixture(scope="module")
def built(names, tmp_path_factory) -> tuple[Path, Table]:
    """Returns the folder and the table of an undisturbed build by two processes."""
    folder = tmp_path_factory.mktemp("built")
    return folder, build(*names, folder, CONFIG, num_processes=2)


@pytest.fixture
def start():
    """Returns a function that starts a builder in its own process group; what is left of each is killed after."""
    groups = []

    def started(names, folder, *options, **environment) -> subprocess.Popen:
        command = [sys.executable, "-c", COMMAND, "build", "--space", names[0], "--task", names[1], "--seeds", "2"]
        command += ["--out", str(folder), *options]
        builder = subprocess.Popen(
            command,
            env={**os.environ, "FOLDER": str(folder)} | {name: str(value) for name, value in environment.items()},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        groups.append(builder.pid)
        return builder

    yield started
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


@pytest.fixture
def complete(built, tmp_path) -> Path:
    """Returns a folder with all shards, for a build that trains nothing."""
    shutil.copytree(built[0] / "shards", tmp_path / "complete" / "shards")
    return tmp_path / "complete"


def resumed(names, folder: Path, config: BuildConfig = CONFIG, **options) -> Table:
    """Returns the table after the build was resumed in this process, and checks that it left nothing else behind."""
    table = build(*names, folder, config, num_processes=2, **options)
    assert Table.read(folder).manifest == table.manifest
    assert not leftovers(folder)
    return table


def plan_of(names) -> BuildPlan:
    return make_plan(Trainer(space_named(names[0]), task_named(names[1]), CONFIG.training), CONFIG.num_seeds)


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*.tmp"))


def num_shards(folder: Path) -> int:
    return len(list((folder / "shards").glob("*.arrays")))


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def parents() -> dict[int, int]:
    """Returns the parent of each living process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(path.parent.name)] = int(parent)
    return found


def workers_of(builder: subprocess.Popen) -> list[int]:
    return sorted(child for child, parent in parents().items() if parent == builder.pid)


def kill(number: int, whole_group: bool = False) -> None:
    """Kills a living process, or its group."""
    (os.killpg if whole_group else os.kill)(number, signal.SIGKILL)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the workers in /proc")


@pytest.mark.nightly
@needs_proc
def test_killed_again_and_again_it_resumes_to_the_same_table(names, built, start, tmp_path):
    """Half a minute: five builders and their workers start, and eight processes are killed."""
    random = np.random.RandomState(0)
    total = len(plan_of(names).chunks)
    hold = total - 2  # two workers then leave a chunk or two, however late a kill comes

    def run(**environment):
        builder = start(names, tmp_path, "--processes", "2", **environment)
        wait_until(lambda: len(workers_of(builder)) == 2)
        return builder, workers_of(builder)

    def gone(*processes):
        wait_until(lambda: not set(processes) & set(parents()))

    # before the first chunk: the builder alone, while its workers start; they end by themselves
    builder, workers = run(HOLD=0)
    kill(builder.pid)
    gone(*workers)
    builder.wait()
    assert not num_shards(tmp_path)

    # both workers, in each of their calls: the builder reports it
    builder, workers = run(CRASH=1)
    message = builder.communicate(timeout=PATIENCE)[1].splitlines()
    assert builder.returncode == 1
    assert len(message) == 1
    assert f"got {total} chunks missing: worker ended by signal 9 (Killed), 4 times in turn; run the" in message[0]

    # the builder, as it writes a shard: its temporary file stays for now
    builder, workers = run(WRITING=1)
    builder.communicate(timeout=PATIENCE)
    gone(*workers)
    assert len(leftovers(tmp_path / "shards")) == 1

    # at random moments between chunks: a worker, then the builder or the whole group
    for whole_group in (False, True):
        before = num_shards(tmp_path)
        builder, workers = run(HOLD=hold, PAUSE=0.1)
        wait_until(lambda before=before: num_shards(tmp_path) > before)
        time.sleep(random.uniform(0, 0.3))
        kill(random.choice(workers))
        time.sleep(random.uniform(0, 0.3))
        kill(builder.pid, whole_group)
        gone(*workers)
        builder.wait()

    # before the last chunk
    builder, workers = run(HOLD=hold)
    wait_until(lambda: num_shards(tmp_path) >= hold)
    kill(builder.pid)
    gone(*workers)
    builder.wait()

    assert 0 < total - num_shards(tmp_path) <= 2
    assert not (tmp_path / MANIFEST_FILE).exists()
    assert resumed(names, tmp_path).manifest["content_hash"] == built[1].manifest["content_hash"]


@pytest.mark.nightly
def test_two_builders_at_once_make_the_same_table(names, built, start, tmp_path):
    builders = [start(names, tmp_path, "--processes", "1") for _ in range(2)]
    messages = [builder.communicate(timeout=PATIENCE)[1] for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0], messages
    assert Table.read(tmp_path).manifest["content_hash"] == built[1].manifest["content_hash"]
    assert not leftovers(tmp_path)


def killed(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("write", range(3), ids=["table", "card", "manifest"])
@pytest.mark.parametrize("rebuilt", [False, True])
def test_a_builder_killed_while_it_writes_a_file_leaves_no_wrong_table(write, rebuilt, names, built, complete):
    if rebuilt:
        resumed(names, complete, replace(CONFIG, limit=9))
    replacing = os.replace
    written = iter([replacing] * write + [killed])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", lambda *paths: next(written)(*paths))
        patch.setattr(os, "unlink", lambda path: None)  # a killed process tidies nothing
        with pytest.raises(KeyboardInterrupt):
            build(*names, complete, CONFIG)
    assert len(leftovers(complete)) == 1
    if rebuilt and write < 1:  # the old table is whole
        assert Table.read(complete).trained.sum() == 9
    else:
        with pytest.raises(ValueError, match=r"folder of no table|Expected "):
            Table.read(complete)
    assert resumed(names, complete).manifest["content_hash"] == built[1].manifest["content_hash"]


@pytest.mark.parametrize("write", range(3), ids=["table", "card", "manifest"])
def test_a_full_disk_is_reported_in_one_line(write, names, built, complete, capsys):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    written = iter([os.fsync] * 2 * write + [full])  # of the file, and of its folder
    command = ["build", "--space", names[0], "--task", names[1], "--seeds", "2", "--out", str(complete)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: next(written)(handle))
        assert main(command) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"jaxnas build: Expected to write into {complete}, got: No space left on device; run ")
    assert not leftovers(complete)
    assert main(command) == 0
    assert Table.read(complete).manifest["content_hash"] == built[1].manifest["content_hash"]


@pytest.mark.nightly
def test_a_shard_that_cannot_be_written_is_reported_in_one_line(names, start, complete, tmp_path):
    folder, few = tmp_path / "small", replace(CONFIG, limit=CHUNK_SIZE)
    builder = start(names, folder, "--processes", "1", "--limit", str(CHUNK_SIZE), FILE_SIZE=1000)
    (message,) = builder.communicate(timeout=PATIENCE)[1].splitlines()
    assert builder.returncode == 1
    assert message == (
        f"jaxnas build: Expected to write into {folder}, got: File too large; run the same command again to resume."
    )
    assert not num_shards(folder)
    assert not leftovers(folder)
    undisturbed = resumed(names, complete, few)
    assert resumed(names, folder, few).manifest["content_hash"] == undisturbed.manifest["content_hash"]


def test_a_folder_that_cannot_be_made_is_wrong_input(names, tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    command = ["build", "--space", names[0], "--task", names[1], "--out", str(tmp_path / "file" / "table")]
    assert main(command) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("jaxnas build: Expected a folder to write into, got ")
    (tmp_path / "shards").write_text("not a folder")
    with pytest.raises(RuntimeError, match=r"^Expected to write into .*, got: File exists; run the same command again"):
        build(*names, tmp_path, CONFIG)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_folder_without_permission_is_wrong_input(names, tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["build", "--space", names[0], "--task", names[1], "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("Permission denied.\n")


def test_a_complete_build_trains_nothing_again(names, built, complete, monkeypatch):
    monkeypatch.setattr(Processes, "workers", killed)
    reports = []
    table = resumed(names, complete, progress=lambda *numbers: reports.append(numbers))
    assert resumed(names, complete).manifest == table.manifest
    assert table.manifest["content_hash"] == built[1].manifest["content_hash"]
    assert set(reports) == {(60, 60)}
    assert build(*names, complete, CONFIG, shard=(90, 99)) is None  # a part without chunks


def test_a_shard_lost_at_the_last_moment_is_reported(names, complete, monkeypatch):
    monkeypatch.setattr(driver, "_train_chunks", lambda *_: None)
    next((complete / "shards").iterdir()).unlink()
    with pytest.raises(RuntimeError, match=r"^Expected the shard .*; run the same command again"):
        build(*names, complete, CONFIG)


def test_failed_trainings_stay_as_rows_and_are_counted(names, complete, capsys):
    plan = plan_of(names)
    chunk = plan.chunks[0]
    arrays = {name: values.copy() for name, values in read_shard(complete, chunk, plan.shape).items()}
    arrays["loss"][0, 1, 1:] = np.nan
    arrays["loss"][2] = np.nan
    shard_path(complete, chunk).write_bytes(shard_bytes(chunk, Curves(**arrays)))
    assert main(["build", "--space", names[0], "--task", names[1], "--seeds", "2", "--out", str(complete)]) == 0
    assert "60 of 60 classes trained with 2 seed(s), 3 trainings failed." in capsys.readouterr().out
    table = Table.read(complete)
    assert np.isnan(table.scores("test")).sum() == 1 + 2  # of the last epoch alone
    assert np.isnan(table.means("test")).sum() == 1
    failed = np.isnan(table.scores("validation"))
    assert table.trained.all()
    assert failed.sum() == 1 + 4
    assert failed[np.searchsorted(table.representatives, chunk.rows[0])].tolist() == [[False, False], [False, True]]


# Damaged shards, and folders that hold something else


def test_a_damaged_shard_is_named_set_aside_and_trained_again(names, built, complete):
    path = sorted((complete / "shards").glob("*.arrays"))[3]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.warns(RuntimeWarning, match=rf"^{path} is damaged: it is now {path.stem}.damaged, and its . classes"):
        table = resumed(names, complete)
    assert table.manifest["content_hash"] == built[1].manifest["content_hash"]
    assert path.with_suffix(".damaged").read_bytes() == data


def test_a_file_that_no_build_wrote_is_left_alone(names, complete, capsys):
    (complete / "README.md").write_text("# mine\n")
    command = ["build", "--space", names[0], "--task", names[1], "--seeds", "2", "--out", str(complete)]
    assert main(command) == 2
    message = capsys.readouterr().err.splitlines()
    assert len(message) == 1
    assert (
        "with README.md, which jaxnas did not write; give another one, or replace what is there by --replace"
        in message[0]
    )
    assert (complete / "README.md").read_text() == "# mine\n"
    assert main([*command, "--replace"]) == 0
    assert Table.read(complete).trained.all()


@pytest.mark.parametrize("name", ["manifest.json", "table.parquet"])
def test_a_foreign_file_of_a_tables_name_is_left_alone(name, names, tmp_path):
    (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=rf"with {name}, which "):
        build(*names, tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"limit": 5}, "of 60 classes and 2 seeds"),
        ({"num_seeds": 1}, "of 60 classes and 2 seeds"),
        ({"training": replace(CONFIG.training, num_epochs=3)}, "of another training"),
        ({"table_id": "mine-v1"}, "of another id"),
        ({"task": "digits"}, "of another id"),
    ],
    ids=["smaller", "fewer seeds", "training", "id", "task"],
)
def test_a_complete_table_is_not_replaced_by_a_smaller_or_another_one(changes, found, names, built, complete):
    resumed(names, complete)
    before = {path.name: path.read_bytes() for path in complete.iterdir() if path.is_file()}
    task = changes.pop("task", names[1])
    with pytest.raises(ValueError, match=rf"^Expected a folder to write .* into, got .* {found}; give another"):
        build(names[0], task, complete, replace(CONFIG, **changes))
    assert {path.name: path.read_bytes() for path in complete.iterdir() if path.is_file()} == before


CHANGED = """
import jax.numpy as jnp
import jaxnas as jn
from helpers.mine import task

def odd(x, parameters, statistics, train):
    return FUNCTION(x), statistics

SPACE = jn.CellSpace(2, ("none", odd), name="odd")
"""


@pytest.mark.nightly
def test_a_changed_operation_of_the_same_name_is_another_build(tmp_path):
    path, folder = tmp_path / "odd.py", tmp_path / "table"
    tables = []
    for function in ("jnp.tanh", "jnp.sin"):
        path.write_text(CHANGED.replace("FUNCTION", function))
        os.utime(path, ns=(len(tables), len(tables)))
        arguments = f"{path}:SPACE", f"{path}:task", folder, BuildConfig(TINY)
        if tables:
            with pytest.raises(ValueError, match=r"^Expected a folder .* the table odd-stripes-v0 of another code"):
                build(*arguments)
        tables.append(build(*arguments, num_processes=1, replace_table=True))
    assert len({table.manifest["content_hash"] for table in tables}) == 2
    assert len(list((folder / "shards").iterdir())) == 2


def test_a_space_that_is_too_large_names_one_that_is_not(tmp_path, capsys):
    assert main(["build", "--space", "mlp", "--task", "digits", "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "got mlp of" in message
    assert "mlp-small can be built" in message


def test_more_seeds_than_memory_can_hold_are_refused_in_one_line(names, tmp_path, capsys):
    command = ["build", "--space", names[0], "--task", names[1], "--out", str(tmp_path), "--seeds"]
    assert main([*command, "1000000000"]) == 2
    message = capsys.readouterr().err
    assert message.startswith(
        "jaxnas build: Expected num_seeds of at most 65,535, whose curves of 2 epochs take 16 GiB"
    )
    assert message.count("\n") == 1
    with pytest.raises(SystemExit):
        main([*command, "9" * 40])
    assert "expected a whole number of at most 2,147,483,647" in capsys.readouterr().err


@needs_proc
def test_a_killed_build_resumes_to_the_same_table(names, built, start, tmp_path):
    """One kill, of all processes after the first shard; above are kills at other moments."""
    builder = start(names, tmp_path, "--processes", "1", HOLD=1)
    wait_until(lambda: num_shards(tmp_path) >= 1)
    kill(builder.pid, whole_group=True)
    builder.wait()
    assert not (tmp_path / MANIFEST_FILE).exists()
    assert resumed(names, tmp_path).manifest["content_hash"] == built[1].manifest["content_hash"]
