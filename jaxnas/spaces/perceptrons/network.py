"""The multilayer perceptron of one architecture, as a Flax module."""

import itertools
import math

import jax
import jax.numpy as jnp
from flax import nnx

from jaxnas.spaces.perceptrons.layout import Arrays, Shapes
from jaxnas.spaces.perceptrons.space import ACTIVATIONS


class Perceptron(nnx.Module):
    """The multilayer perceptron of one architecture: `network(images, train=False) -> logits`.

    Attributes:
        layers: an `nnx.Linear` for each hidden layer and for the output.
        activation: the name of the function after each hidden layer.
        dropout: the share of units that are dropped after each hidden layer in training.
    """

    def __init__(self, shapes: Shapes, arch: tuple[int, ...] | jax.Array, arrays: Arrays):
        """Makes the network with the parameters of a training of this architecture, without the axis S."""
        values = shapes.space.decode(arch)
        self.activation, self.dropout = values["activation"], values["dropout"]
        sizes = (shapes.num_features, *values["layers"], shapes.num_classes)
        zeros, rngs = nnx.initializers.zeros_init(), nnx.Rngs(0)
        self.layers = nnx.List([nnx.Linear(*pair, kernel_init=zeros, rngs=rngs) for pair in itertools.pairwise(sizes)])
        start = 0
        for number, layer in reversed(list(enumerate(self.layers))):
            shape = layer.kernel.shape
            row = number if number < len(self.layers) - 1 else -1
            layer.kernel.set_value(arrays.kernels[start : start + math.prod(shape)].reshape(shape))
            assert layer.bias is not None  # as a linear layer has one by default
            layer.bias.set_value(arrays.biases[row, : shape[1]])
            start += math.prod(shape)

    def __call__(self, x: jax.Array, train: bool = False, *, key: jax.Array | None = None) -> jax.Array:
        """Returns the logits [N, num_classes] of samples [N, ...], which are flattened.

        Args:
            key: decides which units are dropped in training; not needed without dropout.
        """
        x = x.reshape(x.shape[0], math.prod(x.shape[1:]))
        for number, layer in enumerate(self.layers[:-1]):
            x = ACTIVATIONS[self.activation](layer(x))
            if train and self.dropout:
                if key is None:
                    raise ValueError("Expected a key for dropout, got none.")
                kept = jax.random.bernoulli(jax.random.fold_in(key, number), 1 - self.dropout, x.shape)
                x = jnp.where(kept, x / (1 - self.dropout), 0)
        return self.layers[-1](x)
