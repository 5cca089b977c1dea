"""Networks as bytes of `jax.export`, with weights and preprocessing, for processes without jaxnas."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.checks import first_line
from jaxnas.training.inputs import Inputs

PLATFORMS = ("cpu", "cuda", "tpu")
"""Where an exported network runs."""


def exported(network: nnx.Module, inputs: Inputs) -> bytes:
    """Returns the serialized function from raw inputs [n, ...] of any n to probabilities or values, float32.

    Raises ValueError without the package flatbuffers, or if the network needs to know the size of its batch.
    """
    if importlib.util.find_spec("flatbuffers") is None:
        raise ValueError("Expected the package flatbuffers to export, got none: pip install 'jaxnas[export]'.")
    definition, state = nnx.split(network)
    spec = inputs.spec
    mean, deviation = np.asarray(inputs.mean, np.float32), np.asarray(inputs.deviation, np.float32)

    def predict(examples: jax.Array) -> jax.Array:
        if spec.kind != "tokens":
            examples = (examples - mean) / deviation
        outputs = nnx.merge(definition, state)(examples)
        if spec.goal == "value":
            return outputs[:, 0] * inputs.label_deviation + inputs.label_mean
        return jax.nn.softmax(outputs, axis=-1)

    shape = (*jax.export.symbolic_shape("n"), *spec.shape)
    examples = jax.ShapeDtypeStruct(shape, jnp.int32 if spec.kind == "tokens" else jnp.float32)
    try:
        return bytes(jax.export.export(jax.jit(predict), platforms=PLATFORMS)(examples).serialize())
    except (TypeError, jax.errors.InconclusiveDimensionOperation) as error:
        raise ValueError(
            f"Expected a network for batches of any size, got one that fails: {first_line(error)}."
        ) from None
