"""Training: one program for a whole search space, compiled once; the architecture is an argument of it."""

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxnas import perceptrons
from jaxnas.network import packed
from jaxnas.network.model import Network, specialize
from jaxnas.recipe import EVALUATION_BATCH, ONE_THREAD, Curves, TrainConfig, check_fit, epoch_order, training_key
from jaxnas.spaces.cell import CellSpace
from jaxnas.spaces.mlp import MLPSpace
from jaxnas.tasks.base import Split, Task

STATISTICS_BATCHES = 4

CACHE_SIZE = 2**19
"""Bytes of a feature map of the first stage, of all trainings side by side. Larger ones take longer a training."""

_log = logging.getLogger(__name__)


class Trainee(NamedTuple):
    """The state of one training: the traced network's parameters, its statistics, and the optimiser.

    Statistics are as the last epoch ended.
    """

    parameters: nnx.State
    statistics: nnx.State
    optimizer: optax.OptState


def train(
    space, config: TrainConfig, num_classes: int, arch: jax.Array, key: jax.Array, splits: tuple[Split, Split, Split]
):
    """Returns the `Curves` of one training and the `Trainee` after it.

    Pure, so that it can be jitted and vmapped over keys.

    Args:
        space, config, num_classes: static.
        arch: int32[D], traced. Under `jax.vmap` it must not be batched, or every operation would run on every edge.
        key: determines initial weights, order of images and views.
        splits: training, validation and test data.
    """
    training = splits[0]
    num_steps = training.images.shape[1] // config.batch_size
    init_key, order_key = jax.random.split(key)
    network = Network(space, config.skeleton, training.images.shape[2:], num_classes, arch, key=init_key)

    def batches(number):
        indices, views = epoch_order(jax.random.fold_in(order_key, number), training, num_steps, config.batch_size)
        return training.images[views, indices], training.labels[indices]

    return _run(network, arch, batches, lambda images: images, config, splits)


def train_packed(
    space, config: TrainConfig, num_classes: int, capacities, archs: jax.Array, keys: jax.Array, placement, splits
):
    """Returns what `train` does, for B trainings that are packed by operation, with the axis B first in the `Curves`.

    Pure, so that it can be jitted. The trainings are those of `train`: initial weights, images and steps are the same,
    and results differ only by the order of sums.

    Args:
        space, config, num_classes, capacities: static; see `jaxnas.network.packed`.
        archs, keys: int32[B, D] and [B].
        placement: of these architectures in the capacities.
        splits: training, validation and test data.
    """
    training = splits[0]
    num_steps = training.images.shape[1] // config.batch_size
    init_keys, order_keys = jnp.unstack(jax.vmap(jax.random.split)(keys), axis=1)
    shape = training.images.shape[2:]
    network = packed.PackedNetwork(space, config.skeleton, shape, num_classes, archs, capacities, keys=init_keys)

    def batches(number):
        epoch_keys = jax.vmap(jax.random.fold_in, (0, None))(order_keys, number)
        order = functools.partial(epoch_order, split=training, num_steps=num_steps, batch_size=config.batch_size)
        indices, views = jax.vmap(order, out_axes=1)(epoch_keys)
        return (views, indices), training.labels[indices]

    curves, trainee = _run(network, placement, batches, lambda numbers: training.images[numbers], config, splits)
    return Curves(*(values.T for values in curves)), trainee


def _run(network, arch, batches: Callable, read: Callable, config: TrainConfig, splits):
    """Returns `Curves` with the axis of epochs first, and the `Trainee`, of one training or of several.

    Several have a leading axis B on the arrays of the network, on images and on labels; so have their results, after
    the axis of epochs.

    Args:
        network, arch: a traced network and what it is called with.
        batches: from the number of an epoch to its (inputs, labels), the axis of steps first.
        read: from the inputs of a step to images.
        config, splits: as in `train`.
    """
    num_steps = splits[0].images.shape[1] // config.batch_size
    schedule = optax.cosine_decay_schedule(config.learning_rate, config.num_epochs * num_steps)
    optimizer = optax.chain(
        optax.add_decayed_weights(config.weight_decay), optax.sgd(schedule, momentum=config.momentum, nesterov=True)
    )
    definition, parameters, statistics = nnx.split(network, nnx.Param, nnx.BatchStat)

    def step(trainee, batch):
        return _step(definition, optimizer, arch, trainee, read(batch[0]), batch[1])

    def epoch(trainee, number):
        inputs, labels = batches(number)
        trainee, (losses, norms, correct) = jax.lax.scan(step, trainee, (inputs, labels))
        first = jax.tree.map(lambda values: values[:STATISTICS_BATCHES], inputs)
        trainee = trainee._replace(statistics=_estimate_statistics(definition, trainee, arch, first, read))
        network = nnx.merge(definition, trainee.parameters, trainee.statistics, copy=True)
        counts = [_num_correct(network, arch, split) for split in splits[1:]]
        return trainee, (correct.sum(0), *counts, losses.mean(0), losses[0], norms[0])

    trainee = Trainee(parameters, statistics, optimizer.init(parameters))
    trainee, (*curves, first_losses, first_norms) = jax.lax.scan(epoch, trainee, jnp.arange(config.num_epochs))
    return Curves(*curves, first_losses[0], first_norms[0]), trainee


def _step(definition, optimizer, arch, trainee, images, labels):
    def loss_function(parameters):
        network = nnx.merge(definition, parameters, trainee.statistics, copy=True)
        logits = network(images, arch, train=True)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(-1)
        # several trainings share no parameters: the gradient of the sum is that of each
        return loss.sum(), (loss, (logits.argmax(-1) == labels).sum(-1))

    (_, (loss, correct)), gradients = jax.value_and_grad(loss_function, has_aux=True)(trainee.parameters)
    updates, state = optimizer.update(gradients, trainee.optimizer, trainee.parameters)
    parameters = optax.apply_updates(trainee.parameters, updates)
    norm = jax.vmap(optax.tree.norm) if loss.ndim else optax.tree.norm
    return Trainee(parameters, trainee.statistics, state), (loss, norm(gradients), correct)


def _estimate_statistics(definition, trainee: Trainee, arch, inputs, read: Callable) -> nnx.State:
    """Returns the mean over the inputs of K steps of their batches' statistics under the present parameters.

    Running averages lag behind parameters that still change fast, so that early epochs would rank architectures badly.
    Wu and Johnson, "Rethinking Batch in BatchNorm", 2021.
    """

    def add(statistics, numbered):
        number, batch = numbered
        network = nnx.merge(definition, trainee.parameters, statistics, copy=True)
        network(read(batch), arch, train=True, momentum=number / (number + 1))
        return nnx.state(network, nnx.BatchStat), None

    numbers = jnp.arange(len(jax.tree.leaves(inputs)[0]))
    return jax.lax.scan(add, trainee.statistics, (numbers, inputs))[0]


def _num_correct(network: Network, arch: jax.Array, split: Split) -> jax.Array:
    """Returns how many images of a split, views included, are classified correctly."""
    images = split.images.reshape(-1, *split.images.shape[2:])
    labels = jnp.tile(split.labels, split.images.shape[0])
    num_batches = max(-(-len(labels) // EVALUATION_BATCH), 1)  # of padding alone where the split is empty
    size = max(-(-len(labels) // num_batches), 1)
    padding = num_batches * size - len(labels)
    images = jnp.pad(images, ((0, padding), (0, 0), (0, 0), (0, 0))).reshape(num_batches, size, *images.shape[1:])
    labels = jnp.pad(labels, (0, padding), constant_values=-1).reshape(num_batches, size)

    def count(batch):
        return (network(batch[0], arch).argmax(-1) == batch[1]).sum(-1)

    return jax.lax.map(count, (images, labels)).sum(0)


@functools.partial(jax.jit, static_argnums=(0, 1, 2), compiler_options=ONE_THREAD)
def _train_seeds(space, config, num_classes, arch, seeds, splits):
    """Returns the curves of one architecture for each seed.

    Seeds are batched, the architecture is not, so that branches stay branches.
    """
    keys = jax.vmap(training_key, (None, 0))(arch, seeds)
    together = _num_seeds_together(config, splits[0].images.shape[2:], len(seeds))

    def train_seed(key):
        return train(space, config, num_classes, arch, key, splits)[0]

    if together == len(seeds):
        return jax.vmap(train_seed)(keys)
    return jax.lax.map(train_seed, keys, batch_size=together)


def _num_seeds_together(config: TrainConfig, image_shape: tuple[int, ...], num_seeds: int) -> int:
    """Returns how many seeds of an architecture are trained side by side: of the numbers that divide theirs, so that
    one program serves all, the largest whose feature maps fit in the processor's cache, or 1.
    """
    size = 4 * config.batch_size * config.skeleton.num_channels * image_shape[0] * image_shape[1]
    fitting = [count for count in range(1, num_seeds + 1) if num_seeds % count == 0 and count * size <= CACHE_SIZE]
    return max(fitting, default=1)


@functools.partial(jax.jit, static_argnums=(0, 1, 2), compiler_options=ONE_THREAD)
def _train_one(space, config, num_classes, arch, seed, splits):
    return train(space, config, num_classes, arch, training_key(arch, seed), splits)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _train_pack(space, config, num_classes, capacities, archs, seeds, placement, splits):
    """Returns the curves of each architecture with each seed, with one leading axis, architectures first."""
    archs, seeds = jnp.repeat(archs, len(seeds), axis=0), jnp.tile(seeds, len(archs))
    keys = jax.vmap(training_key)(archs, seeds)
    with jax.default_matmul_precision("float32"):  # some accelerators would round products to ten bits
        return train_packed(space, config, num_classes, capacities, archs, keys, placement, splits)[0]


def _in_sequence(space, config, num_classes, archs, seeds, splits) -> Iterator[dict[bytes, Curves]]:
    """Yields the curves [S, ...] of one architecture of int32[A, D] after another, under its bytes."""
    for arch in archs:
        curves = _train_seeds(space, config, num_classes, jnp.asarray(arch), seeds, splits)
        yield {arch.tobytes(): jax.device_get(curves)}


def _in_packs(space, config, num_classes, archs, seeds, splits) -> Iterator[dict[bytes, Curves]]:
    """Yields the curves [S, ...] of the architectures of int32[A, D] that are trained together, under their bytes."""
    pruned = packed.pruned(space, archs)
    places = packed.num_places(len(archs), len(seeds))
    capacities = packed.capacities(space, places, len(seeds))
    batches = packed.batches(space, pruned, places)
    waste = packed.waste(space, pruned, places)
    _log.info("%d classes in %d batches: %.2f slots computed for each used", len(archs), len(batches), waste)
    for batch in batches:
        candidates = np.repeat(pruned[batch], len(seeds), axis=0)
        placement = packed.place(space, candidates, capacities, places * len(seeds))
        filled = archs[np.resize(batch, places)]  # an architecture in a place to spare has no slots
        curves = _train_pack(space, config, num_classes, capacities, filled, seeds, placement, splits)
        curves = [values.reshape(places, len(seeds), *values.shape[1:]) for values in jax.device_get(curves)]
        yield {
            archs[number].tobytes(): Curves(*(values[position] for values in curves))
            for position, number in enumerate(batch)
        }


def _fit_cell_network(space: CellSpace, arch: np.ndarray, task: Task, config: TrainConfig, seed: int):
    """Returns the trained static `Network` of an architecture, and its curves ([E] and scalars)."""
    splits = jax.device_put((task.train, task.validation, task.test))
    curves, trainee = _train_one(space, config, task.num_classes, jnp.asarray(arch), seed, splits)
    template = Network(
        space, config.skeleton, task.image_shape, task.num_classes, jnp.asarray(arch), key=jax.random.key(0)
    )
    nnx.update(template, trainee.parameters, trainee.statistics)
    return specialize(template, tuple(int(choice) for choice in arch)), jax.device_get(curves)


def _cell_network(space: CellSpace, config: TrainConfig, image_shape, num_classes: int, arch: tuple[int, ...]):
    return Network(space, config.skeleton, image_shape, num_classes, arch, key=jax.random.key(0))


class Family(NamedTuple):
    """How the networks of a kind of space are trained.

    Attributes:
        config: the training by default.
        plans: of `evaluate`, by name: `(space, config, num_classes, archs, seeds, splits)` -> iterator over parts.
        fit: `(space, arch, task, config, seed) -> (network, Curves)`.
        network: `(space, config, image_shape, num_classes, arch)` -> the static network, untrained; arch is a tuple.
        num_axes: how many axes an image may have: 3 for height, width and channels, 1 for a vector of features.
    """

    config: TrainConfig
    plans: dict[str, Callable]
    fit: Callable
    network: Callable
    num_axes: tuple[int, ...]


FAMILIES = {
    CellSpace: Family(
        TrainConfig(),
        {"sequential": _in_sequence, "packed": _in_packs},
        fit=_fit_cell_network,
        network=_cell_network,
        num_axes=(3,),
    ),
    MLPSpace: Family(
        perceptrons.DEFAULT_CONFIG,
        {"sequential": perceptrons.in_sequence},
        fit=perceptrons.fit,
        network=perceptrons.network,
        num_axes=(1, 3),
    ),
}


def family_of(space) -> Family:
    """Returns how the networks of a space are trained. Raises ValueError where it has none."""
    if type(space) not in FAMILIES:
        raise ValueError(f"Expected a space with networks, such as a CellSpace, got a {type(space).__name__}.")
    return FAMILIES[type(space)]


def default_config(space, task: Task | None = None) -> TrainConfig:
    """Returns the training of a space's networks by default, with smaller batches where a task has too few images."""
    config = family_of(space).config
    num_images = config.batch_size if task is None else task.train.images.shape[1]
    return replace(config, batch_size=min(config.batch_size, num_images))


def default_plan(space) -> str:
    """Returns the name of the plan that `evaluate` follows for a space on this back end."""
    plans = family_of(space).plans
    return "packed" if jax.default_backend() != "cpu" and "packed" in plans else "sequential"


def evaluate(
    space,
    archs,
    task: Task,
    config: TrainConfig | None = None,
    seeds: Sequence[int] = (0,),
    progress: Callable[[], None] | None = None,
    plan: str | None = None,
) -> Curves:
    """Returns the `Curves` of trainings of each architecture with each seed.

    The representative of an architecture's class is trained, once where several of the class are asked for. One
    compilation serves the whole space.

    Two plans give the same trainings up to the order of sums, which training amplifies: the first step agrees, final
    counts differ. In the plan `"sequential"`, for CPU, architectures are trained in sequence and seeds together; a
    training's numbers do not depend on what else is trained. In the plan `"packed"`, for accelerators, many
    architectures are trained together, packed by operation (`jaxnas.network.packed`). It has been run on CPU only; no
    accelerator was at hand.

    Args:
        archs: int32[A, D] or a sequence of architectures.
        config: by default that of `default_config`.
        seeds: seed numbers, 0 or more.
        progress: called after each architecture.
        plan: `"sequential"`, or for cell spaces `"packed"`; by default the one for this back end.

    Raises:
        ValueError: where the arguments do not fit together.
    """
    archs = np.asarray(archs, np.int32)
    if archs.ndim != 2 or archs.shape[1] != len(space.decisions) or not len(archs):
        raise ValueError(f"Expected architectures of shape [A, {len(space.decisions)}], got {list(archs.shape)}.")
    if not len(seeds) or min(seeds) < 0:
        raise ValueError(f"Expected one or more seeds of 0 or more, got {list(seeds)}.")
    plans = family_of(space).plans
    config = config or default_config(space, task)
    check_trainable(space, task, config)
    plan = default_plan(space) if plan is None else plan
    if plan not in plans:
        raise ValueError(f"Expected a plan of {', '.join(plans)}, got {plan!r}.")
    splits = jax.device_put((task.train, task.validation, task.test))
    archs = np.stack([np.asarray(space.canonical(arch)) for arch in archs])
    rows = [arch.tobytes() for arch in archs]
    first = np.sort(np.unique(archs, axis=0, return_index=True)[1])
    parts = plans[plan](space, config, task.num_classes, archs[first], jnp.asarray(seeds, jnp.int32), splits)
    found = {}
    for row in rows:
        while row not in found:
            found |= next(parts)
        if progress:
            progress()
    return jax.tree.map(lambda *values: np.stack(values), *(found[row] for row in rows))


def fit(space, arch, task: Task, config: TrainConfig | None = None, seed: int = 0) -> tuple[nnx.Module, Curves]:
    """Returns the trained static network of an architecture, and its curves ([E] and scalars).

    The network is an ordinary Flax module. The training is the one that `evaluate` runs for this architecture and
    seed with the plan `"sequential"`.
    """
    config = config or default_config(space, task)
    check_trainable(space, task, config)
    return family_of(space).fit(space, np.asarray(space.canonical(arch)), task, config, seed)


def check_trainable(space, task: Task, config: TrainConfig) -> None:
    """Raises ValueError where the networks of a space cannot be trained on a task in this way."""
    num_axes = family_of(space).num_axes
    if len(task.image_shape) not in num_axes:
        raise ValueError(
            f"Expected images of height, width and channels for a {type(space).__name__}, got samples of shape"
            f" {list(task.image_shape)}; vectors are for an MLPSpace."
        )
    check_fit(task, config)


def use_compilation_cache() -> None:
    """Makes JAX keep compiled programs in the user's cache folder, so that a space is compiled once for all runs."""
    import platformdirs

    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)  # by default 1: no simulation takes that long
    jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("jaxnas") / "xla"))
