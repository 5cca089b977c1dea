"""Training: one program for a whole search space, compiled once; the architecture is an argument of it."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from jaxnas.spaces.cells.network import Network
from jaxnas.tasks.base import Split
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.order import EVALUATION_BATCH

STATISTICS_BATCHES = 4


class Trainee(NamedTuple):
    """The state of one training: the traced network's parameters, its statistics, and the optimiser.

    Statistics are as the last epoch ended.
    """

    parameters: nnx.State
    statistics: nnx.State
    optimizer: optax.OptState


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
