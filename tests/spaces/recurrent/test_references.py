"""Cells of the literature: those of Flax, given the same arrays; one network of each; sizes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.samples import make_sequences

from jaxnas.spaces.recurrent import baselines
from jaxnas.spaces.recurrent.baselines import BASELINE_CELLS, CELLS, NUM_MAPS
from jaxnas.training.trainer import Trainer

RANDOM = np.random.RandomState(0)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_gated_cells_are_those_of_flax(name):
    count = NUM_MAPS[name]
    inputs, recurrent = (RANDOM.randn(size, count, 4).astype(np.float32) for size in (2, 4))
    x, state, memory = (RANDOM.randn(3, size).astype(np.float32) for size in (2, 4, 4))
    made = (nnx.GRUCell if name == "gru" else nnx.OptimizedLSTMCell)(2, 4, rngs=nnx.Rngs(0))
    made.dense_i.kernel.set_value(inputs.reshape(2, -1))
    made.dense_h.kernel.set_value(recurrent.reshape(4, -1))
    maps = (x @ inputs.reshape(2, -1), state @ recurrent.reshape(4, -1))
    found = baselines.cell(name, state, memory, *maps)
    if name == "gru":
        np.testing.assert_allclose(found[0], made(state, x)[0], rtol=1e-4, atol=1e-6)
    else:
        (new_memory, new_state), _ = made((memory, state), x)
        np.testing.assert_allclose(found, (new_state, new_memory), rtol=1e-4, atol=1e-6)


def test_each_network_is_the_traced_one_with_as_many_parameters_as_it_says():
    trainer = Trainer(BASELINE_CELLS, make_sequences("tags"))
    networks = trainer.networks
    apply = jax.jit(functools.partial(networks.apply, mode="train"))
    inputs = trainer.task.test.inputs[0]
    for number, name in enumerate(CELLS):
        arch = jnp.asarray([number])
        variables = networks.init(jax.random.key(number), arch)
        network = networks.module((number,), variables)
        np.testing.assert_allclose(network(inputs), apply(variables, arch, inputs).outputs, rtol=1e-4, atol=1e-5)
        count = sum(values.size for values in jax.tree.leaves(nnx.state(network, nnx.Param)))
        assert trainer.size((number,)).num_parameters == count, name
