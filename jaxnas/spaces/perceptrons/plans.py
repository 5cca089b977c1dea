"""Training multilayer perceptrons: one program for a space, compiled once; the architecture is an argument of it.

SGD with Nesterov momentum and a cosine schedule to zero, as for cells. The decisions of an architecture enter here: the
gradient of its regularizer is added to the gradient of the loss, and its dropout is on during training.
"""

import functools
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import prng
from jaxnas.spaces.perceptrons import layout
from jaxnas.spaces.perceptrons.layout import Arrays, Layout, Scratch, Shapes
from jaxnas.spaces.perceptrons.space import REGULARIZER, STRENGTH, MLPSpace
from jaxnas.tasks.base import Split
from jaxnas.tasks.goals import GOALS, Goal, is_undefined, smoothed
from jaxnas.training.compilation import ONE_THREAD
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.loop import Splits, num_batches_of
from jaxnas.training.networks import Networks, Variables
from jaxnas.training.order import EVALUATION_BATCH, epoch_order, training_key
from jaxnas.training.recipe import Recipe, recipe_of


class Trainees(NamedTuple):
    """The state of S trainings of one architecture."""

    arrays: Arrays
    momentum: Arrays
    scratch: Scratch


class Constants(NamedTuple):
    """The constants of the training of an architecture; `l1` and `l2` are factors of the gradient of a kernel."""

    shapes: Shapes
    recipe: Recipe
    goal: Goal
    arch: jax.Array
    layout: Layout
    l1: jax.Array
    l2: jax.Array


def train(
    networks: Networks,
    arch: jax.Array,
    keys: jax.Array,
    splits: Splits,
    recipe: Recipe | None = None,
) -> tuple[Curves, Arrays]:
    """Returns the `Curves` [S, ...] of trainings of one architecture, and its trained `Arrays`.

    It is pure and can be jitted.

    Args:
        networks: static.
        arch: int32[D], the representative of its class, traced.
        keys: [S], one a training: they determine initial weights, order of images and views, and dropout.
        splits: training, validation and test data.
        recipe: numbers that replace those in `config`; they may be traced.
    """
    space, config, spec = networks.space, networks.config, networks.spec
    recipe = recipe or recipe_of(config)
    shapes = Shapes(space, math.prod(splits[0].inputs.shape[2:]), spec.num_outputs)
    num_steps = splits[0].inputs.shape[1] // config.batch_size
    l1, l2 = (_factor(space, arch, name) for name in ("l1", "l2"))
    goal = GOALS[spec.goal]
    goal = goal if recipe.label_smoothing is None else smoothed(goal, recipe.label_smoothing)
    constants = Constants(
        shapes, recipe, goal, arch, layout.make_layout(shapes, arch), l1, recipe.weight_decay + 2 * l2
    )
    init_keys, order_keys, dropout_keys = jnp.unstack(jax.vmap(lambda key: jax.random.split(key, 3))(keys), axis=1)
    dropout_keys = jax.random.wrap_key_data(jax.random.key_data(dropout_keys), impl=prng.hash_implementation())
    images = splits[0].inputs.reshape(*splits[0].inputs.shape[:2], -1)
    evaluation = _evaluation_batches(splits[1:])
    num_batches = num_batches_of(config, splits[1], evaluation[1].shape)

    def epoch(trainees: Trainees, number: jax.Array) -> tuple[Trainees, tuple]:
        def order(key: jax.Array) -> tuple[jax.Array, jax.Array]:
            epoch_key = jax.random.fold_in(key, number)
            return epoch_order(epoch_key, splits[0], num_steps, config.batch_size, recipe.num_views)

        indices, views = jax.vmap(order, out_axes=1)(order_keys)
        steps = number * num_steps + jnp.arange(num_steps)
        rates = recipe.learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * steps / (config.num_epochs * num_steps)))
        batches = (images[views, indices], splits[0].labels[indices], rates, steps)
        trainees, (losses, norms, measured) = jax.lax.scan(
            functools.partial(_step, constants, dropout_keys), trainees, batches
        )
        sums = jax.tree.map(lambda values: values.sum(0), measured)
        *found, failed = _evaluated(constants, trainees.arrays, evaluation, num_batches(number))
        values = (goal.value(each) for each in (sums, *found))
        return trainees, (*values, jnp.where(failed, jnp.nan, losses.mean(0)), losses[0], norms[0])

    arrays = jax.vmap(functools.partial(layout.make_arrays, shapes), (None, 0))(arch, init_keys)
    trainees = Trainees(
        arrays, jax.tree.map(jnp.zeros_like, arrays), layout.make_scratch(shapes, len(keys), config.batch_size)
    )
    trainees, measured = jax.lax.scan(epoch, trainees, jnp.arange(config.num_epochs))
    *curves, first_losses, first_norms = measured
    correct, validation, test, losses = (values.T for values in curves)
    test = test[:, -1:] if config.test == "last" else test
    return Curves(correct, validation, test, losses, first_losses[0], first_norms[0]), trainees.arrays


def _factor(space: MLPSpace, arch: jax.Array, name: str) -> jax.Array:
    return jnp.asarray([STRENGTH * (each == name) for each in space.regularizers], jnp.float32)[arch[REGULARIZER]]


def _step(constants: Constants, keys: jax.Array, trainees: Trainees, batch: tuple) -> tuple[Trainees, tuple]:
    shapes, arch = constants.shapes, constants.arch
    x, labels, rate, number = batch
    keys = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
    logits, scratch = layout.train_logits(shapes, arch, trainees.arrays, x, keys, trainees.scratch)
    loss, g = _loss(constants, logits, labels)
    scratch = layout.gradients(shapes, arch, trainees.arrays, x, g, scratch)
    norm = jax.lax.cond(number == 0, _norm, lambda gradients: jnp.zeros_like(loss), scratch.gradients)
    arrays, momentum = _descend(constants, trainees.arrays, trainees.momentum, scratch.gradients, rate)
    measured = constants.goal.measure(logits, labels)
    return Trainees(arrays, momentum, scratch), (loss, norm, jax.tree.map(lambda values: values.sum(-1), measured))


def _loss(constants: Constants, logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the loss [S] of logits [S, N, K] for labels [S, N], and its gradient with respect to the logits."""
    if constants.goal is not GOALS["class"]:
        total, pull = jax.vjp(lambda outputs: constants.goal.loss(outputs, labels), logits)
        return total, pull(jnp.ones_like(total))[0]
    log_chances = jax.nn.log_softmax(logits)
    targets = jax.nn.one_hot(labels, constants.shapes.num_classes)
    loss = -(targets * log_chances).sum(-1).mean(-1)
    return loss, (jnp.exp(log_chances) - targets) / labels.shape[1]


def _norm(gradients: Arrays) -> jax.Array:
    return jnp.sqrt((gradients.kernels**2).sum(1) + (gradients.biases**2).sum((1, 2)))


def _descend(
    constants: Constants, arrays: Arrays, momentum: Arrays, gradients: Arrays, rate: jax.Array
) -> tuple[Arrays, Arrays]:
    """Returns the parameters and the momentum after a step of SGD with Nesterov momentum.

    Kernels go by chunks, as many as the architecture has.
    """
    beta, decay = constants.recipe.momentum, constants.recipe.weight_decay

    def slope(gradient: jax.Array, kernel: jax.Array) -> jax.Array:
        penalized = gradient + constants.l2 * kernel
        return penalized + constants.l1 * jnp.sign(kernel) if "l1" in constants.shapes.space.regularizers else penalized

    def descend(number: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        def part(values: jax.Array) -> jax.Array:
            return layout.read(values, number * layout.CHUNK, layout.CHUNK)

        velocities, kernels = state
        gradient = slope(part(gradients.kernels), part(kernels))
        velocities = layout.write(velocities, beta * part(velocities) + gradient, 0, number * layout.CHUNK)
        # read again: velocities that live on after they are written would be copied
        change = rate * (gradient + beta * part(velocities))
        return velocities, layout.write(kernels, part(kernels) - change, 0, number * layout.CHUNK)

    num_chunks = layout.num_chunks(constants.layout.size)
    velocities, kernels = jax.lax.fori_loop(0, num_chunks, descend, (momentum.kernels, arrays.kernels))
    gradient = gradients.biases + decay * arrays.biases
    momentum = Arrays(velocities, beta * momentum.biases + gradient)
    return Arrays(kernels, arrays.biases - rate * (gradient + beta * momentum.biases)), momentum


def _evaluation_batches(splits: tuple[Split, ...]) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns samples [K, N, features], labels and numbers of the splits, both [K, N]; -1 for padding, or NaN.

    Each view is a separate sample. All splits together fill few batches.
    """
    targets = [jnp.tile(split.labels, split.inputs.shape[0]) for split in splits]
    parts: tuple[list, ...] = (
        [split.inputs.reshape(split.num_examples, math.prod(split.inputs.shape[2:])) for split in splits],
        targets,
        [jnp.full(len(values), number) for number, values in enumerate(targets)],
    )
    samples, labels, owners = (jnp.concatenate(values) for values in parts)
    num_batches = max(-(-len(labels) // EVALUATION_BATCH), 1)
    size = max(-(-len(labels) // num_batches), 1)
    padding = num_batches * size - len(labels)
    samples = jnp.pad(samples, ((0, padding), (0, 0))).reshape(num_batches, size, -1)
    none = jnp.nan if jnp.issubdtype(labels.dtype, jnp.floating) else -1
    labels, owners = (
        jnp.pad(values, (0, padding), constant_values=filler).reshape(num_batches, size)
        for values, filler in ((labels, none), (owners, -1))
    )
    return samples, labels, owners


def _evaluated(
    constants: Constants,
    arrays: Arrays,
    batches: tuple[jax.Array, jax.Array, jax.Array],
    num_batches: jax.Array | int,
) -> tuple[Any, ...]:
    """Returns the sums of the goal's measurements over the samples of validation and of test, and whether validation
    outputs are not finite; arrays [S] each.

    Only the first `num_batches` are measured.
    """

    def measure(number: jax.Array | int) -> tuple[Any, ...]:
        samples, labels, owners = (values[number] for values in batches)
        logits = layout.logits(constants.shapes, constants.arch, arrays, samples)
        found = constants.goal.measure(logits, labels)

        def of_split(split: int) -> Any:
            return jax.tree.map(lambda values: jnp.where(owners == split, values, 0).sum(-1), found)

        return of_split(0), of_split(1), (is_undefined(constants.goal, logits, labels) & (owners == 0)).any(-1)

    zeros = jax.tree.map(lambda kind: jnp.zeros(kind.shape, kind.dtype), jax.eval_shape(lambda: measure(0)))
    return jax.lax.fori_loop(0, num_batches, lambda number, sums: jax.tree.map(jnp.add, sums, measure(number)), zeros)


@functools.partial(jax.jit, static_argnums=0, compiler_options=ONE_THREAD)
def _train_seeds(
    networks: Networks, arch: jax.Array, seeds: jax.Array, splits: Splits, recipe: Recipe | None
) -> tuple[Curves, Arrays]:
    """Returns the curves and the arrays of one architecture for each seed."""
    keys = jax.vmap(training_key, (None, 0))(arch, seeds)
    return train(networks, arch, keys, splits, recipe)


def in_sequence(
    networks: Networks, archs: np.ndarray, seeds: jax.Array, splits: Splits, recipe: Recipe | None = None
) -> Iterator[dict[bytes, Curves]]:
    """Yields the curves [S, ...] of one architecture of int32[A, D] after another, under its bytes.

    Each available core trains another architecture; the numbers are the same.
    """
    _check_steps(networks.config)

    def curves(arch: np.ndarray) -> dict[bytes, Curves]:
        found = _train_seeds(networks, jnp.asarray(arch), seeds, splits, recipe)[0]
        return {arch.tobytes(): jax.device_get(found)}

    num_threads = min(_num_cores(), len(archs))
    yield curves(archs[0])  # compiles
    with ThreadPoolExecutor(num_threads) as pool:
        yield from pool.map(curves, archs[1:])


def _check_steps(config: TrainConfig) -> None:
    """Raises ValueError if a configuration needs other steps than those written by hand here."""
    if config.optimizer != "sgd" or config.clip is not None or config.adaptation:
        raise ValueError(
            "Expected sgd without clip or adaptation for perceptrons, whose steps are written by hand, got others."
        )


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fit(
    networks: Networks, arch: np.ndarray, seed: int, splits: Splits, recipe: Recipe | None = None
) -> tuple[Variables, Curves]:
    """Returns the arrays of a training and its curves ([E] and scalars)."""
    _check_steps(networks.config)
    seeds = jnp.asarray([seed], jnp.int32)
    curves, arrays = _train_seeds(networks, jnp.asarray(arch), seeds, splits, recipe)
    first = jax.tree.map(lambda values: values[0], (arrays, jax.device_get(curves)))
    return Variables(first[0]), first[1]
