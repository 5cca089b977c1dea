"""The form of a fitted model's data, and the conversion of user data to the inputs of its network."""

from typing import Any, NamedTuple

import numpy as np

from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.graphs import joined
from jaxnas.tasks.sequences import PADDING, as_array, check_padding, encoded, is_ragged, is_text, padded, tokens_of
from jaxnas.training.networks import TrainableSpace, networks_class


class Inputs(NamedTuple):
    """The form of a model's data: the task's properties, the normalization, and the meanings of labels and tokens.

    `classes` is empty if labels are real numbers, which were normalized by `label_mean` and `label_deviation`;
    `vocabulary` has the characters that tokens stand for.
    """

    spec: TaskSpec
    mean: float | np.ndarray
    deviation: float | np.ndarray
    classes: np.ndarray
    vocabulary: tuple[str, ...] = ()
    label_mean: float = 0.0
    label_deviation: float = 1.0


def kind_for(space: TrainableSpace, values: Any) -> str | None:
    """Returns the kind of inputs of data, for a space whose networks take sequences or graphs; else None."""
    kinds = () if getattr(space, "networks", None) is None else networks_class(space).inputs
    if "sequences" not in kinds or is_text(values):
        return "graphs" if "graphs" in kinds else None
    found = None if is_ragged(values) else as_array(values, "sequences of numbers, or texts")
    return "tokens" if found is not None and found.dtype.kind in "iu" and found.ndim == 2 else "sequences"


def normalized(inputs: Inputs, values: Any) -> np.ndarray:
    """Returns user data as inputs of the network: examples as numbers of one shape, or tokens.

    Raises ValueError on another shape, values that are not finite numbers, or unknown characters.
    """
    spec = inputs.spec
    if spec.kind == "tokens":
        return _checked_tokens(values, spec, inputs.vocabulary)
    if spec.kind == "sequences":
        examples = padded(values, (spec.shape[0], spec.shape[1]))
    elif spec.kind == "graphs":
        examples = joined(values, (spec.shape[0], spec.shape[1]))
    else:
        examples = _checked_examples(values, spec.shape)
    return (examples - inputs.mean) / inputs.deviation


def _checked_examples(examples: Any, shape: tuple[int, ...]) -> np.ndarray:
    examples = as_array(examples, f"examples of shape [n, {', '.join(map(str, shape))}]")
    if len(shape) == 3 and shape[-1] == 1 and examples.shape[1:] == shape[:2]:
        examples = examples[..., None]
    if examples.dtype.kind not in "biuf":
        raise ValueError(f"Expected examples of numbers, got {examples.dtype}.")
    if examples.shape[1:] != shape or not examples.ndim:
        raise ValueError(f"Expected examples of shape [n, {', '.join(map(str, shape))}], got {list(examples.shape)}.")
    if not np.isfinite(examples).all():
        raise ValueError("Expected finite examples, got NaN or infinite values; replace or drop those examples.")
    return examples.astype(np.float64 if len(shape) == 1 else np.float32)


def _checked_tokens(values: Any, spec: TaskSpec, vocabulary: tuple[str, ...]) -> np.ndarray:
    """Returns strings, or tokens [n, t], as int32[n, T]."""
    (num_steps,) = spec.shape
    if vocabulary:
        return encoded([values] if isinstance(values, str) else values, vocabulary, num_steps)
    tokens = tokens_of(values, num_steps)
    if tokens.dtype.kind not in "iu" or tokens.ndim != 2 or not 0 < tokens.shape[1] <= num_steps:
        raise ValueError(
            f"Expected tokens int[n, t] of up to {num_steps} steps, got {tokens.dtype} of shape {list(tokens.shape)}."
        )
    if tokens.size and not PADDING <= tokens.min() <= tokens.max() < spec.num_tokens:
        raise ValueError(f"Expected tokens below {spec.num_tokens}, got {tokens.min()} to {tokens.max()}.")
    check_padding(tokens >= 0)
    padding = ((0, 0), (0, num_steps - tokens.shape[1]))
    return np.pad(tokens.astype(np.int32), padding, constant_values=PADDING)
