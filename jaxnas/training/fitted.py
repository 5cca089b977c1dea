"""Fitted models: a trained network that takes data as they are, and gives classes."""

import dataclasses
import functools
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

import jaxnas
from jaxnas import catalog
from jaxnas.checks import first_line
from jaxnas.tasks.base import SPLITS, Task, TaskSpec
from jaxnas.training.config import TrainConfig, config_from_dict
from jaxnas.training.curves import Curves
from jaxnas.training.family import TrainableSpace, family_of
from jaxnas.training.saved import read_arrays, read_description, write_model

MAX_VALUES = 2**28
"""Values of an example that a loaded model may take: a description alone must not fill the memory."""
PREDICTION_BATCH = 128
"""Predictions run in batches of this size, the last one padded, so that a row's result depends on the row alone."""


class Inputs(NamedTuple):
    """What the data of a model are: what its network knows of them, their normalisation, what the labels stand for."""

    spec: TaskSpec
    mean: float | np.ndarray
    deviation: float | np.ndarray
    classes: np.ndarray


class TaskName(NamedTuple):
    """What a saved model keeps of its task."""

    name: str
    sha256: str


class FittedModel:
    """A trained network of one architecture: `Trainer.fit` and `load` make it.

    Attributes:
        network: the Flax module, from normalised examples to logits.
        space, arch, config: what was trained, and how.
        inputs: what the data are.
        task: whose splits `score` knows, a Task or its name; None where they are not available.
        curves: how it was trained, [E]; None where it was loaded.
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
        """Returns what is pickled: what `save` writes."""
        description = self._description()
        space = self.space if description["space_fields"] is None else None
        return _restored, (description, space, jax.device_get(_arrays(self.network)))

    @property
    def architecture(self) -> dict:
        """Returns the architecture as readable values."""
        return self.space.decode(self.arch)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803, as scikit-learn has it
        """Returns the probability of each class, float64[n, K], in the order of `inputs.classes`.

        Args:
            X: numbers [n, ...], as the data were before the task normalised them; images of one channel may lack it.

        Raises:
            ValueError: on another shape, or values that are no finite numbers.
        """
        examples = _checked_examples(X, self.inputs.spec.shape)
        return self._probabilities((examples - self.inputs.mean) / self.inputs.deviation)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Returns the most probable class of each example, [n]. Arguments as of `predict_proba`."""
        return self.inputs.classes[self.predict_proba(X).argmax(-1)]

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """Returns the accuracy on data and their classes, or on a split of the task.

        Args:
            X: as in `predict_proba`; or `"train"`, `"validation"` or `"test"`, without `y`.
            y: the class of each example, [n].

        Raises:
            ValueError: on data that do not match, or a split that is not available.
        """
        if isinstance(X, str):
            if X not in self._scores:
                self._scores[X] = self._score_of_split(X)
            return self._scores[X]
        if y is None:
            raise ValueError("Expected classes y with X, got none.")
        predicted, y = self.predict(X), np.asarray(y)
        if y.shape != predicted.shape:
            raise ValueError(f"Expected a class for each of {len(predicted)} examples, got shape {list(y.shape)}.")
        return float((predicted == y).mean())

    def _score_of_split(self, name: str) -> float:
        if name not in SPLITS:
            raise ValueError(f"Expected a split of {', '.join(SPLITS)}, got {name!r}.")
        task = _task_of(self.task) if isinstance(self.task, TaskName) else self.task
        if task is None:
            raise ValueError(f"Expected a model with its task to score {name}, got one without; give X and y instead.")
        split = getattr(task, name)
        if not split.num_examples:
            raise ValueError(f"Expected a task with a {name} split, got {task.name} without.")
        views = [self._probabilities(view).argmax(-1) for view in split.inputs]
        return float((np.stack(views) == split.labels).mean())

    def _probabilities(self, examples: np.ndarray) -> np.ndarray:
        logits = np.zeros((len(examples), len(self.inputs.classes)))
        for start in range(0, len(examples), PREDICTION_BATCH):
            batch = examples[start : start + PREDICTION_BATCH].astype(np.float32)
            padding = [(0, PREDICTION_BATCH - len(batch))] + [(0, 0)] * (batch.ndim - 1)
            logits[start : start + PREDICTION_BATCH] = self._logits(np.pad(batch, padding))[: len(batch)]
        exponentials = np.exp(logits - logits.max(-1, keepdims=True))
        return exponentials / exponentials.sum(-1, keepdims=True)

    @functools.cached_property
    def _logits(self) -> Callable[[np.ndarray], jax.Array]:
        definition, state = nnx.split(self.network)
        compiled = jax.jit(lambda state, examples: nnx.merge(definition, state)(examples))
        return functools.partial(compiled, state)

    def save(self, folder: str | os.PathLike) -> Path:
        """Returns the folder that the model is written into: arrays by Orbax, the rest as JSON, hashes of both.

        An older model there is replaced as a whole, other files stay. Raises ValueError where the folder holds a
        `model.json` of something else.
        """
        folder = Path(folder).resolve()
        write_model(folder, self._description(), _arrays(self.network))
        return folder

    def _description(self) -> dict:
        """Returns all but the arrays, as JSON values."""
        return {
            "jaxnas": jaxnas.__version__,
            "space": self.space.name,
            "space_fields": _fields(self.space),
            "arch": list(self.arch),
            "config": dataclasses.asdict(self.config),
            "spec": self.inputs.spec._asdict(),
            "mean": np.asarray(self.inputs.mean).tolist(),
            "deviation": np.asarray(self.inputs.deviation).tolist(),
            "classes": self.inputs.classes.tolist(),
            "task": None if self.task is None else [self.task.name, self.task.sha256],
        }

    @classmethod
    def load(cls, folder: str | os.PathLike, space: TrainableSpace | None = None) -> "FittedModel":
        """Returns the model that `save` wrote.

        Args:
            space: its search space; needed where that has functions, or a kind of network, of your own.

        Raises:
            ValueError: where the folder holds no model, a file was changed, or the space is another one or unknown.
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
    family = family_of(space)
    config = config_from_dict(description["config"], family.config)
    spec = TaskSpec(**description["spec"] | {"shape": tuple(description["spec"]["shape"])})
    mean, deviation = (_number_or_array(description[name], spec.shape) for name in ("mean", "deviation"))
    inputs = Inputs(spec, mean, deviation, np.asarray(description["classes"]))
    arch = _checked_arch(description["arch"], space)
    if not (all(isinstance(size, int) and size > 0 for size in spec.shape) and math.prod(spec.shape) <= MAX_VALUES):
        raise ValueError(f"Expected a model of examples of a known shape, got {list(spec.shape)!r:.60}.")
    if not isinstance(spec.num_outputs, int) or len(inputs.classes) != spec.num_outputs:
        raise ValueError(f"Expected a model of {spec.num_outputs!r:.20} classes, got {len(inputs.classes)}.")
    network = family.module(space, config, spec, arch, None)
    task = None if description["task"] is None else TaskName(*description["task"])
    return FittedModel(network, space, arch, config, inputs, task)


def _checked_arch(arch: Any, space: TrainableSpace) -> tuple[int, ...]:
    """Returns an architecture as a tuple of ints. Raises ValueError where a choice is none of the space's."""
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
    """Returns what images were normalised by: a Python number, which keeps their float32, or an array."""
    found = np.asarray(value)
    if found.dtype.kind not in "if" or np.broadcast_shapes(found.shape, shape) != shape:
        raise ValueError(f"Expected a model that says what its examples were normalised by, got {value!r:.60}.")
    return found if isinstance(value, list) else value


def _restored(description: dict, space: TrainableSpace | None, arrays: dict) -> FittedModel:
    model = _untrained(description, space)
    nnx.update(model.network, arrays)
    return model


def _arrays(network: nnx.Module) -> dict:
    return nnx.to_pure_dict(nnx.state(network))


def _checked_examples(examples: Any, shape: tuple[int, ...]) -> np.ndarray:
    examples = np.asarray(examples)
    if len(shape) == 3 and shape[-1] == 1 and examples.shape[1:] == shape[:2]:
        examples = examples[..., None]
    if examples.dtype.kind not in "biuf":
        raise ValueError(f"Expected examples of numbers, got {examples.dtype}.")
    if examples.shape[1:] != shape or not examples.ndim:
        raise ValueError(f"Expected examples of shape [n, {', '.join(map(str, shape))}], got {list(examples.shape)}.")
    if not np.isfinite(examples).all():
        raise ValueError("Expected finite examples, got NaN or infinite values; replace or drop those examples.")
    return examples.astype(np.float64 if len(shape) == 1 else np.float32)


def _fields(space: TrainableSpace) -> dict | None:
    """Returns the fields that a space can be made of again, as JSON values; None where that does not give it back.

    Fields with their default values are left out.
    """
    if not dataclasses.is_dataclass(space):
        return None
    fields = {}
    for field in dataclasses.fields(space):
        value = getattr(space, field.name)
        if field.init and value != field.default:
            fields[field.name] = [getattr(each, "name", each) for each in value] if isinstance(value, tuple) else value
    try:
        fields = {"type": type(space).__name__, **json.loads(json.dumps(fields))}
        return fields if _made_of(fields) == space else None
    except (KeyError, TypeError, ValueError):
        return None


def _made_of(fields: dict) -> TrainableSpace:
    arguments = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return catalog.space_types()[str(arguments.pop("type"))](**arguments)


def _space_of(found: dict, space: TrainableSpace | None) -> TrainableSpace:
    """Returns the space that a model was saved with. Raises ValueError where it is another one or unknown."""
    if space is None and found["space_fields"] is None:
        raise ValueError(
            f"Expected the space {found['space']} of this model, which has custom functions or networks; got none."
        )
    made = space if found["space_fields"] is None and space is not None else _made_of(found["space_fields"])
    if space is not None and (space.name != found["space"] or made != space):
        raise ValueError(f"Expected the space {found['space']} that this model was saved with, got {space.name}.")
    return made


def _task_of(named: TaskName) -> Task | None:
    """Returns the task of a name and a hash, with or without validation data; None where the catalog has none."""
    if named.name not in catalog.TASKS:
        return None
    task = catalog.task(named.name)
    return next((each for each in (task, task.without_validation()) if each.sha256 == named.sha256), None)
