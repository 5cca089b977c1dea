"""jaxnas: a research benchmark suite for neural architecture search in JAX."""
