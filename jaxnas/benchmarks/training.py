"""Benchmarks that really train."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng
from jaxnas.benchmarks.base import HeldOut, checked_size_name, list_prices
from jaxnas.strategies.base import Observation
from jaxnas.tasks.goals import ACCURACY
from jaxnas.training.config import TrainConfig
from jaxnas.training.family import Size, network_size
from jaxnas.training.trainer import check_trainable, default_config, evaluate

NETWORK_SIZES = ("parameters", "flops")


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
    metric = ACCURACY
    cost_unit = "epochs"
    size_names = NETWORK_SIZES
    content_hash = None
    table = None
    protocol = None

    def __init__(self, space, task, config: TrainConfig | None = None, *, num_seeds: int = 1):
        config = config or default_config(space, task)
        check_trainable(space, task, config)
        if num_seeds < 1:
            raise ValueError(f"Expected num_seeds of 1 or more, got {num_seeds}.")
        self.space, self.task, self.config, self.num_seeds = space, task, config, num_seeds
        self.fidelities = tuple(range(1, config.num_epochs + 1))
        self.id = f"{space.name}-{task.name}"
        self.prices = list_prices(self.fidelities)
        self.held_out = HeldOut(lambda archs: self._mean_over_trained(archs, "test", -1))
        self._curves, self._size_functions, self._sizes = {}, {}, {}

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
        score = np.float32(curves.validation[fidelity]) / np.float32(self.task.validation.num_images)
        score = score if np.isfinite(curves.loss[fidelity]) else np.float32(np.nan)
        return Observation(np.float32(score), np.float32(self.fidelities[fidelity]), np.int32(seed))

    def price(self, archs: np.ndarray, fidelity: np.ndarray | int = -1) -> np.ndarray:
        """Returns the epochs that a training of architectures [..., D] is paid for, float32[...]."""
        return np.broadcast_arrays(self.prices[0, fidelity], np.asarray(archs)[..., 0])[0]

    def size(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """Returns the function `arch int32[D] -> float32` of an architecture's size, `"parameters"` or `"flops"`.

        Raises ValueError on another name.
        """
        if checked_size_name(name, self) not in self._size_functions:
            result = jax.ShapeDtypeStruct((), jnp.float32)
            self._size_functions[name] = lambda arch: jax.pure_callback(
                lambda values: np.float32(self.sizes(name, values)), result, arch, vmap_method="sequential"
            )
        return self._size_functions[name]

    def sizes(self, name: str, archs: np.ndarray) -> np.ndarray:
        """Returns the sizes of architectures [..., D], int64[...]; `name` as in `size`."""
        checked_size_name(name, self)
        archs = np.asarray(archs)
        sizes = [getattr(self._size(arch), f"num_{name}") for arch in archs.reshape(-1, archs.shape[-1])]
        return np.asarray(sizes, np.int64).reshape(archs.shape[:-1])

    def _size(self, arch: np.ndarray) -> Size:
        arch = np.asarray(self.space.canonical(arch))
        if arch.tobytes() not in self._sizes:
            shape = self.task.image_shape, self.task.num_classes
            self._sizes[arch.tobytes()] = network_size(self.space, self.config.skeleton, *shape, arch)
        return self._sizes[arch.tobytes()]

    def _mean_over_trained(self, archs: np.ndarray, split: str, fidelity: int) -> np.ndarray:
        archs = np.asarray(archs)
        values = []
        for arch in archs.reshape(-1, archs.shape[-1]):
            arch = np.asarray(self.space.canonical(arch)).tobytes()
            counts = [
                getattr(self._curves[arch, seed], split)[fidelity]
                for seed in range(self.num_seeds)
                if (arch, seed) in self._curves
            ]
            values.append(np.mean(counts) / (getattr(self.task, split).num_images or np.nan) if counts else np.nan)
        return np.asarray(values, np.float32).reshape(archs.shape[:-1])

    def validation_scores(self, archs: np.ndarray, fidelity: int = -1) -> np.ndarray:
        """Returns the validation scores of architectures [..., D] over the seeds trained so far, NaN without any."""
        return self._mean_over_trained(archs, "validation", fidelity)
