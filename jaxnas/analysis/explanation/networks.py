"""How a trained network decides: lesions of its edges, the pixels it looks at, and the classes it confuses."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.spaces.cells.network import Network
from jaxnas.spaces.layers.modules import Layer
from jaxnas.training.fitted import FittedModel

BATCH = 128
MOST_EXAMPLES = 512
"""Examples whose gradients the saliency averages."""


class Lesion(NamedTuple):
    """The effect of removing one edge from a network's cells.

    Attributes:
        edge: the name of the edge.
        operation: its operation.
        live: whether it is part of the network: dead edges and edges of zeros are not.
        accuracy: without it.
        loss: the accuracy with it less the accuracy without it.
        standard_error: of the loss, over the examples.
        changed: the share of the examples whose predicted class changes.
    """

    edge: str
    operation: str
    live: bool
    accuracy: float
    loss: float
    standard_error: float
    changed: float


class NetworkExplanation(NamedTuple):
    """How a trained network decides: lesions, saliency and confusion.

    Attributes:
        accuracy: on the examples, as the model predicts them.
        lesions: of each edge of the space's cell, in the order of its decisions; empty for other kinds of network.
        saliency: the mean absolute derivative of the right class's logit by each number of an example, float64.
        confusion: how many examples of each class (rows) are predicted as each class, int64[K, K].
        classes: the names of the rows and columns, [K].
    """

    accuracy: float
    lesions: tuple[Lesion, ...]
    saliency: np.ndarray
    confusion: np.ndarray
    classes: np.ndarray


def explain_network(model: FittedModel, X: Any, y: Any) -> NetworkExplanation:  # noqa: N803, as scikit-learn has it
    """Returns lesions, saliency and confusion of a trained network, on examples that it need not have seen.

    A lesion replaces an edge's output by zeros, in all cells of the network at once. Then the statistics of
    batch normalization are estimated again on the examples, without their classes: the statistics of the
    whole network fit no other one, and every lesion would look fatal. The whole network is treated alike,
    so a lesion of a dead edge changes nothing. Lesions follow Meyes, Lu,
    Waubert de Puiseau and Meisen, "Ablation Studies in Artificial Neural Networks", 2019; saliency
    Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", ICLR Workshop 2014.

    Args:
        model: a fitted model.
        X: examples as of `FittedModel.predict`, [n, ...].
        y: the class of each, [n].

    Raises ValueError on examples that the model does not take, or classes that it does not know.
    """
    numbers = _class_numbers(model, y, len(X))
    predicted = _class_numbers(model, model.predict(X), len(X))
    examples = _normalized(model, X)
    confusion = np.zeros((len(model.inputs.classes),) * 2, np.int64)
    np.add.at(confusion, (numbers, predicted), 1)
    return NetworkExplanation(
        float(np.trace(confusion) / len(numbers)),
        _lesions(model, model.network, examples, numbers) if isinstance(model.network, Network) else (),
        _saliency(model, examples[:MOST_EXAMPLES], numbers[:MOST_EXAMPLES]),
        confusion,
        model.inputs.classes,
    )


def _lesions(model: FittedModel, network: Network, examples: np.ndarray, numbers: np.ndarray) -> tuple[Lesion, ...]:
    names = [f"{source}-{target}" for source, target in network.space.edges]
    network = _with_masks(network)
    predict = _predictor(network, examples)
    whole = predict("")
    found = []
    for name, choice in zip(names, model.arch, strict=True):
        live = any(name in cell.edges for cell in network.cells)
        lesioned = predict(name) if live else whole
        losses = (whole == numbers).astype(float) - (lesioned == numbers)
        error = float(losses.std(ddof=1) / np.sqrt(len(losses))) if len(losses) > 1 else np.nan
        operation = str(model.space.decisions[names.index(name)].values[choice])
        accuracy, changed = float((lesioned == numbers).mean()), float((whole != lesioned).mean())
        found.append(Lesion(name, operation, live, accuracy, float(losses.mean()), error, changed))
    return tuple(found)


def _predictor(network: Network, examples: np.ndarray) -> Callable[[str], np.ndarray]:
    """Returns the function of an edge's name that gives the predicted classes [n] without it; of "" with all."""
    size = min(BATCH, len(examples))
    batches = [examples[start : start + size] for start in range(0, len(examples) - size + 1, size)]
    definition, original = nnx.split(network)

    @jax.jit
    def estimated(state: Any, batch: jax.Array, weight: jax.Array) -> Any:
        made = nnx.merge(definition, state, copy=True)
        made(batch, train=True, momentum=weight)
        return nnx.split(made)[1]

    @jax.jit
    def logits(state: Any, batch: jax.Array) -> jax.Array:
        return nnx.merge(definition, state, copy=True)(batch)

    def predict(without: str) -> np.ndarray:
        state = nnx.split(_masked_out(nnx.merge(definition, original, copy=True), without))[1]
        for number, batch in enumerate(batches):
            state = estimated(state, batch, np.float32(number / (number + 1)))  # a running mean over batches
        padded = np.pad(examples, [(0, -len(examples) % size)] + [(0, 0)] * (examples.ndim - 1))
        parts = [logits(state, padded[start : start + size]) for start in range(0, len(padded), size)]
        return np.concatenate([np.asarray(each) for each in parts]).argmax(-1)[: len(examples)]

    return predict


def _with_masks(network: Network) -> Network:
    """Returns a copy of a network whose edges are multiplied by a number each, 1: one program serves all lesions."""
    copied = nnx.merge(*nnx.split(network), copy=True)
    for cell in copied.cells:
        for layer in cell.edges.values():
            layer.apply = _times_mask(layer)
            layer.parameters["mask"] = nnx.Param(jnp.float32(1))
    return copied


def _times_mask(layer: Layer) -> Callable:
    apply = layer.apply

    def masked(x: jax.Array, parameters: dict, statistics: dict, train: bool) -> tuple[jax.Array, dict]:
        own = {name: value for name, value in parameters.items() if name != "mask"}
        y, changed = apply(x, own, statistics, train)
        return y * parameters["mask"], changed

    return masked


def _masked_out(network: Network, edge: str) -> Network:
    for cell in network.cells:
        if edge in cell.edges:
            cell.edges[edge].parameters["mask"].set_value(jnp.float32(0))
    return network


def _saliency(model: FittedModel, examples: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    definition, state = nnx.split(model.network)

    def logit(example: jax.Array, number: jax.Array) -> jax.Array:
        return nnx.merge(definition, state, copy=True)(example[None])[0, number]

    gradients = jax.jit(jax.vmap(jax.grad(logit)))(examples, numbers)
    return np.abs(np.asarray(gradients, np.float64)).mean(0)


def _normalized(model: FittedModel, X: Any) -> np.ndarray:  # noqa: N803
    examples = np.asarray(X, np.float64)
    shape = model.inputs.spec.shape
    examples = examples.reshape(len(examples), *shape)
    return ((examples - model.inputs.mean) / model.inputs.deviation).astype(np.float32)


def _class_numbers(model: FittedModel, y: Any, number: int) -> np.ndarray:
    """Returns classes as their positions, int64[n]. Raises ValueError if one is unknown to the model."""
    given = np.asarray(y)
    if given.shape != (number,) or not number:
        raise ValueError(f"Expected a class for each of one or more examples, got shape {list(given.shape)}.")
    known = {name: position for position, name in enumerate(model.inputs.classes.tolist())}
    if unknown := [each for each in given.tolist() if each not in known]:
        raise ValueError(f"Expected classes of {', '.join(map(str, known))}, got {unknown[0]!r}.")
    return np.asarray([known[each] for each in given.tolist()])
