"""The fixtures of all tests, and one cache of compiled programs for all runs."""

# ruff: noqa: E402

import contextlib
import functools
import gc
import importlib.util
import mmap
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs
import pytest

# A folder of the user's cache, so that another run compiles only what has changed. The environment hands it to the
# workers of pytest-xdist and to the processes that tests start. It is where jaxnas itself keeps programs then, so that
# a command that a test runs changes nothing. JAX reads its variables when it is first imported.
DAYS_KEPT = 14
IS_FIRST = "PYTEST_XDIST_WORKER" not in os.environ
CACHE = Path(os.environ.setdefault("JAXNAS_TESTS_CACHE", str(platformdirs.user_cache_path("jaxnas-tests"))))
os.environ["XDG_CACHE_HOME"] = str(CACHE)
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "jaxnas" / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Most of the time is compilation, of programs that run for milliseconds: without optimization half of it, and by one
# thread a tenth less. Programs as users get them are compared by `strategies/test_golden.py`, and commands run by
# `.ci/run`.
# Threads of scikit-learn's trees wait for one another by turning: for long, where each worker has its own.
os.environ.setdefault("OMP_NUM_THREADS", "1")
QUICKLY = {
    "xla_backend_optimization_level": "0",
    "xla_llvm_disable_expensive_passes": "true",
    "xla_cpu_use_fusion_emitters": "false",
    "xla_cpu_parallel_codegen_split_count": "1",
}


def known(flags: dict[str, str]) -> str:
    """Returns the flags that XLA has, as it reads them: it ends the process at another one, and they come and go.

    A name that ends in a zero byte is the text of a flag. Without it, it may be a field of a message that was retired.
    """
    (package,) = importlib.util.find_spec("jaxlib").submodule_search_locations
    library = max(Path(package).glob("*.so"), key=lambda path: path.stat().st_size, default=None)
    if library is None:
        return ""
    with open(library, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return " ".join(f"--{name}={value}" for name, value in flags.items() if text.find(name.encode() + b"\0") >= 0)


MOST_MAPS = 65_530
"""The pieces of memory that Linux lets a process map."""

if "XLA_FLAGS" not in os.environ:
    os.environ["XLA_FLAGS"] = known(QUICKLY)

import jax
import jax.monitoring
from helpers.browsing import axe_violations, browser, visit  # noqa: F401
from helpers.samples import make_task

from jaxnas.simulation import run as simulation
from jaxnas.tasks.base import Task


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Returns the number of cores, and 0 for tests of one file, which stay in one process: in this one."""
    files = {argument.partition("::")[0] for argument in config.args}
    if len(files) == 1 and Path(*files).is_file():
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def pytest_collection_finish() -> None:
    """Searches for unreachable objects rarely, and never among the modules: a tenth of the time went to that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def pytest_configure() -> None:
    """Removes what no run has used for long."""
    if IS_FIRST:
        oldest = time.time() - DAYS_KEPT * 24 * 3600
        for path in CACHE.rglob("*"):
            with contextlib.suppress(OSError):  # a folder, or removed meanwhile
                if max(path.stat().st_atime, path.stat().st_mtime) < oldest:
                    path.unlink()


@pytest.fixture(scope="session")
def task() -> Task:
    """Returns a small task."""
    return make_task()


@pytest.fixture
def compiled() -> Iterator[list[str]]:
    """Returns the names of the functions that JAX compiles while the test runs, in a list that grows."""
    names = []

    def note(event: str, duration: float, **about: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":  # also where the program is in the cache
            names.append(about["fun_name"])

    jax.monitoring.register_event_duration_secs_listener(note)
    yield names
    jax.monitoring.unregister_event_duration_listener(note)


@functools.cache
def optimized() -> Callable:
    """Returns the program of runs, optimized as users have it."""
    options = {"xla_backend_optimization_level": 3, "xla_llvm_disable_expensive_passes": False}
    return jax.jit(simulation._simulated, static_argnums=(0, 1), compiler_options=options)


@pytest.fixture
def optimized_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimizes runs of strategies whose runs are no batch: for those that take longer than their compilation."""
    monkeypatch.setattr(simulation, "_simulate", optimized())


def num_maps() -> int:
    """Returns how many pieces of memory this process maps, 0 where the system does not say."""
    maps = Path("/proc/self/maps")
    return len(maps.read_bytes().splitlines()) if maps.exists() else 0


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_are_dropped() -> Iterator[None]:
    """Drops programs before they are too many: each takes about a hundred pieces of the MOST_MAPS of a process."""
    yield
    if num_maps() > MOST_MAPS / 3:
        jax.clear_caches()
