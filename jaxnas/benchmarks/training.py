"""Benchmarks: what a search may ask (`query`), and what only the analysis reads (`test_scores`, `optimum`).

A benchmark has `space`, `fidelities` (epochs, ascending), `query(query, key) -> Observation`, `jittable`,
`test_scores(archs)` and `optimum`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng
from jaxnas.benchmarks.base import SIZES, warn_outside_analysis
from jaxnas.strategies.base import Observation
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import network_size
from jaxnas.training.trainer import check_trainable, default_config, evaluate


class TrainingBenchmark:
    """A benchmark that really trains; its answers are those of the table that the same code would build.

    The answers are the same where both are asked in the same way. A query draws a seed number below `num_seeds` as
    `TableBenchmark` does, and trains that seed of the architecture's class; a training is kept, so that it is not run
    twice. The whole schedule is trained whatever the fidelity.

    Args:
        space, task, config: what is trained, as in `jaxnas.evaluate`.
        num_seeds: the seeds that queries draw from.
    """

    jittable = False
    optimum = None

    def __init__(self, space, task, config: TrainConfig | None = None, *, num_seeds: int = 1):
        config = config or default_config(space, task)
        check_trainable(space, task, config)
        if num_seeds < 1:
            raise ValueError(f"Expected num_seeds of 1 or more, got {num_seeds}.")
        self.space, self.task, self.config, self.num_seeds = space, task, config, num_seeds
        self.fidelities = tuple(range(1, config.num_epochs + 1))
        self._curves = {}

    def curves(self, arch, seed: int):
        """Returns the `Curves` of one training, with axes [E] or none, training it where that has not been done."""
        arch = np.asarray(self.space.canonical(arch))
        name = (arch.tobytes(), int(seed))
        if name not in self._curves:
            curves = evaluate(self.space, arch[None], self.task, self.config, [int(seed)])
            self._curves[name] = jax.tree.map(lambda values: values[0, 0], curves)
        return self._curves[name]

    def query(self, query, key) -> Observation:
        """Returns the validation accuracy of a training at the query's fidelity.

        It is NaN where the loss was not finite by then.
        """
        seed = int(prng.draw_index(key, self.num_seeds))
        curves = self.curves(query.arch, seed)
        fidelity = int(query.fidelity)
        score = np.float32(curves.validation[fidelity]) / np.float32(self.task.validation.num_examples)
        score = score if np.isfinite(curves.loss[fidelity]) else np.float32(np.nan)
        return Observation(np.float32(score), np.float32(self.fidelities[fidelity]), np.int32(seed))

    def size(self, name: str) -> Callable:
        """Returns the function `arch int32[D] -> float32` of an architecture's size, `"parameters"` or `"flops"`.

        Raises ValueError on another name.
        """
        return _network_size_function(self, name)

    def _mean_over_trained(self, archs: np.ndarray, split: str) -> np.ndarray:
        archs = np.asarray(archs)
        values = []
        for arch in archs.reshape(-1, archs.shape[-1]):
            arch = np.asarray(self.space.canonical(arch)).tobytes()
            counts = [
                getattr(self._curves[arch, seed], split)[-1]
                for seed in range(self.num_seeds)
                if (arch, seed) in self._curves
            ]
            values.append(np.mean(counts) / (getattr(self.task, split).num_examples or np.nan) if counts else np.nan)
        return np.asarray(values, np.float32).reshape(archs.shape[:-1])

    def test_scores(self, archs: np.ndarray) -> np.ndarray:
        """Returns the test scores of architectures [..., D] over the seeds trained so far, NaN where there is none.

        For the analysis only; read elsewhere, they warn once.
        """
        warn_outside_analysis()
        return self._mean_over_trained(archs, "test")

    def validation_scores(self, archs: np.ndarray) -> np.ndarray:
        """Returns the validation scores of architectures [..., D] over the seeds trained so far, NaN without any."""
        return self._mean_over_trained(archs, "validation")


@functools.cache
def _network_size_function(bench: TrainingBenchmark, name: str) -> Callable:
    if name not in SIZES:
        raise ValueError(f"Expected a size of {' or '.join(SIZES)}, got {name!r}.")
    task, skeleton = bench.task, bench.config.skeleton

    def on_host(arch):
        arch = np.asarray(bench.space.canonical(arch))
        size = network_size(bench.space, skeleton, task.shape, task.num_classes, arch)
        return np.float32(getattr(size, f"num_{name}"))

    result = jax.ShapeDtypeStruct((), jnp.float32)
    return lambda arch: jax.pure_callback(on_host, result, arch, vmap_method="sequential")
