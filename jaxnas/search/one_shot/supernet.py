"""A trained supernet: how it scores architectures."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.search.one_shot.base import Sample, shape_of
from jaxnas.search.one_shot.step import Setting, outputs_of, score_of, summed
from jaxnas.tasks.base import Split
from jaxnas.training.compilation import ONE_THREAD

EVALUATION_BATCH = 256
"""Examples that are normalized together in evaluation: scores depend on it, so that it is fixed."""
_ORDER_SEED = 0
_CHUNK = 64


class Supernet:
    """A supernet with its parameters: `scores` measures how good it makes each architecture.

    Examples are normalized by the statistics of batches of 256 in one fixed order, all views among them; those left
    over are not used.

    Attributes:
        setting: method, space, recipe and task that it was made for.
        parameters: the shared arrays.
        num_scored: how many forward passes of an example scores have taken.
    """

    def __init__(self, setting: Setting, parameters: Any, validation: Split):
        self.setting, self.parameters = setting, parameters
        self.num_scored = 0
        self._inputs, self._labels = _batches(validation)

    @property
    def num_examples(self) -> int:
        """Returns how many examples scores are measured on."""
        return self._labels.shape[0] * self._labels.shape[1]

    def scores(self, archs: Any, num_examples: int | None = None) -> np.ndarray:
        """Returns the score of each architecture, int32[n, D], on validation examples: float64[n], larger is better.

        Args:
            num_examples: how many, rounded up to whole batches; by default all.
        """
        archs = np.asarray(archs, np.int32)
        if self.setting.method.partial == 1:
            return self._measured(archs, "arch", num_examples)
        mixtures = np.eye(shape_of(self.setting.space)[1], dtype=np.float32)[archs]  # one-hot, for partial channels
        return self._measured(mixtures, "weights", num_examples)

    def mixture_scores(self, weights: Any) -> np.ndarray:
        """Returns the score of each mixture, weights float32[n, E, K], on all validation examples: float64[n]."""
        return self._measured(np.asarray(weights, np.float32), "weights", None)

    def _measured(self, values: np.ndarray, kind: str, num_examples: int | None) -> np.ndarray:
        """Returns scores, float64[n]; computed in chunks of one or of `_CHUNK`."""
        size = self._labels.shape[1]
        count = len(self._labels) if num_examples is None else min(-(-num_examples // size), len(self._labels))
        chunk = 1 if len(values) == 1 else _CHUNK
        padded = np.concatenate([values, values[:1].repeat(-len(values) % chunk, 0)])
        found = [
            _scored(
                self.setting, kind, self.parameters, padded[start : start + chunk], self._inputs, self._labels, count
            )
            for start in range(0, len(padded), chunk)
        ]
        self.num_scored += len(values) * count * size
        return np.concatenate([np.asarray(each) for each in found])[: len(values)].astype(np.float64)


def _batches(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Returns the examples of a split in an order drawn once, [B, n, ...] and [B, n]."""
    inputs = np.asarray(split.inputs).reshape(-1, *split.inputs.shape[2:])
    labels = np.concatenate([np.asarray(split.labels)] * split.inputs.shape[0])
    size = min(EVALUATION_BATCH, len(labels))
    order = np.random.RandomState(_ORDER_SEED).permutation(len(labels))[: len(labels) // size * size]
    inputs, labels = inputs[order], labels[order]
    return inputs.reshape(-1, size, *inputs.shape[1:]), labels.reshape(-1, size, *labels.shape[1:])


@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options=ONE_THREAD)
def _scored(
    setting: Setting,
    kind: str,
    parameters: Any,
    values: jax.Array,
    inputs: jax.Array,
    labels: jax.Array,
    num_batches: jax.Array,
) -> jax.Array:
    """Returns the score of each architecture or mixture, float32[n]."""
    goal, size = setting.goal, labels.shape[1]

    def one(value: jax.Array) -> jax.Array:
        sample = Sample(arch=value) if kind == "arch" else Sample(weights=value)

        def measured(number: jax.Array) -> Any:
            return summed(goal, outputs_of(setting, parameters, sample, inputs[number]), labels[number])

        def add(number: jax.Array, sums: Any) -> Any:
            return jax.tree.map(jnp.add, sums, measured(number))

        sums = jax.lax.fori_loop(1, num_batches, add, measured(jnp.int32(0)))
        return score_of(goal, sums, size * num_batches)

    return jax.lax.map(one, values)
