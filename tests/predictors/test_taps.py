"""Taps show the inner arrays of the network that `apply` computes, and nothing of what an architecture lacks."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import NETWORKS, SMALL, SMALL_MLP, TWO_STAGES, make_sequences, make_task, network_of

import jaxnas as jn
from jaxnas import catalog
from jaxnas.predictors.zero_cost.activations import agreement
from jaxnas.predictors.zero_cost.named import proxy_named
from jaxnas.predictors.zero_cost.scores import proxies_of, setting_of
from jaxnas.spaces.cells import graph
from jaxnas.spaces.named import space_named
from jaxnas.spaces.recurrent.network import Recurrence
from jaxnas.spaces.recurrent.space import RECURRENT_3
from jaxnas.training.networks import ScoredNetworks, networks_class
from jaxnas.training.recorder import RECTIFIER, Recorder

KINDS = {
    "cells": (SMALL, TWO_STAGES, make_task),
    "perceptrons": (SMALL_MLP, replace(TWO_STAGES, network=None), make_task),
    "recurrent": (RECURRENT_3, replace(TWO_STAGES, network=Recurrence(4)), make_sequences),
}


@pytest.fixture(scope="module", params=KINDS)
def shown(request):
    """Returns a space, and `arch -> (outputs, outputs with taps, shared signs, kinds of places)`, compiled once."""
    space, config, task = KINDS[request.param]
    trainer = jn.Trainer(space, task(), config)
    inputs, kinds = trainer.task.test.inputs[0][:8], set()

    @jax.jit
    def show(arch):
        def tap(kind, number, x, live):
            kinds.add(kind)
            return x, agreement(x, live) if kind == RECTIFIER else jnp.zeros((len(inputs),) * 2)

        networks = trainer.networks
        variables = networks.init(jax.random.key(0), arch)
        outputs = networks.apply(variables, arch, inputs, mode="train").outputs
        return outputs, *networks.tapped(variables, arch, inputs, tap)

    return space, lambda row: jax.device_get(show(jnp.asarray(space.arch_at(row)))), kinds


def test_taps_show_the_network_that_is_applied(shown):
    space, show, kinds = shown
    for row in (0, 7, space.num_architectures - 1):
        outputs, tapped, signs = show(row)
        np.testing.assert_allclose(tapped, outputs, rtol=1e-4, atol=1e-5)
        units = num_units(space, np.asarray(space.arch_at(row)))
        np.testing.assert_array_equal(np.diag(signs), units)
        assert (signs <= units).all()
    assert kinds == {"rectifier", "linear", "block", "features"} | ({"norm", "reduction"} if space is SMALL else set())


SEEN = ("forward", "blocks")
"""Passes by taps; those of gradients ask nothing of a kind that training does not."""


def test_every_kind_of_the_catalog_is_here():
    spaces = [space_named(name) for name in catalog.SPACES]
    kinds = {space.networks for space in spaces if space.networks is not None}
    assert kinds == {*NETWORKS, "jaxnas.spaces.joint.networks:joint_networks()"}  # which is made of another kind's
    assert all(issubclass(networks_class(space), ScoredNetworks) for space in spaces if space.networks is not None)


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_pass_measures_every_kind_of_network(kind):
    """Traced, not computed: shapes and types of the programs of proxies, of all of them on transformers and tokens."""
    space, config, task = network_of(kind)
    setting = setting_of(space, task, config, num_inits=1, batch_size=8)
    arch = jax.ShapeDtypeStruct((len(space.decisions),), jnp.int32)
    sources = dict.fromkeys(proxy.source for proxy in proxies_of("all", type(setting.networks)).values())
    assert {source.name for source in sources} == {proxy_named(name).source.name for name in catalog.PROXIES}
    for source in sources:
        if source.name in SEEN or (source.name != "sizes" and "transformers" in kind):
            found = jax.eval_shape(
                functools.partial(source.measure, setting.networks), arch, setting.keys[0], setting.batch
            )
            assert all(len(each.shape) < 4 for each in found.values())


def num_units(space, arch):
    """Returns how many numbers of an example enter an activation function."""
    if space is SMALL_MLP:
        return sum(space.decode(arch)["layers"])
    if space is RECURRENT_3:
        return 6 * 4 * 4  # in six steps, four numbers of the first state and of three nodes
    edges = [edge.operation.name for edge in graph.prune(space.graph(arch)).edges]
    first, second = 2 * 6 * 5, 4 * 3 * 3  # numbers of the two stages' maps
    return edges.count("nor_conv_3x3") * (first + second) + first + second + second  # the reduction's two, the head's


def test_what_lies_on_a_dead_edge_shows_nothing(shown):
    space, show, _ = shown
    if space is not SMALL:
        pytest.skip("only cells have edges")
    rows = [space.index(jnp.asarray(arch)) for arch in ((2, 2, 0), (1, 2, 0), (0, 2, 0))]  # nothing leaves node 1
    first, *others = (show(int(row)) for row in rows)
    for other in others:
        jax.tree.map(np.testing.assert_array_equal, first, other)


def test_statistics_of_steps_are_added_up_as_those_of_places():
    recorder = Recorder(lambda kind, number, x, live: (x, {"seen": jnp.zeros(2, bool), "sums": jnp.float32(0)}))
    recorder.add_steps({"seen": jnp.asarray([[True, False], [True, False]]), "sums": jnp.asarray([1.0, 2.0])})
    assert recorder.statistics["seen"].tolist() == [True, False]  # a code that two steps show is one
    assert recorder.statistics["sums"] == 3
