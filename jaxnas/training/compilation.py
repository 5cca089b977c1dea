"""Compilation of programs: in one thread if numbers must be the same everywhere, and kept on disk."""

import contextlib
import functools
import os
from collections.abc import Iterator

import jax

# Sums over several threads have another order: a training's numbers would depend on the machine.
ONE_THREAD = {"xla_cpu_multi_thread_eigen": False}
# For programs that take longer to compile than to run: half the time to compile. Those that compute much get slower.
QUICKLY_COMPILED = {"xla_cpu_use_fusion_emitters": False}

_EXTRA_OPTIONS = "--xla_backend_extra_options"


@functools.cache
def quickly_compiled() -> dict[str, bool]:
    """Returns `QUICKLY_COMPILED`, or nothing if XLA does not have it: such options come and go with its releases."""
    try:
        jax.jit(lambda: 0, compiler_options=QUICKLY_COMPILED).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return QUICKLY_COMPILED


@contextlib.contextmanager
def on_one_core() -> Iterator[None]:
    """Keeps this thread to one core meanwhile, like the workers of a build, if the system supports it.

    When it compiles, XLA divides loops by the number of available cores, and products by its number of threads, the
    cores available at its start: both change the last bits of sums. So begin before a process's first computation.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def configure_compilation() -> None:
    """Makes JAX keep compiled programs in the cache folder of the current user, and XLA write faster loops on CPU.

    For commands and worker processes, before anything is compiled; a library must not change the flags of a program
    that imports it. XLA's tiled emitter copies each vector of an element-wise sum through the stack (jaxlib 0.10), so
    it is turned off; results are the same. Extra options that the user has set are kept.
    """
    import platformdirs

    flags = os.environ.get("XLA_FLAGS", "")
    if _EXTRA_OPTIONS not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_EXTRA_OPTIONS}=xla_cpu_disable_tiled_emitter=true".strip()
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)  # by default 1: no simulation takes that long
    jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("jaxnas") / "xla"))
