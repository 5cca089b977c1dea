"""Tasks: a data set with fixed splits, its metric and its card."""

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from jaxnas.checks import checked_size, unknown_name
from jaxnas.notebook import fact_table
from jaxnas.tasks.goals import GOALS
from jaxnas.tasks.graphs import num_features
from jaxnas.tasks.metrics import Metric

SPLITS = ("train", "validation", "test")
KINDS = ("images", "vectors", "sequences", "tokens", "graphs")
"""The kinds of inputs."""


class Split(NamedTuple):
    """One split of a data set.

    `inputs` is float32[V, n, H, W, C] for images, float32[V, n, F] for vectors of features, float32[V, n, T, F] for
    sequences, whose steps of padding are NaN, int32[V, n, T] for tokens, -1 for padding, and float32[V, n, A, F + A]
    for graphs, see `jaxnas.tasks.graphs`. `labels` is int32[n]; for one label a step it is int32[n, T], -1 for
    padding, and for real numbers float32[n]. The V views of an example are alternatives: in training, each
    epoch draws one for each example; in validation and test, every view counts as an example. A test split may be
    empty.
    """

    inputs: np.ndarray
    labels: np.ndarray

    @property
    def num_examples(self) -> int:
        """Returns the number of examples that an evaluation counts, views included."""
        return self.inputs.shape[0] * self.inputs.shape[1]


class TaskSpec(NamedTuple):
    """The properties of a task that a network depends on; it is static and hashable.

    Attributes:
        kind: the kind of inputs, one of `KINDS`.
        goal: a name of `jaxnas.tasks.goals.GOALS`.
        num_outputs: the number of outputs of the network for an example, or for each step of it.
        num_tokens: the number of different tokens.
    """

    kind: str
    goal: str
    shape: tuple[int, ...]
    num_outputs: int
    num_tokens: int = 0


@dataclass(frozen=True, eq=False)
class Task:
    """A task: data with fixed splits, and the goal of training.

    Attributes:
        name: its name in commands and tables.
        train, validation, test: disjoint splits, all normalized by the mean and standard deviation of the training
            inputs; vectors, sequences and graphs feature by feature. Tokens and weights of edges are not normalized.
        num_classes: labels are 0 to num_classes - 1; 1 if they are real numbers.
        card: a description of the data, their source, license, splits and changes.
        license: SPDX identifier of the data's license.
        mean, deviation: the values used to normalize the inputs, for use on new inputs: numbers, or arrays that
            broadcast against an example.
        classes: the meanings of the labels, in their order; by default the numbers themselves.
        kind: the kind of inputs: `"images"`, `"vectors"`, `"sequences"`, `"tokens"` or `"graphs"`; by default inferred
            from their type and shape, never as graphs.
        goal: the goal of training, a name of `jaxnas.tasks.goals.GOALS`: `"class"`, one label an example;
            `"tags"`, one a step; `"next"`, the token after each step; `"value"`, a real number an example.
        num_tokens: the number of different tokens.
        vocabulary: the characters that the tokens stand for, in their order; empty for other tokens.
        label_mean, label_deviation: the values used to normalize labels that are real numbers.

    Raises ValueError on an unknown goal or kind, labels that do not fit the goal, or sequences of padding alone.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    card: str
    license: str = "unspecified"
    mean: float | np.ndarray = 0.0
    deviation: float | np.ndarray = 1.0
    classes: tuple = ()
    kind: str = ""
    goal: str = "class"
    num_tokens: int = 0
    vocabulary: tuple[str, ...] = ()
    label_mean: float = 0.0
    label_deviation: float = 1.0

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise unknown_name("a goal", self.goal, GOALS)
        if not self.kind:
            object.__setattr__(self, "kind", _kind_of(self.train.inputs))
        if self.kind not in KINDS:
            raise unknown_name("a kind of inputs", self.kind, KINDS)
        for name in SPLITS:
            _check_labels(self, name)
            if self.kind in ("sequences", "tokens", "graphs"):
                _check_steps(self, name)

    @property
    def shape(self) -> tuple[int, ...]:
        """Returns the shape of an example: (height, width, channels), (features,), (steps, features), (steps,), or
        (nodes, features + nodes).
        """
        return tuple(self.train.inputs.shape[2:])

    @property
    def metric(self) -> Metric:
        """Returns the metric of scores on this task."""
        return GOALS[self.goal].metric

    @property
    def spec(self) -> TaskSpec:
        """Returns the properties of the task that a network depends on."""
        return TaskSpec(self.kind, self.goal, self.shape, self.num_classes, self.num_tokens)

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: the kind of the data, their sizes, the classes and the simplest baseline."""
        sizes = {f"{name} examples": f"{getattr(self, name).num_examples:,}" for name in SPLITS}
        shape = " x ".join(map(str, self.shape))
        facts = {"inputs": f"{self.kind}, {shape}", "goal": self.goal, "metric": self.metric.name, **sizes}
        if self.goal == "class":
            counts = np.bincount(self.train.labels, minlength=self.num_classes)
            names = self.classes or range(self.num_classes)
            facts["training examples a class"] = ", ".join(
                f"{name}: {count:,}" for name, count in zip(names, counts, strict=True)
            )
            facts["test accuracy of the most frequent class"] = f"{np.mean(self.test.labels == counts.argmax()):.3f}"
        return fact_table(self.name, {**facts, "license": self.license})

    def without_validation(self) -> "Task":
        """Returns the task that trains on the validation data too, and has none to validate with.

        If one of the splits has fewer views than the other, its views repeat.
        """
        parts = (self.train, self.validation)
        views = np.arange(max(len(split.inputs) for split in parts))
        inputs = np.concatenate([split.inputs[views % len(split.inputs)] for split in parts], axis=1)
        train = Split(inputs, np.concatenate([split.labels for split in parts]))
        return replace(self, train=train, validation=Split(inputs[:1, :0], train.labels[:0]))

    def shrunk(self, resolution: int) -> "Task":
        """Returns the task of images of a smaller height in pixels, each pixel the mean of a square of them.

        Their values stay normalized by the mean and deviation of the full images. Raises ValueError if the task has no
        images, or they cannot be divided into such squares.
        """
        if self.kind != "images":
            raise ValueError(f"Expected a task of images for a resolution, got {self.name} of {self.kind}.")
        height, width, channels = self.shape
        side = height // checked_size("resolution", resolution, largest=height)
        if height != side * resolution or width % side:
            raise ValueError(
                f"Expected a resolution by which images of {height}x{width} pixels fall into squares, got {resolution}."
            )
        if side == 1:
            return self

        def smaller(split: Split) -> Split:
            shape = (*split.inputs.shape[:2], resolution, side, width // side, side, channels)
            return split._replace(inputs=split.inputs.reshape(shape).mean((3, 5), dtype=np.float64).astype(np.float32))

        return replace(self, train=smaller(self.train), validation=smaller(self.validation), test=smaller(self.test))

    def without_test(self) -> "Task":
        """Returns the task without its test data, for a search, which has no use for them."""
        return replace(self, test=Split(self.test.inputs[:1, :0], self.test.labels[:0]))

    @property
    def sha256(self) -> str:
        """Returns the SHA-256 of all arrays: shapes and little-endian values.

        The order is train, validation, test, inputs before labels.
        """
        digest = hashlib.sha256()
        for split in SPLITS:
            inputs, labels = getattr(self, split)
            kinds = "<i4" if self.kind == "tokens" else "<f4", "<f4" if self.goal == "value" else "<i4"
            for array, dtype in zip((inputs, labels), kinds, strict=True):
                digest.update(str(array.shape).encode())
                digest.update(np.ascontiguousarray(array, dtype).tobytes())
        return digest.hexdigest()


def _kind_of(inputs: np.ndarray) -> str:
    if inputs.dtype.kind in "iu" and inputs.ndim == 3:
        return "tokens"
    return {3: "vectors", 4: "sequences"}.get(inputs.ndim, "images")


def _check_labels(task: Task, name: str) -> None:
    """Raises ValueError if the labels of a split do not have the shape, type or range that the goal requires."""
    inputs, labels = getattr(task, name)
    steps = inputs.shape[1:3] if GOALS[task.goal].each_step else inputs.shape[1:2]
    if labels.shape != steps:
        raise ValueError(f"Expected labels of shape {list(steps)} for {task.goal}, got {list(labels.shape)} in {name}.")
    if task.goal == "value":
        if not np.isfinite(labels).all():
            raise ValueError(f"Expected finite labels for {task.goal}, got NaN or infinite ones in {name}.")
        return
    lowest = -1 if GOALS[task.goal].each_step else 0
    if labels.dtype.kind not in "iu" or (labels.size and not lowest <= labels.min() <= labels.max() < task.num_classes):
        wrong = labels.dtype if labels.dtype.kind not in "iu" else f"{labels.min()} to {labels.max()}"
        raise ValueError(f"Expected labels from {lowest} to {task.num_classes - 1}, got {wrong} in {name}.")


def _check_steps(task: Task, name: str) -> None:
    """Raises ValueError if a sequence is padding alone, a step of padding has a label, or a token is out of range.

    Nodes of graphs count as steps.
    """
    inputs, labels = getattr(task, name)
    if task.kind == "graphs" and inputs.shape[3] <= inputs.shape[2]:
        raise ValueError(f"Expected graphs of shape [V, n, A, F + A], got {list(inputs.shape)} in {name}.")
    real = inputs >= 0 if task.kind == "tokens" else ~np.isnan(inputs).any(-1)
    if not real.any(-1).all():
        row = int(np.flatnonzero(~real.any(-1).all(0))[0])
        raise ValueError(f"Expected a real step in each sequence, got padding alone in row {row} of {name}.")
    if GOALS[task.goal].each_step and ((labels >= 0) & ~real).any():
        row = int(np.flatnonzero(((labels >= 0) & ~real).any((0, 2)))[0])
        raise ValueError(f"Expected labels of real steps alone, got one of padding in row {row} of {name}.")
    if task.kind == "tokens" and inputs.size and inputs.max() >= task.num_tokens:
        raise ValueError(f"Expected tokens below num_tokens, {task.num_tokens}, got {inputs.max()} in {name}.")


def normalized(
    name: str,
    splits: dict[str, Split],
    num_classes: int,
    card: str,
    license: str,
    classes: tuple = (),
    *,
    goal: str = "class",
    kind: str = "",
) -> Task:
    """Returns the task of these splits, normalized by the mean and standard deviation of the training inputs.

    Vectors, sequences and graphs are normalized feature by feature, over all real steps or nodes; a feature that is
    constant in training is 0 everywhere. Weights of edges are unchanged. Values are then cast to float32. Labels that
    are real numbers are normalized, too.

    Raises ValueError if all pixels in training, or all labels of a regression, have the same value.
    """
    label_mean, label_deviation = 0.0, 1.0
    if goal == "value":
        splits, label_mean, label_deviation = _with_normal_labels(splits)
    inputs = splits["train"].inputs.astype(np.float64)
    mean: float | np.ndarray
    deviation: float | np.ndarray
    # Rounded: the order of summation, which differs between NumPy versions, must not change the arrays and their hash.
    if inputs.ndim == 4:  # of sequences, the real steps of all
        inputs = inputs.reshape(1, -1, inputs.shape[-1])
        inputs = inputs[:, ~np.isnan(inputs[0]).any(-1)]
    if inputs.ndim == 3:
        differs = inputs.max((0, 1)) > inputs.min((0, 1))  # the deviation of equal values need not be exactly 0
        largest = np.abs(inputs).max((0, 1))
        has_square = (largest <= 1e150) & ((largest >= 1e-150) | ~differs)  # in float64
        scale = np.where(has_square, 1.0, largest)
        scaled = inputs if (scale == 1).all() else inputs / scale
        means, deviations = scaled.mean((0, 1)) * scale, np.where(differs, scaled.std((0, 1)) * scale, 0)
        mean = np.asarray([_rounded(value, 12) for value in means])  # may be far from 0
        deviation = np.asarray([_rounded(value) or np.inf for value in deviations])
        if kind == "graphs":
            weights = slice(num_features(splits["train"].inputs.shape[2:]), None)
            mean[weights], deviation[weights] = 0, 1
    elif inputs.max() == inputs.min():
        raise ValueError("Expected training images that differ, got constant ones.")
    else:
        mean, deviation = _rounded(inputs.mean()), _rounded(inputs.std())

    def normal(split: Split) -> Split:
        labels = split.labels if split.labels.dtype == np.float32 else split.labels.astype(np.int32)
        return Split(((split.inputs - mean) / deviation).astype(np.float32), labels)

    train, validation, test = (normal(splits[split]) for split in SPLITS)
    return Task(
        name,
        train,
        validation,
        test,
        num_classes,
        card,
        license,
        mean,
        deviation,
        classes,
        kind,
        goal,
        label_mean=label_mean,
        label_deviation=label_deviation,
    )


def token_task(
    name: str,
    splits: dict[str, Split],
    num_tokens: int,
    num_outputs: int,
    card: str,
    license: str,
    classes: tuple = (),
    goal: str = "class",
    *,
    vocabulary: tuple[str, ...] = (),
) -> Task:
    """Returns the task of splits whose inputs are tokens, int[V, n, T], -1 for padding; the tokens are unchanged.

    Args:
        num_tokens: the number of different tokens.
        num_outputs: the number of classes or tags, or, to predict the next token, `num_tokens`.
        vocabulary: the characters that they stand for.
    """
    label_mean, label_deviation = 0.0, 1.0
    if goal == "value":
        splits, label_mean, label_deviation = _with_normal_labels(splits)
    kind = np.float32 if goal == "value" else np.int32
    train, validation, test = (
        Split(splits[part].inputs.astype(np.int32), splits[part].labels.astype(kind)) for part in SPLITS
    )
    return Task(
        name,
        train,
        validation,
        test,
        num_outputs,
        card,
        license,
        classes=classes,
        kind="tokens",
        goal=goal,
        num_tokens=num_tokens,
        vocabulary=vocabulary,
        label_mean=label_mean,
        label_deviation=label_deviation,
    )


def _with_normal_labels(splits: dict[str, Split]) -> tuple[dict[str, Split], float, float]:
    """Returns splits with labels of mean 0 and deviation 1 in training, and their former mean and deviation."""
    labels = splits["train"].labels.astype(np.float64)
    mean, deviation = _rounded(labels.mean(), 12), _rounded(labels.std())
    if not deviation > 0 or labels.max() == labels.min():
        raise ValueError(f"Expected labels of training that differ, got {len(labels)} times {labels[:1].tolist()[0]}.")
    normal = {name: ((split.labels - mean) / deviation).astype(np.float32) for name, split in splits.items()}
    return {name: Split(split.inputs, normal[name]) for name, split in splits.items()}, mean, deviation


def _rounded(value: float, num_digits: int = 6) -> float:
    return float(f"{value:.{num_digits}g}")
