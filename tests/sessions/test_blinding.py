"""Blinded spaces: the structure of the space behind, by other names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnas as jn
from jaxnas import catalog

SMALL = {
    "cells": jn.CellSpace(3, ("none", "skip_connect", "nor_conv_1x1")),
    "perceptrons": jn.space("mlp-small"),
    "constrained": jn.SearchSpace(
        "some", (jn.Decision("a", (1, 2, 3)), jn.Decision("b", ["x", "z"])), lambda a: a[0] >= a[1]
    ),
    "joint": jn.space("joint-small"),
}


@pytest.mark.parametrize("name", sorted(set(catalog.SPACES) - {"nb101"}))
def test_texts_lead_back_to_the_architecture(name):
    space = jn.space(name)
    blinded = jn.sessions.Blinded(space, 7)
    arch = np.asarray(space.sample(jax.random.key(0)))
    shown = np.asarray(blinded.shown(arch))
    np.testing.assert_array_equal(blinded.behind(shown), arch)
    encoded = blinded.behind(blinded.encode(blinded.decode(shown)))
    np.testing.assert_array_equal(space.canonical(encoded), space.canonical(arch))
    text = blinded.to_str(shown)
    np.testing.assert_array_equal(blinded.from_str(text), shown)
    known = {str(value) for decision in space.decisions for value in decision.values if str(value).isalpha()}
    assert not any(value in text + blinded.grammar for value in known)


@pytest.mark.parametrize("space", SMALL.values(), ids=SMALL.keys())
def test_neighbors_classes_and_valid_architectures_are_those_of_the_space(space):
    blinded = jn.sessions.Blinded(space, 3)
    archs = np.asarray(space.arch_at(np.arange(0, space.num_architectures, max(1, space.num_architectures // 3))))
    for arch, shown in zip(archs, blinded.shown(archs), strict=True):
        found = {tuple(each) for each in np.asarray(blinded.behind(blinded.neighbors(shown))).tolist()}
        assert found == {tuple(each) for each in np.asarray(space.neighbors(arch)).tolist()}
        assert tuple(np.asarray(blinded.behind(blinded.mutate(jax.random.key(1), shown))).tolist()) in found
        np.testing.assert_array_equal(blinded.behind(blinded.canonical(shown)), space.canonical(arch))
        assert blinded.valid(jnp.asarray(shown))
    drawn = blinded.sample(jax.random.key(2))
    assert blinded.valid(drawn)
    assert blinded.num_architectures == space.num_architectures
    np.testing.assert_array_equal(blinded.from_str(blinded.to_str(np.asarray(drawn))), drawn)


def test_an_operation_has_one_name_on_all_edges_and_another_for_another_seed():
    space = jn.NB201
    texts = {seed: jn.sessions.Blinded(space, seed) for seed in range(8)}
    for blinded in texts.values():
        assert len(set(blinded.to_str(blinded.shown([3] * 6)).split("-"))) == 1
    best = np.asarray(
        space.from_str(
            "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_1x1~2|"
        )
    )
    assert len({blinded.to_str(blinded.shown(best)) for blinded in texts.values()}) > 6


def test_ordered_values_keep_their_order_or_are_reversed():
    space = jn.SearchSpace("ordered", (jn.Decision("rate", (1, 2, 3, 4), ordered=True),))
    found = {jn.sessions.Blinded(space, seed).values[0] for seed in range(12)}
    assert found == {(0, 1, 2, 3), (3, 2, 1, 0)}


def test_a_wrong_text_names_what_was_expected():
    blinded = jn.sessions.Blinded(jn.NB201, 1)
    with pytest.raises(ValueError, match=r"Expected an architecture such as 'v0.0-v0.0-.*' of 6 names, got 'a0'"):
        blinded.from_str("a0")
    with pytest.raises(
        ValueError, match=r"Expected a value of decision 2 of v0.0, v0.1, v0.2, v0.3, v0.4, got 'skip_connect'"
    ):
        blinded.from_str("v0.0-skip_connect-v0.0-v0.0-v0.0-v0.0")


def test_the_examples_of_a_blinded_session_are_not_those_of_the_plain_one():
    plain, blind = (jn.Session("nb201-cifar10-v1", blind=blind).answer({"request": "describe"}) for blind in (None, 3))
    space = jn.sessions.Blinded(jn.NB201, 3)
    shown = {space.to_str(space.shown(jn.NB201.from_str(text))) for text in plain["examples"]}
    assert not shown & set(blind["examples"])
    assert "nb201" not in str(blind)
