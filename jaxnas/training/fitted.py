"""Fitted models: trained networks that take raw data and predict classes or numbers."""

import dataclasses
import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.special import softmax

import jaxnas
from jaxnas import catalog
from jaxnas.checks import first_line
from jaxnas.files import replace_file, writable
from jaxnas.tasks.base import SPLITS, Split, Task, TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.tasks.sequences import MAX_TOKENS, as_array
from jaxnas.training.config import TrainConfig, config_from_dict
from jaxnas.training.curves import Curves
from jaxnas.training.exported import exported
from jaxnas.training.inputs import Inputs, normalized
from jaxnas.training.networks import TrainableSpace, networks_class, networks_of
from jaxnas.training.saved import read_arrays, read_description, write_model
from jaxnas.training.space_fields import space_fields, space_of_fields

MAX_VALUES = 2**28
"""Values of an example of a loaded model: a description alone must not fill the memory."""
PREDICTION_BATCH = 128
"""Predictions run in batches of this size, the last one padded; a row's result then depends on the row alone."""


class TaskName(NamedTuple):
    """The identity of a task in a saved model."""

    name: str
    sha256: str


class FittedModel:
    """A trained network of one architecture: `Trainer.fit` and `load` make it.

    Attributes:
        network: the Flax module, from normalized examples, or tokens, to logits, or to one normalized real number.
        space, arch, config: the space, the architecture and the training configuration.
        inputs: the form of the data.
        task: the task with the splits that `score` takes by name, a Task or its name; None if not available.
        curves: the training curves, [E]; None for a loaded model.
    """

    def __init__(
        self,
        network: nnx.Module,
        space: TrainableSpace,
        arch: tuple[int, ...],
        config: TrainConfig,
        inputs: Inputs,
        task: Task | TaskName | None,
    ):
        self.network, self.space, self.arch, self.config = network, space, arch, config
        self.inputs, self.task = inputs, task
        self.curves: Curves | None = None
        self._scores: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"FittedModel({self.space.to_str(self.arch)!r})"

    def __reduce__(self) -> tuple:
        """Returns the pickled form: the data that `save` writes."""
        description = self._description()
        space = self.space if description["space_fields"] is None else None
        return _restored, (description, space, jax.device_get(_arrays(self.network)))

    @property
    def architecture(self) -> dict:
        """Returns the architecture as readable values."""
        return self.space.decode(self.arch)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803, as scikit-learn has it
        """Returns the probability of each class, float64[n, K], in the order of `inputs.classes`.

        With a label for each step, the probabilities are for each step, float64[n, T, K].

        Args:
            X: numbers [n, ...] before normalization; images with one channel may omit its axis. For tasks of text,
                strings; for sequences, arrays [t, F] of up to T steps.

        Raises ValueError on another shape, values that are not finite numbers, characters that the
        task did not have, or if labels are real numbers.
        """
        if self.inputs.spec.goal == "value":
            raise ValueError("Expected a model of classes to give probabilities, got one of real numbers; use predict.")
        return softmax(self._outputs(normalized(self.inputs, X)), axis=-1)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the most probable class of each example, [n], or of each step [n, T]; or the real number, [n].

        Arguments as in `predict_proba`.
        """
        outputs = self._outputs(normalized(self.inputs, X))
        if self.inputs.spec.goal == "value":
            return outputs[:, 0] * self.inputs.label_deviation + self.inputs.label_mean
        return self.inputs.classes[outputs.argmax(-1)]

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """Returns the score on data and their labels, or on a split of the task: larger is better.

        It is the accuracy for classes, R2 for real numbers, the tag accuracy, or minus the cross entropy in nats for
        the next token.

        Args:
            X: as in `predict_proba`; or `"train"`, `"validation"` or `"test"`, without `y`.
            y: the label of each example, [n].

        Raises ValueError on data that do not match, or a split that is not available.
        """
        if isinstance(X, str):
            if X not in self._scores:
                self._scores[X] = self._score_of_split(X)
            return self._scores[X]
        goal = self.inputs.spec.goal
        if GOALS[goal].each_step:
            raise ValueError(f"Expected the name of a split, where the goal is {goal}, got {type(X).__name__}.")
        if y is None:
            raise ValueError("Expected classes y with X, got none.")
        predicted, y = self.predict(X), as_array(y, "one label for each example")
        if y.shape != predicted.shape:
            raise ValueError(f"Expected a class for each of {len(predicted)} examples, got shape {list(y.shape)}.")
        if goal == "value":
            return float(1 - np.square(predicted - y).sum() / np.square(y - y.mean()).sum())
        if y.size and not np.isin(y, self.inputs.classes).any():
            known = ", ".join(str(each) for each in self.inputs.classes.tolist())
            raise ValueError(f"Expected labels of the classes {known:.60}, got {y[0]!s:.40} and others that are none.")
        return float((predicted == y).mean())

    def _split(self, name: str) -> Split:
        if name not in SPLITS:
            raise ValueError(f"Expected a split of {', '.join(SPLITS)}, got {name!r}.")
        task = _task_of(self.task) if isinstance(self.task, TaskName) else self.task
        if task is None:
            raise ValueError(f"Expected a model with its task to score {name}, got one without; give X and y instead.")
        split = getattr(task, name)
        if not split.num_examples:
            raise ValueError(f"Expected a task with a {name} split, got {task.name} without.")
        return split

    def _score_of_split(self, name: str) -> float:
        split, goal = self._split(name), GOALS[self.inputs.spec.goal]
        outputs = np.stack([self._outputs(view) for view in split.inputs])
        if goal.counts:
            return float((outputs.argmax(-1) == split.labels).mean())
        return float(goal.metric.better * _measured(self.inputs.spec.goal, outputs, split.labels))

    def measures(self, name: str) -> dict[str, float]:
        """Returns the metrics that are usually reported on a split of the task, by name.

        For real numbers R2 and the root of the mean squared error in the labels' units; for the next token the cross
        entropy in nats, the perplexity, bits a step, and the share of steps whose token is the most probable one; else
        the metric alone.
        """
        goal, score = self.inputs.spec.goal, self.score(name)
        metric = GOALS[goal].metric
        found = {metric.name: metric.better * score}
        if goal == "value":
            split = self._split(name)
            errors = np.stack([self._outputs(view)[:, 0] for view in split.inputs]) - split.labels
            found["RMSE"] = float(np.sqrt(np.square(errors).mean()) * self.inputs.label_deviation)
        if goal == "next":
            split = self._split(name)
            outputs = np.stack([self._outputs(view) for view in split.inputs])
            hits = float(_measured("tags", outputs, split.labels))
            found |= {"perplexity": math.exp(-score), "bits": -score / math.log(2), "hits": hits}
        return found

    def _outputs(self, examples: np.ndarray) -> np.ndarray:
        """Returns the outputs for normalized examples, float64[n, K], or [n, T, K]."""
        found = []
        for start in range(0, len(examples), PREDICTION_BATCH):
            batch = examples[start : start + PREDICTION_BATCH]
            batch = batch.astype(np.int32 if self.inputs.spec.kind == "tokens" else np.float32)
            padding = [(0, PREDICTION_BATCH - len(batch))] + [(0, 0)] * (batch.ndim - 1)
            found.append(np.asarray(self._logits(np.pad(batch, padding))[: len(batch)], np.float64))
        return np.concatenate(found) if found else np.zeros((0, self.inputs.spec.num_outputs))

    @functools.cached_property
    def _logits(self) -> Callable[[np.ndarray], jax.Array]:
        definition, state = nnx.split(self.network)
        compiled = jax.jit(lambda state, examples: nnx.merge(definition, state)(examples))
        return functools.partial(compiled, state)

    def save(self, folder: str | os.PathLike) -> Path:
        """Returns the folder that the model is written into: arrays by Orbax, the rest as JSON, hashes of both.

        An older model there is replaced as a whole, other files stay. Raises ValueError if the folder holds a
        `model.json` of something else.
        """
        folder = Path(folder).resolve()
        write_model(folder, self._description(), _arrays(self.network))
        return folder

    def export(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Returns the file that the network is written into by `jax.export`, to be read without jaxnas.

        `jax.export.deserialize(data).call(X)` takes X before normalization, of any number of examples: numbers
        float32[n, ...] of the whole shape, with NaN for padding; or tokens int32[n, T], with -1 for padding. It
        returns float32: what `predict_proba` does, or what `predict` does if labels are real numbers,
        but less exact for features that vary little around a large mean, as they are rounded before normalization.

        Args:
            overwrite: whether a file that exists is replaced.

        Raises ValueError if the path exists or cannot be written to, without the package flatbuffers, or if a
        function of the user's own needs to know the size of its batch.
        """
        path = Path(path).resolve()
        if path.is_dir() or (path.exists() and not overwrite):
            raise ValueError(f"Expected a new file to export to, got {path}; give another path or overwrite=True.")
        data = exported(self.network, self.inputs)
        replace_file(writable(path.parent) / path.name, data)
        return path

    def _description(self) -> dict:
        """Returns all but the arrays, as JSON values."""
        return {
            "jaxnas": jaxnas.__version__,
            "space": self.space.name,
            "space_fields": space_fields(self.space),
            "arch": list(self.arch),
            "config": dataclasses.asdict(self.config),
            "spec": self.inputs.spec._asdict(),
            "mean": np.asarray(self.inputs.mean).tolist(),
            "deviation": np.asarray(self.inputs.deviation).tolist(),
            "classes": self.inputs.classes.tolist(),
            "vocabulary": list(self.inputs.vocabulary),
            "label_mean": self.inputs.label_mean,
            "label_deviation": self.inputs.label_deviation,
            "task": None if self.task is None else [self.task.name, self.task.sha256],
        }

    @classmethod
    def load(cls, folder: str | os.PathLike, space: TrainableSpace | None = None) -> "FittedModel":
        """Returns the model that `save` wrote.

        Args:
            space: its search space; needed if the space has user-defined functions or networks.

        Raises ValueError if the folder holds no model, a file was changed, or the space is another one or unknown.
        """
        folder = Path(folder).resolve()
        found = read_description(folder)
        try:
            model = _untrained(found, space)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, MemoryError) as error:
            if isinstance(error, ValueError) and str(error).startswith("Expected "):
                raise
            raise ValueError(f"Expected {folder} to hold a model, got: {first_line(error)}.") from None
        nnx.update(model.network, read_arrays(folder, found, _arrays(model.network)))
        return model


def _untrained(description: dict, space: TrainableSpace | None) -> FittedModel:
    """Returns the model of a description, with arrays that are yet to be replaced."""
    space = _space_of(description, space)
    config = config_from_dict(description["config"], networks_class(space).default)
    spec = TaskSpec(**description["spec"] | {"shape": tuple(description["spec"]["shape"])})
    mean, deviation = (_number_or_array(description[name], spec.shape) for name in ("mean", "deviation"))
    labels = [float(description.get(name, value)) for name, value in (("label_mean", 0), ("label_deviation", 1))]
    vocabulary = tuple(str(character) for character in description.get("vocabulary", ()))
    inputs = Inputs(spec, mean, deviation, np.asarray(description["classes"]), vocabulary, *labels)
    arch = _checked_arch(description["arch"], space)
    if not (all(isinstance(size, int) and size > 0 for size in spec.shape) and math.prod(spec.shape) <= MAX_VALUES):
        raise ValueError(f"Expected a model of examples of a known shape, got {list(spec.shape)!r:.60}.")
    if not isinstance(spec.num_tokens, int) or not 0 <= spec.num_tokens <= MAX_TOKENS:
        raise ValueError(f"Expected a model of at most {MAX_TOKENS:,} tokens, got {spec.num_tokens!r:.20}.")
    num_classes = 1 if spec.goal == "value" else len(inputs.classes)
    if not isinstance(spec.num_outputs, int) or num_classes != spec.num_outputs:
        raise ValueError(f"Expected a model of {spec.num_outputs!r:.20} classes, got {len(inputs.classes)}.")
    network = networks_of(space, config, spec).blank(arch)
    task = None if description["task"] is None else TaskName(*description["task"])
    return FittedModel(network, space, arch, config, inputs, task)


def _checked_arch(arch: Any, space: TrainableSpace) -> tuple[int, ...]:
    """Returns an architecture as a tuple of ints. Raises ValueError if a choice is not in the space."""
    whole = isinstance(arch, list | tuple) and all(isinstance(choice, int) for choice in arch)
    sizes = [len(decision.values) for decision in space.decisions]
    if (
        not whole
        or len(arch) != len(sizes)
        or not all(0 <= each < size for each, size in zip(arch, sizes, strict=True))
    ):
        raise ValueError(f"Expected an architecture of {space.name}, got {arch!r:.60}.")
    return tuple(arch)


def _number_or_array(value: float | list, shape: tuple[int, ...]) -> float | np.ndarray:
    """Returns a mean or deviation of normalization: a Python number, which keeps images float32, or an array."""
    found = np.asarray(value)
    if found.dtype.kind not in "if" or np.broadcast_shapes(found.shape, shape) != shape:
        raise ValueError(f"Expected a model that says what its examples were normalized by, got {value!r:.60}.")
    return found if isinstance(value, list) else value


def _restored(description: dict, space: TrainableSpace | None, arrays: dict) -> FittedModel:
    model = _untrained(description, space)
    nnx.update(model.network, arrays)
    return model


def _arrays(network: nnx.Module) -> dict:
    return nnx.to_pure_dict(nnx.state(network))


def _measured(goal: str, outputs: np.ndarray, labels: np.ndarray) -> float:
    """Returns the metric of outputs [V, n, ...] for labels [n, ...], which are not counts."""
    labels = np.broadcast_to(labels, (len(outputs), *labels.shape))
    measured = GOALS[goal].measure(jnp.asarray(outputs, jnp.float32), jnp.asarray(labels))
    return float(GOALS[goal].value(jax.tree.map(lambda values: np.asarray(values, np.float64).sum(), measured)))


def _space_of(found: dict, space: TrainableSpace | None) -> TrainableSpace:
    """Returns the space that a model was saved with. Raises ValueError if it is another one or unknown."""
    if space is None and found["space_fields"] is None:
        raise ValueError(
            f"Expected the space {found['space']} of this model, which has custom functions or networks; got none."
        )
    made = space if found["space_fields"] is None and space is not None else space_of_fields(found["space_fields"])
    if space is not None and (space.name != found["space"] or made != space):
        raise ValueError(f"Expected the space {found['space']} that this model was saved with, got {space.name}.")
    return made


def _task_of(named: TaskName) -> Task | None:
    """Returns the task of a name and a hash, with or without validation data; None if it is not in the catalog."""
    make = catalog.in_file(named.name, catalog.TASKS)
    if make is None:
        return None
    task = make()
    return next((each for each in (task, task.without_validation()) if each.sha256 == named.sha256), None)
