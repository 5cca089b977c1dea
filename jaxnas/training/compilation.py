"""How programs are compiled: in one thread where numbers must be the same everywhere, and kept on disk."""

import jax

# Sums over several threads have another order: a training's numbers would depend on where it runs.
ONE_THREAD = {"xla_cpu_multi_thread_eigen": False}


def use_compilation_cache() -> None:
    """Makes JAX keep compiled programs in the user's cache folder, so that a space is compiled once for all runs."""
    import platformdirs

    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)  # by default 1: no simulation takes that long
    jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("jaxnas") / "xla"))
