"""Contracts of every kind of network: what `init`, `apply`, `kernels`, `module` and `size` agree on."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.samples import SMALL, SMALL_MLP, TWO_STAGES, make_sequences, make_task

import jaxnas as jn
from jaxnas import catalog
from jaxnas.spaces.named import space_named
from jaxnas.spaces.recurrent.network import Recurrence
from jaxnas.spaces.recurrent.space import RECURRENT_3
from jaxnas.tasks.base import TaskSpec
from jaxnas.training.networks import networks_class, networks_of

KINDS = {
    "cells": (SMALL, TWO_STAGES, make_task),
    "perceptrons": (SMALL_MLP, replace(TWO_STAGES, network=None), make_task),
    "recurrent": (RECURRENT_3, replace(TWO_STAGES, network=Recurrence(4)), make_sequences),
}
ROWS = (7, 67, 117)


@functools.cache
def compiled_init(networks):
    return jax.jit(networks.init)


@functools.cache
def compiled_apply(networks, mode):
    return jax.jit(functools.partial(networks.apply, mode=mode))


@functools.cache
def compiled_gradient(networks):
    """Returns a function that gives the gradient of a sum of squares of the outputs."""

    def loss(parameters, variables, arch, inputs):
        applied = networks.apply(variables._replace(parameters=parameters), arch, inputs, mode="train")
        return (applied.outputs**2).sum()

    return jax.jit(jax.grad(loss))


@pytest.fixture(
    scope="module", params=[(kind, row) for kind in KINDS for row in ROWS], ids=lambda value: "-".join(map(str, value))
)
def made(request):
    """Returns a trainer, an architecture and its variables."""
    kind, row = request.param
    space, config, task = KINDS[kind]
    trainer = jn.Trainer(space, task(), config)
    arch = np.asarray(space.canonical(space.arch_at(row)))
    variables = compiled_init(trainer.networks)(jax.random.key(row), jnp.asarray(arch))
    return trainer, arch, variables


def outputs_of(made, mode):
    trainer, arch, variables = made
    return compiled_apply(trainer.networks, mode)(variables, jnp.asarray(arch), trainer.task.test.inputs[0])


def test_the_network_that_is_taken_away_computes_what_the_traced_one_does(made):
    trainer, arch, variables = made
    network = trainer.networks.module(tuple(arch.tolist()), variables)
    expected = outputs_of(made, "evaluate").outputs
    assert expected.shape == (len(trainer.task.test.labels), trainer.task.num_classes)
    np.testing.assert_allclose(network(trainer.task.test.inputs[0]), expected, rtol=1e-4, atol=1e-5)


def test_only_training_changes_statistics(made):
    *_, variables = made
    kept, changed = (outputs_of(made, mode).statistics for mode in ("evaluate", "train"))
    jax.tree.map(np.testing.assert_array_equal, kept, variables.statistics)
    if jax.tree.leaves(variables.statistics):
        assert any((one != other).any() for one, other in zip(*map(jax.tree.leaves, (kept, changed)), strict=True))


def test_live_kernels_are_those_of_the_network(made):
    trainer, arch, variables = made
    live, layer, num_layers = trainer.networks.kernels(jnp.asarray(arch))
    assert jax.tree.structure(live) == jax.tree.structure(variables.parameters)
    network = trainer.networks.module(tuple(arch.tolist()), variables)
    paths = jax.tree.leaves_with_path(nnx.to_pure_dict(nnx.state(network, nnx.Param)))
    kernels = [values for path, values in paths if str(path[-1].key).endswith(("kernel", "shortcut"))]
    assert sum(float(values.sum()) for values in jax.tree.leaves(live)) == sum(values.size for values in kernels)
    numbers = {int(number) for values in jax.tree.leaves(layer) for number in np.unique(values)}
    assert len(numbers - {-1}) == len(kernels)
    assert max(numbers) < num_layers
    for one, number in zip(jax.tree.leaves(live), jax.tree.leaves(layer), strict=True):
        assert ((one > 0) == (np.broadcast_to(number, one.shape) >= 0)).all()


def test_the_size_is_that_of_the_network(made):
    trainer, arch, _ = made
    network = trainer.networks.blank(tuple(arch.tolist()))
    count = sum(values.size for values in jax.tree.leaves(nnx.state(network, nnx.Param)))
    assert trainer.size(arch).num_parameters == count


def test_gradients_reach_the_arrays_that_the_network_has_and_no_others(made):
    trainer, arch, variables = made
    live = trainer.networks.kernels(jnp.asarray(arch)).live
    inputs = trainer.task.test.inputs[0]
    found = compiled_gradient(trainer.networks)(variables.parameters, variables, jnp.asarray(arch), inputs)
    moved = sum(
        float(((one != 0) & (mask > 0)).sum()) for one, mask in zip(*map(jax.tree.leaves, (found, live)), strict=True)
    )
    assert moved > 0.3 * sum(float(mask.sum()) for mask in jax.tree.leaves(live))  # rectifiers stop some
    assert all(np.isfinite(values).all() for values in jax.tree.leaves(found))


@pytest.mark.parametrize("name", catalog.SPACES)
def test_every_space_of_the_catalog_has_networks_with_a_sequential_plan_or_says_that_it_has_none(name):
    space = space_named(name)
    if space.networks is None:
        with pytest.raises(ValueError, match=r"Expected a space with networks, such as a CellSpace, got "):
            networks_class(space)
        return
    kind = networks_class(space)
    assert "sequential" in kind.plans
    one, other = (networks_of(space, kind.default, TaskSpec("images", "class", (6, 5, 1), 3)) for _ in range(2))
    assert one == other  # the static argument of one compiled program
    assert hash(one) == hash(other)


def test_a_configuration_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"^Expected config.network to be a NoneType for small-mlp, got a Skeleton"):
        jn.Trainer(SMALL_MLP, make_task(), TWO_STAGES)


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        (None, "Expected a space with networks"),
        ("nowhere.kind:Mine", "Expected nowhere.kind to be an importable module"),
        ("jaxnas.checks:Mine", "Expected a name in jaxnas.checks of .*, got 'Mine'"),
        ("jaxnas.checks", "Expected networks as module:NAME, got 'jaxnas.checks'"),
        ("jaxnas.checks:unknown_name", "Expected a class of Networks at jaxnas.checks:unknown_name, got <function"),
        (
            jn.kinds.Networks,
            "Expected Networks to define inputs, default, plans, apply, init, module, size, got a class",
        ),
    ],
)
def test_networks_that_cannot_be_found_are_reported(networks, message):
    class Lost(jn.Space):
        name, decisions = "lost", (jn.Decision("one", (1, 2)),)

    Lost.networks = networks
    with pytest.raises(ValueError, match=message):
        jn.Trainer(Lost(), make_task())
