"""Contracts of every kind of network: what `init`, `apply`, `kernels`, `module` and `size` of a family agree on."""

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
from jaxnas.spaces.recurrent.network import Recurrence
from jaxnas.spaces.recurrent.space import RECURRENT_3
from jaxnas.training.family import family_of

KINDS = {
    "cells": (SMALL, TWO_STAGES, make_task),
    "perceptrons": (SMALL_MLP, replace(TWO_STAGES, network=None), make_task),
    "recurrent": (RECURRENT_3, replace(TWO_STAGES, network=Recurrence(4)), make_sequences),
}
ROWS = (7, 67, 117)


@pytest.fixture(
    scope="module", params=[(kind, row) for kind in KINDS for row in ROWS], ids=lambda value: "-".join(map(str, value))
)
def made(request):
    """Returns a trainer, an architecture, its variables, and its functions with the static arguments filled in."""
    kind, row = request.param
    space, config, task = KINDS[kind]
    trainer = jn.Trainer(space, task(), config)
    arch = np.asarray(space.canonical(space.arch_at(row)))
    static = (space, trainer.config, trainer.spec)
    variables = jax.jit(functools.partial(trainer.family.init, *static))(jnp.asarray(arch), jax.random.key(row))
    return trainer, arch, static, variables


def outputs_of(made, mode):
    trainer, arch, static, variables = made
    apply = jax.jit(functools.partial(trainer.family.apply, *static, mode=mode))
    return apply(jnp.asarray(arch), variables, trainer.task.test.inputs[0])


def test_the_network_that_is_taken_away_computes_what_the_traced_one_does(made):
    trainer, arch, static, variables = made
    network = trainer.family.module(*static, tuple(arch.tolist()), variables)
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
    trainer, arch, static, variables = made
    live, layer, num_layers = trainer.family.kernels(*static, jnp.asarray(arch))
    assert jax.tree.structure(live) == jax.tree.structure(variables.parameters)
    network = trainer.family.module(*static, tuple(arch.tolist()), variables)
    paths = jax.tree.leaves_with_path(nnx.to_pure_dict(nnx.state(network, nnx.Param)))
    kernels = [values for path, values in paths if str(path[-1].key).endswith(("kernel", "shortcut"))]
    assert sum(float(values.sum()) for values in jax.tree.leaves(live)) == sum(values.size for values in kernels)
    numbers = {int(number) for values in jax.tree.leaves(layer) for number in np.unique(values)}
    assert len(numbers - {-1}) == len(kernels)
    assert max(numbers) < num_layers
    for one, number in zip(jax.tree.leaves(live), jax.tree.leaves(layer), strict=True):
        assert ((one > 0) == (np.broadcast_to(number, one.shape) >= 0)).all()


def test_the_size_is_that_of_the_network(made):
    trainer, arch, static, _ = made
    network = trainer.family.module(*static, tuple(arch.tolist()), None)
    count = sum(values.size for values in jax.tree.leaves(nnx.state(network, nnx.Param)))
    assert trainer.size(arch).num_parameters == count


def test_gradients_reach_the_arrays_that_the_network_has_and_no_others(made):
    trainer, arch, static, variables = made
    live = trainer.family.kernels(*static, jnp.asarray(arch)).live

    @jax.jit
    def gradient(parameters):
        def loss(parameters):
            applied = trainer.family.apply(
                *static,
                jnp.asarray(arch),
                variables._replace(parameters=parameters),
                trainer.task.test.inputs[0],
                mode="train",
            )
            return (applied.outputs**2).sum()

        return jax.grad(loss)(parameters)

    found = gradient(variables.parameters)
    moved = sum(
        float(((one != 0) & (mask > 0)).sum()) for one, mask in zip(*map(jax.tree.leaves, (found, live)), strict=True)
    )
    assert moved > 0.3 * sum(float(mask.sum()) for mask in jax.tree.leaves(live))  # rectifiers stop some
    assert all(np.isfinite(values).all() for values in jax.tree.leaves(found))


@pytest.mark.parametrize("name", catalog.SPACES)
def test_every_space_of_the_catalog_has_a_family_with_a_sequential_plan_or_says_that_it_has_none(name):
    space = catalog.space(name)
    if space.family is None:
        with pytest.raises(ValueError, match=r"^Expected a space with networks, such as a CellSpace, got "):
            family_of(space)
        return
    family = family_of(space)
    assert "sequential" in family.plans
    assert family.config.network is None or hash(family.config.network) is not None


def test_a_configuration_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"^Expected config.network to be a NoneType for small-mlp, got a Skeleton"):
        jn.Trainer(SMALL_MLP, make_task(), TWO_STAGES)


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (None, "Expected a space with networks"),
        ("nowhere.family", "Expected nowhere.family to be an importable module"),
        ("jaxnas.checks", "Expected FAMILY in jaxnas.checks, got a module without it"),
        ("jaxnas.checks:unknown_name", "Expected a Family at jaxnas.checks:unknown_name, got function"),
    ],
)
def test_a_family_that_cannot_be_found_is_reported(family, message):
    class Lost(jn.Space):
        name, decisions = "lost", (jn.Decision("one", (1, 2)),)

    Lost.family = family
    with pytest.raises(ValueError, match=f"^{message}"):
        jn.Trainer(Lost(), make_task())
