"""What defines a computation: other code, values or helpers are another one, and nothing else is."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import SMALL, SMALL_MLP

import jaxnas as jn
from jaxnas.training.definition import definition_of
from jaxnas.training.networks import networks_class

FACTOR = 2.0


def operation(function, held=None):
    def swish(x, parameters, statistics, train):
        return function(x), statistics if held is None else held

    return swish


def cells(*arguments) -> jn.CellSpace:
    return jn.CellSpace(2, ("none", operation(*arguments)), name="mine")


class Counted:
    def __init__(self, factor):
        self.factor, self.calls = factor, 0

    def __call__(self, arch):
        self.calls += 1
        return self.factor * arch["width"]


class Plain:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, arch):
        return self.factor * arch["width"]


def in_list(values):
    return lambda arch: values[arch["depth"]]


def compiled_with(factor):
    return jax.jit(lambda x: factor * x)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (cells(jnp.tanh), cells(jnp.sin)),
        (cells(lambda x: x), cells(lambda x: -x)),
        (cells(jnp.tanh, 1), cells(jnp.tanh, 2)),
        (Plain(1), Plain(2)),
        (Plain(1), Counted(1)),
        (in_list([1, 2]), in_list([1, 3])),
        (in_list({"a": 1}), in_list({"a": 2})),
        (in_list(np.arange(3)), in_list(np.arange(3)[::-1])),
        (compiled_with(1), compiled_with(2)),
        (functools.partial(pow, exp=2), functools.partial(pow, exp=3)),
        (jax.vmap(lambda x: x), jax.vmap(lambda x: x + 1)),
        (lambda arch, scale=1: scale, lambda arch, scale=2: scale),
    ],
)
def test_another_computation_has_another_code(one, other):
    assert definition_of(one).code != definition_of(other).code


@pytest.mark.parametrize(
    "make",
    [
        lambda: cells(jnp.tanh),
        lambda: Plain(1),
        lambda: in_list([1, {"a": (2, 3)}, {4}]),
        lambda: compiled_with(np.float32(2)),
        lambda: jax.vmap(lambda x: x),
    ],
)
def test_the_same_computation_made_twice_has_the_same_code(make):
    assert definition_of(make()).code == definition_of(make()).code


def test_a_constant_of_the_module_counts(monkeypatch):
    function = lambda arch: FACTOR * arch["width"]  # noqa: E731
    before = definition_of(function)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert definition_of(function) != before


def test_what_a_function_changes_itself_does_not_count_and_is_named():
    calls = []

    def counting(arch):
        calls.append(arch)
        return arch["width"]

    before = definition_of(counting)
    counting({"width": 3})
    assert definition_of(counting) == before
    assert before.unknown == ("calls, a list",)
    assert definition_of(Counted(1)).unknown == ("a Counted",)


def test_spaces_and_families_of_the_package_have_no_code_of_the_users():
    for space in (jn.NB201, SMALL_MLP):
        assert definition_of((space, networks_class(space), networks_class(space).plans)) == ("", ())
    assert definition_of(SMALL).code  # it has an operation of the tests
