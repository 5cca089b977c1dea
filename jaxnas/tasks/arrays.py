"""Tasks from your own arrays."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxnas.checks import unknown_name
from jaxnas.tasks.base import KINDS, SPLITS, Split, Task, normalized, token_task
from jaxnas.tasks.goals import GOALS
from jaxnas.tasks.graphs import joined, num_features
from jaxnas.tasks.sequences import (
    MAX_TOKENS,
    PADDING,
    as_array,
    characters_of,
    check_padding,
    encoded,
    is_ragged,
    is_text,
    padded,
    padded_labels,
    tokens_of,
)

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
SPLIT_SEED = 20202
MIN_IMAGES = 10
_PADDED = ("sequences", "tokens", "graphs")
USUAL_PIXELS, MANY_TIMES = 32**2, 16


class Examples(NamedTuple):
    """A user's inputs before they are split.

    Attributes:
        kind: one of `jaxnas.tasks.base.KINDS`.
        values: [n, ...]; sequences, tokens and graphs are padded.
        num_tokens: of tokens, how many there are.
        vocabulary: of text, its characters.
    """

    kind: str
    values: np.ndarray
    num_tokens: int = 0
    vocabulary: tuple[str, ...] = ()


def task_from_arrays(
    images: Any,
    labels: Any = None,
    split: ArrayLike | None = None,
    *,
    name: str = "mine",
    card: str = "",
    kind: str | None = None,
    goal: str = "class",
) -> Task:
    """Returns the task of images, vectors of features, sequences, strings or graphs, and labels.

    Args:
        images: numbers, [n, H, W] or [n, H, W, C], height and width need not be equal; or [n, F], vectors of features,
            each of which is normalized by its own mean and deviation; or [n] strings, whose characters are the
            tokens; or sequences, [n] arrays [t, F] or [t] of unequal length t; or graphs, (features, adjacency): [n]
            arrays [a, F] and [a, a], of unequal numbers of nodes or not.
        labels: [n], integers or strings; classes are their sorted distinct values. The goal `"value"` takes real
            numbers, `"tags"` [n] lists with an integer for each step, `"next"` none.
        split: [n], `"train"`, `"validation"` or `"test"` for each example; by default 60, 20 and 20 % of each class,
            drawn at random but always the same.
        name: the task's name in commands and tables.
        card: a description of the data, their source and their license.
        kind: needed if the arrays are ambiguous: `"sequences"` for [n, T, F] or [n, T] with NaN after the end of each,
            `"tokens"` for integers [n, T] with -1 after the end of each, `"graphs"` for (features, adjacency) or one
            array [n, A, F + A] of both; nodes whose features are NaN are padding.
        goal: see `Task`.

    Raises:
        ValueError: on shapes that do not match, values that are not finite numbers, one class only, or splits that are
            too small.
    """
    if goal not in GOALS:
        raise unknown_name("a goal", goal, GOALS)
    examples = examples_of(images, kind)
    if goal == "next":
        examples, labels = _with_next(examples, labels)
    classes, labels, num_outputs = _labels_of(labels, examples, goal)
    what = "images" if examples.kind == "images" else "examples"
    if split is None:
        split = _random_split(labels if goal == "class" else np.zeros(len(labels), int))
    split = _checked_split(split, len(labels), what)
    parts = {part: Split(examples.values[split == part][None], labels[split == part]) for part in SPLITS}
    for part, (_, part_labels) in parts.items():
        if len(part_labels) < MIN_IMAGES:
            raise ValueError(
                f"Expected {MIN_IMAGES} or more {part} {what}, got {len(part_labels)}; add data, or split otherwise."
            )
    if goal == "class" and not set(labels) <= set(parts["train"].labels):
        raise ValueError(f"Expected training {what} of every class, got classes without any.")
    _check_that_they_differ(examples.kind, parts["train"].inputs)
    _warn_of_repeated(parts)
    if examples.kind == "images":
        _warn_of_cost(*examples.values.shape[1:3])
    text = _card_of(name, card, examples, parts, len(classes) if goal == "class" else 0)
    if examples.kind == "tokens":
        given = (num_outputs, text, "unspecified", classes, goal)
        return token_task(name, parts, examples.num_tokens, *given, vocabulary=examples.vocabulary)
    return normalized(name, parts, num_outputs, text, "unspecified", classes, goal=goal, kind=examples.kind)


def examples_of(values: Any, kind: str | None) -> Examples:
    """Returns inputs of a kind, or of the kind that they say themselves."""
    if kind not in (None, *KINDS):
        raise unknown_name("a kind of inputs", kind, KINDS)
    if is_text(values) and np.ndim(values) == 1 and kind in (None, "tokens"):
        texts = [str(text) for text in values]
        vocabulary = characters_of(texts)
        return Examples("tokens", encoded(texts, vocabulary), len(vocabulary), vocabulary)
    if kind == "tokens":
        tokens = tokens_of(values)
        if tokens.dtype.kind not in "iu" or tokens.ndim != 2 or not tokens.size or tokens.min() < PADDING:
            raise ValueError(
                f"Expected texts, or tokens int[n, T], -1 for padding, got {tokens.dtype} of shape "
                f"{list(tokens.shape)}."
            )
        if tokens.max() >= MAX_TOKENS:
            raise ValueError(f"Expected tokens below {MAX_TOKENS:,}, got {tokens.max()}.")
        check_padding(tokens >= 0)
        return Examples("tokens", tokens.astype(np.int32), int(tokens.max()) + 1)
    if kind == "graphs":
        return Examples("graphs", joined(values))
    if kind == "sequences" or (kind is None and is_ragged(values)):
        return Examples("sequences", padded(values))
    images = _checked_images(values)
    return Examples("vectors" if images.ndim == 2 else "images", images)


def _with_next(examples: Examples, labels: Any) -> tuple[Examples, np.ndarray]:
    """Returns tokens without the last step, and the token that follows each step."""
    if examples.kind != "tokens" or labels is not None:
        got = "labels" if examples.kind == "tokens" else examples.kind
        raise ValueError(f"Expected texts or tokens alone to predict the next one of, got {got}.")
    tokens = examples.values
    following = np.concatenate([tokens[:, 1:], np.full((len(tokens), 1), PADDING, np.int32)], axis=1)
    end = max(tokens.shape[1] - 1, 1)
    return examples._replace(values=tokens[:, :end]), following[:, :end]


def _labels_of(labels: Any, examples: Examples, goal: str) -> tuple[tuple, np.ndarray, int]:
    """Returns the classes, the labels as numbers of them or as real numbers, and how many outputs a network has."""
    count = len(examples.values)
    what = "images" if examples.kind == "images" else "examples"
    if goal == "next":
        return examples.vocabulary, labels, examples.num_tokens
    if labels is None:
        raise ValueError(f"Expected one label for each of {count} {what}, got none.")
    if goal == "tags":
        if examples.kind not in ("sequences", "tokens"):
            raise ValueError(f"Expected sequences or tokens for tags, got {examples.kind}.")
        tags = padded_labels(labels, examples.values.shape[1])
        if len(tags) != count or tags.min() < PADDING or tags.max() < 1:
            raise ValueError(
                f"Expected tags of 0, 1, ... for each of {count} sequences, got {len(tags)} of other ones."
            )
        _check_lengths(labels, examples)
        return (), tags, int(tags.max()) + 1
    labels = real_labels(labels) if goal == "value" else _checked_labels(labels)
    if labels.shape != (count,):
        raise ValueError(f"Expected one label for each of {count} {what}, got labels of shape {list(labels.shape)}.")
    if goal == "value":
        return (), labels, 1
    classes, labels = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"Expected labels of two or more classes, got {len(classes)}; add examples of another class.")
    return tuple(classes.tolist()), labels, len(classes)


def _check_lengths(labels: Any, examples: Examples) -> None:
    """Raises ValueError if the tags of a sequence are neither as many as its real steps nor as all steps."""
    values = examples.values
    real = values >= 0 if examples.kind == "tokens" else ~np.isnan(values[..., 0])
    for row, (each, steps) in enumerate(zip(labels, real.sum(1), strict=True)):
        if len(each) not in (steps, real.shape[1]):
            raise ValueError(
                f"Expected a tag for each of the {steps} steps of row {row}, got {len(each)}; -1 is a step's that does "
                "not count."
            )


def _check_that_they_differ(kind: str, train: np.ndarray) -> None:
    if kind in _PADDED:
        first = train[:, :1]
        constant = np.array_equal(train, np.broadcast_to(first, train.shape), equal_nan=kind != "tokens")
    else:
        constant = train.max() == train.min()
        constant |= kind == "vectors" and (train.max((0, 1)) == train.min((0, 1))).all()
    if constant:
        raise ValueError(f"Expected training {kind} that differ, got constant ones.")


def _card_of(name: str, card: str, examples: Examples, parts: dict[str, Split], num_classes: int) -> str:
    sizes = ", ".join(f"{len(part_labels):,} {part}" for part, (_, part_labels) in parts.items())
    what = "images" if examples.kind == "images" else "examples"
    shape = examples.values.shape[1:]
    size = " x ".join(map(str, shape))
    if examples.kind == "graphs":
        size = f"up to {shape[0]} nodes of {num_features(shape)} features"
    text = f"# {name}: your own {examples.kind}, {size}\n\n"
    text += f"{card or 'No source given.'}\n"
    text += f"{num_classes} classes; {sizes} {what}.\n" if num_classes else f"{sizes} {what}.\n"
    if examples.kind != "tokens":
        of_what = "the training images" if examples.kind == "images" else "each feature in training"
        text += f"Normalized by the mean and standard deviation of {of_what}.\n"
    return text


def real_labels(values: ArrayLike) -> np.ndarray:
    """Returns labels as finite real numbers, float64."""
    labels = as_array(values, "one label for each example")
    if np.ma.is_masked(values) or labels.dtype.kind not in "biuf" or not np.isfinite(labels.astype(np.float64)).all():
        got = labels.dtype if labels.dtype.kind not in "biuf" else "masked, NaN or infinite ones"
        raise ValueError(f"Expected labels that are finite numbers, got {got}; drop or convert them.")
    return labels.astype(np.float64)


def _checked_labels(values: ArrayLike) -> np.ndarray:
    """Returns labels as integers, floats that are whole, or strings."""
    labels = as_array(values, "one label for each example")
    if np.ma.is_masked(values):
        raise ValueError("Expected labels without a mask, got masked ones; drop those examples.")
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels.reshape(-1)):
        labels = labels.astype(str)
    whole = labels.dtype.kind in "biuU" or (labels.dtype.kind == "f" and bool((labels == np.round(labels)).all()))
    if not whole or (labels.dtype.kind == "f" and not np.isfinite(labels).all()):
        got = "NaN or fractions" if labels.dtype.kind == "f" else str(labels.dtype)
        raise ValueError(
            f"Expected labels that are classes, integers or strings, got {got}; drop, bin or convert them, "
            "or give goal='value' for a regression."
        )
    return labels


def _warn_of_repeated(parts: dict[str, Split]) -> None:
    """Warns if training contains validation or test examples, which would make scores too good."""
    seen = {example.tobytes() for example in parts["train"].inputs[0]}
    repeated = {
        part: sum(example.tobytes() in seen for example in parts[part].inputs[0]) for part in ("validation", "test")
    }
    if any(repeated.values()):
        found = " and ".join(f"{count} {part}" for part, count in repeated.items() if count)
        warnings.warn(
            f"Expected different examples in each split, got {found} examples that are in training, too; their scores "
            "are too good.",
            UserWarning,
            stacklevel=3,
        )


def _warn_of_cost(height: int, width: int) -> None:
    """Warns of images of so many pixels that trainings take very long."""
    times = round(height * width / USUAL_PIXELS)
    if times >= MANY_TIMES:
        text = f"A training on images of {height} x {width} takes about {times:,} times as long as on 32 x 32"
        warnings.warn(f"{text}; shrink them first if they need not be as large.", UserWarning, stacklevel=3)


def _checked_images(values: ArrayLike) -> np.ndarray:
    images = as_array(values, "images or vectors of one shape")
    if np.ma.is_masked(values):
        raise ValueError("Expected examples without a mask, got masked values; replace them, or drop those examples.")
    if images.dtype.kind not in "biuf":
        raise ValueError(
            f"Turn words into numbers, say one-hot, first. Expected images or vectors of numbers, got {images.dtype}."
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim not in (2, 4) or 0 in images.shape:
        expected = "images of shape [n, H, W] or [n, H, W, C], or vectors of shape [n, F]"
        raise ValueError(f"Expected {expected}, got {list(images.shape)}.")
    if images.ndim == 4 and images.shape[1] in (1, 3, 4) and images.shape[3] > 4:
        raise ValueError(
            "Images are [N, height, width, channels]: X.transpose(0, 2, 3, 1) makes them of those with channels first, "
            f"which {list(images.shape)} look like."
        )
    if images.ndim == 2:  # of features, large numbers may differ by less than float32 can tell: normalized first
        images = images.astype(np.float64)
    with np.errstate(over="ignore"):
        small = images if images.ndim == 2 else images.astype(np.float32)
    if not np.isfinite(small).all():
        raise ValueError("Expected finite numbers, got NaN or infinite values; replace or drop those examples.")
    return small


def _checked_split(values: ArrayLike, num_images: int, what: str = "images") -> np.ndarray:
    split = np.asarray(values).astype(str)
    unknown = sorted(set(split.reshape(-1)) - set(SPLITS))
    if split.shape != (num_images,) or unknown:
        found = repr(str(unknown[0])) if unknown else f"shape {list(split.shape)}"
        raise ValueError(f"Expected a split of {', '.join(SPLITS)} for each of {num_images} {what}, got {found}.")
    return split


def _random_split(labels: np.ndarray) -> np.ndarray:
    """Returns the split of each image, in the same shares for each class."""
    split = np.empty(len(labels), object)
    random = np.random.RandomState(SPLIT_SEED)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        ends = np.round(np.cumsum(list(SHARES.values())) * len(members)).astype(int)
        for part, chosen in zip(SHARES, np.split(members, ends[:-1]), strict=True):
            split[chosen] = part
    return split.astype(str)
