"""Gradient descent on networks of any kind: one program for a whole space, compiled once.

The architecture is an argument of the program. A kind of network enters by `init` and `apply` of its `Networks`.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnas.tasks.base import Split
from jaxnas.tasks.goals import GOALS, Goal, is_undefined, smoothed
from jaxnas.training.compilation import ONE_THREAD
from jaxnas.training.config import PRECISIONS, TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.experimental.adaptation import adaptive_sgd
from jaxnas.training.experimental.precision import with_products_in
from jaxnas.training.networks import Applied, Networks, Plan, Variables, equal_chunks
from jaxnas.training.order import epoch_order, training_key
from jaxnas.training.recipe import Recipe, recipe_of

STATISTICS_BATCHES = 4
EVALUATION_BATCH = 64
"""Examples evaluated together: they fill vectors, and feature maps stay in the cache."""

Splits = tuple[Split, Split, Split]


class Trainee(NamedTuple):
    """The state of one training. Statistics are as the last epoch ended."""

    variables: Variables
    optimizer: optax.OptState


def sequential_plan(name: str, num_seeds_together: Callable[[Networks, int], int] | None = None) -> Plan:
    """Returns the plan that trains one architecture after another, and seeds together.

    Args:
        name: of the plan in manifests.
        num_seeds_together: `(networks, num_seeds)` -> how many seeds are trained side by side, a divisor of
            `num_seeds`; None: all.
    """
    return Plan(name, functools.partial(_in_sequence, num_seeds_together), _fit, equal_chunks, PRECISIONS)


def train(
    networks: Networks, arch: jax.Array, key: jax.Array, splits: Splits, recipe: Recipe | None = None
) -> tuple[Curves, Variables]:
    """Returns the `Curves` of one training and the `Variables` after it.

    It is pure and can be jitted, and vmapped over keys.

    Args:
        arch: int32[D], traced. Under `jax.vmap` it must not be batched, or every branch of it would run.
        key: determines initial weights, order of examples and views.
        splits: training, validation and test data.
        recipe: numbers that replace the configuration's; they may be traced.
    """
    config = networks.config
    training, recipe = splits[0], recipe or recipe_of(config)
    num_steps = training.inputs.shape[1] // config.batch_size
    init_key, order_key = jax.random.split(key)

    def applied(variables: Variables, inputs: jax.Array, mode: str) -> Applied:
        return networks.apply(variables, arch, inputs, mode=mode)

    def batches(number: jax.Array) -> tuple[jax.Array, jax.Array]:
        epoch_key = jax.random.fold_in(order_key, number)
        indices, views = epoch_order(epoch_key, training, num_steps, config.batch_size, recipe.num_views)
        return training.inputs[views, indices], training.labels[indices]

    variables = networks.init(init_key, arch)
    return run(applied, variables, GOALS[networks.spec.goal], batches, lambda inputs: inputs, config, splits, recipe)


def run(
    apply: Callable,
    variables: Variables,
    goal: Goal,
    batches: Callable,
    read: Callable,
    config: TrainConfig,
    splits: Splits,
    recipe: Recipe | None = None,
) -> tuple[Curves, Variables]:
    """Returns `Curves` with the axis of epochs first, and the trained `Variables`, of one training or of several.

    If only the last epoch is tested, the other epochs evaluate just the batches that hold validation examples.

    Several trainings have a leading axis B on the arrays of the network, on inputs and on labels; their results have
    it after the axis of epochs.

    Args:
        apply: `(variables, inputs, mode) -> Applied`.
        batches: from the number of an epoch to its (inputs, labels), the axis of steps first.
        read: from the inputs of a step to examples.
        recipe: numbers that replace those in `config`.
    """
    recipe = recipe or recipe_of(config)
    num_steps = splits[0].inputs.shape[1] // config.batch_size
    optimizer = _optimizer(config, recipe, config.num_epochs * num_steps)
    goal = goal if recipe.label_smoothing is None else smoothed(goal, recipe.label_smoothing)
    evaluation = evaluation_batches(splits[1:])
    num_batches = num_batches_of(config, splits[1], evaluation.labels.shape)

    def step(trainee: Trainee, batch: tuple) -> tuple[Trainee, tuple]:
        return _step(apply, goal, optimizer, config.clip, trainee, read(batch[0]), batch[1])

    def epoch(trainee: Trainee, number: jax.Array) -> tuple[Trainee, tuple]:
        inputs, labels = batches(number)
        trainee, (losses, norms, measured) = jax.lax.scan(step, trainee, (inputs, labels))
        first = jax.tree.map(lambda values: values[:STATISTICS_BATCHES], inputs)
        variables = _with_statistics(apply, trainee.variables, first, read)
        *sums, failed = evaluated(apply, variables, goal, evaluation, num_batches(number))
        values = tuple(goal.value(each) for each in (_summed(measured, 0), *sums))
        loss = jnp.where(failed, jnp.nan, losses.mean(0))
        return trainee._replace(variables=variables), (*values, loss, losses[0], norms[0])

    trainee = Trainee(variables, optimizer.init(variables.parameters))
    trainee, measured = jax.lax.scan(with_products_in(config.precision, epoch), trainee, jnp.arange(config.num_epochs))
    training, validation, test, losses, first_losses, first_norms = measured
    test = test[-1:] if config.test == "last" else test
    return Curves(training, validation, test, losses, first_losses[0], first_norms[0]), trainee.variables


def _optimizer(config: TrainConfig, recipe: Recipe, num_steps: int) -> optax.GradientTransformation:
    if config.adaptation:
        return adaptive_sgd(recipe, optax.cosine_decay_schedule(1.0, num_steps), config.adaptation)
    schedule = optax.cosine_decay_schedule(recipe.learning_rate, num_steps)
    if config.optimizer == "adam":  # with decoupled weight decay
        return optax.adamw(schedule, b1=recipe.momentum, weight_decay=recipe.weight_decay)
    return optax.chain(
        optax.add_decayed_weights(recipe.weight_decay), optax.sgd(schedule, momentum=recipe.momentum, nesterov=True)
    )


def _step(
    apply: Callable,
    goal: Goal,
    optimizer: optax.GradientTransformation,
    max_norm: float | None,
    trainee: Trainee,
    inputs: jax.Array,
    labels: jax.Array,
) -> tuple[Trainee, tuple]:
    def loss_function(parameters: Any) -> tuple[jax.Array, tuple]:
        outputs = apply(trainee.variables._replace(parameters=parameters), inputs, "train").outputs
        loss = goal.loss(outputs, labels)
        # Several trainings share no parameters: the sum has the gradient of each training's loss.
        return loss.sum(), (loss, _summed(goal.measure(outputs, labels), -1))

    parameters = trainee.variables.parameters
    (_, (loss, measured)), gradients = jax.value_and_grad(loss_function, has_aux=True)(parameters)
    norm = (jax.vmap(optax.tree.norm) if loss.ndim else optax.tree.norm)(gradients)
    clipped = gradients if max_norm is None else _clipped(gradients, norm, max_norm)
    updates, state = optimizer.update(clipped, trainee.optimizer, parameters)
    variables = trainee.variables._replace(parameters=optax.apply_updates(parameters, updates))
    return Trainee(variables, state), (loss, norm, measured)


def _summed(measured: Any, axis: int) -> Any:
    return jax.tree.map(lambda values: values.sum(axis), measured)


def _clipped(gradients: Any, norm: jax.Array, max_norm: float) -> Any:
    """Returns gradients, shortened if their norm is above the largest one: each training separately.

    Args:
        norm: the norm of the gradients, float32[...] with the leading axes of all arrays.
    """
    factor = jnp.minimum(1, max_norm / jnp.maximum(norm, jnp.finfo(norm.dtype).tiny))
    return jax.tree.map(
        lambda values: values * factor.reshape(norm.shape + (1,) * (values.ndim - norm.ndim)), gradients
    )


def _with_statistics(apply: Callable, variables: Variables, inputs: Any, read: Callable) -> Variables:
    """Returns the variables with the mean of the statistics of batches under the present parameters.

    Running averages lag behind parameters that still change fast, and early epochs would rank architectures badly.
    Wu and Johnson, "Rethinking Batch in BatchNorm", 2021.
    """
    if not jax.tree.leaves(variables.statistics):
        return variables

    def add(statistics: Any, numbered: tuple) -> tuple[Any, None]:
        number, batch = numbered
        momentum = number / (number + 1)
        found = apply(variables._replace(statistics=statistics), read(batch), "train").statistics
        return jax.tree.map(lambda mean, new: momentum * mean + (1 - momentum) * new, statistics, found), None

    numbers = jnp.arange(len(jax.tree.leaves(inputs)[0]))
    return variables._replace(statistics=jax.lax.scan(add, variables.statistics, (numbers, inputs))[0])


class Evaluation(NamedTuple):
    """Examples of several splits in batches of one size, padding included.

    Attributes:
        inputs: [K, N, ...].
        labels: [K, N, ...], -1 for padding, or NaN if they are real numbers.
        splits: int32[K, N], the number of each example's split, -1 for padding.
    """

    inputs: jax.Array
    labels: jax.Array
    splits: jax.Array


def evaluation_batches(splits: tuple[Split, ...]) -> Evaluation:
    """Returns the examples of splits in batches of `EVALUATION_BATCH`. Every view of an example is one of them."""
    inputs = jnp.concatenate([split.inputs.reshape(-1, *split.inputs.shape[2:]) for split in splits])
    labels = [jnp.concatenate([split.labels] * split.inputs.shape[0]) for split in splits]
    numbers = [jnp.full(len(each), number, jnp.int32) for number, each in enumerate(labels)]
    num_batches = max(-(-len(inputs) // EVALUATION_BATCH), 1)  # padding alone if the splits are empty
    padding = num_batches * EVALUATION_BATCH - len(inputs)

    def batched(values: jax.Array, filler: float) -> jax.Array:
        widths = ((0, padding), *((0, 0) for _ in values.shape[1:]))
        filled = jnp.pad(values, widths, constant_values=filler)
        return filled.reshape(num_batches, EVALUATION_BATCH, *values.shape[1:])

    targets = jnp.concatenate(labels)
    none = jnp.nan if jnp.issubdtype(targets.dtype, jnp.floating) else -1
    return Evaluation(batched(inputs, 0), batched(targets, none), batched(jnp.concatenate(numbers), -1))


def num_batches_of(
    config: TrainConfig, validation: Split, shape: tuple[int, ...]
) -> Callable[[jax.Array], jax.Array | int]:
    """Returns a function from the number of an epoch to how many of the batches [K, N] are evaluated after it."""
    size = validation.inputs.shape[0] * validation.inputs.shape[1]
    of_validation = min(-(-size // shape[1]), shape[0])
    if config.test == "all" or config.num_epochs == 1:
        return lambda number: shape[0]
    return lambda number: jnp.where(number == config.num_epochs - 1, shape[0], of_validation)


def evaluated(
    apply: Callable, variables: Variables, goal: Goal, evaluation: Evaluation, num_batches: jax.Array | int
) -> tuple[Any, ...]:
    """Returns the sums of a goal's measurements over the validation and the test examples, views included; and whether
    validation outputs are not finite.

    One loop serves both splits, which compiles one program for them. Only the first `num_batches` are measured.
    """

    def measure(batch: Evaluation) -> tuple[Any, ...]:
        outputs = apply(variables, batch.inputs, "evaluate").outputs
        found = goal.measure(outputs, batch.labels)

        def of_split(number: int) -> Any:
            own = jax.tree.map(lambda values: jnp.where(batch.splits == number, values, 0), found)
            return _summed(own, -1)

        failed = (is_undefined(goal, outputs, batch.labels) & (batch.splits == 0)).any(-1)
        return of_split(0), of_split(1), failed

    def add(number: jax.Array, sums: tuple[Any, ...]) -> tuple[Any, ...]:
        batch = jax.tree.map(lambda values: values[number], evaluation)
        return jax.tree.map(jnp.add, sums, measure(batch))

    kinds = jax.eval_shape(measure, jax.tree.map(lambda values: values[0], evaluation))
    zeros = jax.tree.map(lambda kind: jnp.zeros(kind.shape, kind.dtype), kinds)
    return jax.lax.fori_loop(0, num_batches, add, zeros)


def _in_sequence(
    num_seeds_together: Callable | None,
    networks: Networks,
    archs: np.ndarray,
    seeds: jax.Array,
    splits: Splits,
    recipe: Recipe | None = None,
) -> Iterator[dict[bytes, Curves]]:
    """Yields the curves [S, ...] of architectures int32[A, D] in turn, under their bytes."""
    together = num_seeds_together(networks, len(seeds)) if num_seeds_together else len(seeds)
    for arch in archs:
        curves = train_seeds(networks, together, jnp.asarray(arch), seeds, splits, recipe)
        yield {arch.tobytes(): jax.device_get(curves)}


@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options=ONE_THREAD)
def train_seeds(
    networks: Networks,
    together: int,
    arch: jax.Array,
    seeds: jax.Array,
    splits: Splits,
    recipe: Recipe | None = None,
) -> Curves:
    """Returns the curves [S, ...] of one architecture for each seed, `together` of them side by side.

    Seeds are batched but the architecture is not, which keeps branches as branches.
    """
    keys = jax.vmap(training_key, (None, 0))(arch, seeds)

    def train_seed(key: jax.Array) -> Curves:
        return train(networks, arch, key, splits, recipe)[0]

    if together == len(seeds):
        return jax.vmap(train_seed)(keys)
    return jax.lax.map(train_seed, keys, batch_size=together)


def _fit(
    networks: Networks, arch: np.ndarray, seed: int, splits: Splits, recipe: Recipe | None = None
) -> tuple[Variables, Curves]:
    """Returns the variables and the curves ([E] and scalars) of one training."""
    curves, variables = _train_one(networks, jnp.asarray(arch), seed, splits, recipe)
    return variables, jax.device_get(curves)


@functools.partial(jax.jit, static_argnums=0, compiler_options=ONE_THREAD)
def _train_one(
    networks: Networks, arch: jax.Array, seed: jax.Array | int, splits: Splits, recipe: Recipe | None
) -> tuple[Curves, Variables]:
    """Returns the curves and the variables of one training."""
    return train(networks, arch, training_key(arch, seed), splits, recipe)
