import os

import jax
import pytest

from jaxnas.training import compilation
from jaxnas.training.compilation import configure_compilation


@pytest.fixture
def updated(monkeypatch):
    options = {}
    monkeypatch.setattr(jax.config, "update", options.__setitem__)
    return options


def test_programs_are_kept_on_disk_and_flags_of_the_user_stay(updated, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=dump")
    configure_compilation()
    first, second = os.environ["XLA_FLAGS"].split()
    assert first == "--xla_dump_to=dump"
    assert second.startswith("--xla_backend_extra_options=")
    assert updated["jax_compilation_cache_dir"].endswith("xla")
    assert updated["jax_persistent_cache_min_compile_time_secs"] == 0
    configure_compilation()  # a second call adds nothing
    assert os.environ["XLA_FLAGS"].split() == [first, second]


def test_extra_options_of_the_user_are_kept(updated, monkeypatch):
    flags = "--xla_backend_extra_options=xla_cpu_disable_tiled_emitter=false"
    monkeypatch.setenv("XLA_FLAGS", flags)
    configure_compilation()
    assert os.environ["XLA_FLAGS"] == flags


def test_options_that_xla_does_not_have_are_left_out(monkeypatch):
    monkeypatch.setattr(compilation, "QUICKLY_COMPILED", {"xla_an_option_of_another_release": False})
    assert compilation.quickly_compiled.__wrapped__() == {}
    monkeypatch.setattr(compilation, "QUICKLY_COMPILED", {"xla_cpu_multi_thread_eigen": False})
    assert compilation.quickly_compiled.__wrapped__() == {"xla_cpu_multi_thread_eigen": False}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system keeps no thread to a core")
def test_a_thread_keeps_to_one_core_and_has_all_of_them_again():
    before = os.sched_getaffinity(0)
    with compilation.on_one_core():
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
