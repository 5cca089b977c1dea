"""The fixtures of all tests, and one cache of compiled programs for the whole run."""

# ruff: noqa: E402

import os
import shutil
import tempfile
from pathlib import Path

import pytest

# The process that pytest starts in makes the folder, and the environment hands it to the workers of pytest-xdist and to
# the processes that tests start: a run of the tests compiles each program once. It is where jaxnas itself keeps
# programs, so that a command that a test runs changes nothing. JAX reads its variables when it is first imported.
MADE_HERE = "JAXNAS_TESTS_CACHE" not in os.environ
if MADE_HERE:
    os.environ["JAXNAS_TESTS_CACHE"] = tempfile.mkdtemp(prefix="jaxnas-tests-")
CACHE = Path(os.environ["JAXNAS_TESTS_CACHE"])
os.environ["XDG_CACHE_HOME"] = str(CACHE)
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE / "jaxnas" / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import jax
from browsing import axe_violations, browser, visit  # noqa: F401
from samples import make_task

from jaxnas.tasks.base import Task


def pytest_unconfigure() -> None:
    if MADE_HERE:
        shutil.rmtree(CACHE, ignore_errors=True)


@pytest.fixture(scope="session")
def task() -> Task:
    """Returns a small task."""
    return make_task()


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_are_dropped():
    """A process can map only so many pieces of memory, and each compiled program takes some."""
    yield
    jax.clear_caches()
