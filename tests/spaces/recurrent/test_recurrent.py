"""Recurrent cells: counts and classes by brute force, the traced cell against an unrolled one in NumPy, sizes."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import make_sequences

import jaxnas as jn
from jaxnas.spaces.recurrent.network import Recurrence, activated, make_arrays, outputs
from jaxnas.spaces.recurrent.networks import UngatedNetworks
from jaxnas.spaces.recurrent.space import ACTIVATIONS, RECURRENT, RECURRENT_3, RECURRENT_4, RecurrentSpace, parts
from jaxnas.tasks.base import TaskSpec

FUNCTIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
}
SPECS = {
    "sequences": TaskSpec("sequences", "class", (5, 2), 3),
    "tokens": TaskSpec("tokens", "tags", (5,), 3, num_tokens=4),
}


def nodes_of(arch):
    """Returns what each node reads, 0 the first state and i that of node i, and the name of its activation."""
    parents, activations = parts(np.asarray(arch))
    return [(int(parent), ACTIVATIONS[int(number)]) for parent, number in zip(parents, activations, strict=True)]


def tree(space, arch):
    """Returns a tree of states as nested sorted tuples, the same for cells that differ in the order of nodes only."""
    nodes = nodes_of(arch)

    def below(state):
        return tuple(sorted((name, below(node)) for node, (parent, name) in enumerate(nodes, 1) if parent == state))

    return below(0)


def test_there_are_as_many_architectures_as_trees_with_activations_and_classes_as_shapes_of_them():
    assert (RECURRENT_3.num_architectures, RECURRENT_4.num_architectures) == (384, 6144)
    assert RECURRENT.num_architectures == 4**8 * 40320
    rows = RECURRENT_3.classes()
    archs = np.asarray(jax.vmap(RECURRENT_3.arch_at)(jnp.arange(384)))
    names = [tree(RECURRENT_3, arch) for arch in archs]
    assert len({*names}) == len({*rows.tolist()}) == 188
    assert all(names[row] == name for row, name in zip(rows.tolist(), names, strict=True))
    assert (rows[rows] == rows).all()
    assert len(np.unique(RECURRENT_4.classes())) == 1499


def test_canonical_cells_of_eight_nodes_are_the_same_tree_whatever_the_order():
    canonical = jax.jit(RECURRENT.canonical)
    arch = np.asarray(RECURRENT.from_str("0.tanh-0.relu-1.tanh-1.relu-2.identity-3.sigmoid-0.tanh-7.relu"))
    nodes = nodes_of(arch)
    random = np.random.RandomState(0)
    found = set()
    for _ in range(20):
        order = [0]
        while len(order) < 9:  # any node whose parent is placed may come next
            ready = [node for node in range(1, 9) if node not in order and nodes[node - 1][0] in order]
            order.append(random.choice(ready))
        text = "-".join(f"{order.index(nodes[node - 1][0])}.{nodes[node - 1][1]}" for node in order[1:])
        other = RECURRENT.from_str(text)
        assert tree(RECURRENT, other) == tree(RECURRENT, arch)
        found.add(tuple(np.asarray(canonical(other)).tolist()))
    assert len(found) == 1
    assert tree(RECURRENT, found.pop()) == tree(RECURRENT, arch)


def test_a_relabeled_cell_has_the_outputs_of_the_cell_when_its_weights_are_relabeled():
    """So both have one law: the initial weights of nodes are drawn alike, and independently of each other."""
    spec, recurrence = SPECS["sequences"], Recurrence(4)
    arch, other, order = "0.tanh-1.relu-0.sigmoid-2.identity", "0.sigmoid-0.tanh-2.relu-3.identity", [2, 0, 1, 3]
    arrays = make_arrays(4, recurrence, spec, jax.random.key(0))
    apply = jax.jit(outputs, static_argnums=(0, 1))
    found, relabeled, unchanged = (
        apply(recurrence, spec, RECURRENT_4.from_str(text), each, examples_of(spec).astype(np.float32))
        for text, each in (
            (arch, arrays),
            (other, arrays._replace(nodes=arrays.nodes[np.asarray(order)])),
            (other, arrays),
        )
    )
    np.testing.assert_allclose(relabeled, found, atol=1e-6)
    assert np.abs(unchanged - found).max() > 1e-2
    assert tree(RECURRENT_4, RECURRENT_4.from_str(arch)) == tree(RECURRENT_4, RECURRENT_4.from_str(other))


def unrolled(recurrence, spec, arch, arrays, example):
    """Returns the outputs of one example, step by step, in float64: the last state's, or those of each real step."""

    def node(linear, function, read):
        if not recurrence.gate:
            return function(linear)
        gate, made = np.split(linear, 2)
        return read + FUNCTIONS["sigmoid"](gate) * (function(made) - read)

    state, found = np.zeros(recurrence.width), []
    for step in example:
        if (spec.kind == "tokens" and step < 0) or (spec.kind == "sequences" and np.isnan(step).any()):
            continue
        values = np.eye(spec.num_tokens)[step] if spec.kind == "tokens" else step
        states = [node(values @ arrays.inputs + arrays.offset + state @ arrays.recurrent, np.tanh, state)]
        for (parent, name), kernel in zip(nodes_of(arch), arrays.nodes, strict=True):
            states.append(node(states[parent] @ kernel, FUNCTIONS[name], states[parent]))
        state = np.mean(states[1:], axis=0)
        found.append(state @ arrays.head + arrays.head_offset)
    return np.asarray(found) if spec.goal == "tags" else found[-1]


def examples_of(spec):
    random = np.random.RandomState(0)
    if spec.kind == "tokens":
        return np.where(np.arange(5) < [[5], [2], [1]], random.randint(0, 4, (3, 5)), -1)
    return np.where(np.arange(5)[:, None] < np.asarray([5, 2, 1])[:, None, None], random.randn(3, 5, 2), np.nan)


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("kind", SPECS)
def test_the_traced_cell_is_the_one_that_is_unrolled_in_numpy(kind, gate):
    spec, recurrence, examples = SPECS[kind], Recurrence(4, gate), examples_of(SPECS[kind])
    arrays = make_arrays(3, recurrence, spec, jax.random.key(0))
    arrays = jax.tree.map(lambda values: values + 0.1, arrays)  # offsets are not 0
    apply = jax.jit(outputs, static_argnums=(0, 1))
    plain = jax.tree.map(lambda values: np.asarray(values, np.float64), arrays)
    archs = [RECURRENT_3.arch_at(row) for row in (0, 77, 141, 254, 383)]
    for arch in archs:
        found = apply(recurrence, spec, arch, arrays, examples.astype(np.int32 if kind == "tokens" else np.float32))
        for result, example in zip(np.asarray(found), examples, strict=True):
            expected = unrolled(recurrence, spec, arch, plain, example)
            np.testing.assert_allclose(result[: len(expected)], expected, rtol=1e-5, atol=1e-6)


def test_gradients_are_those_of_differences_and_padding_has_none():
    spec, recurrence = SPECS["sequences"], Recurrence(3)
    arrays, arch = (
        make_arrays(3, recurrence, spec, jax.random.key(1)),
        RECURRENT_3.from_str("0.tanh-1.sigmoid-0.identity"),
    )
    examples = jnp.asarray(examples_of(spec), jnp.float32)

    @jax.jit
    def loss(arrays, examples):
        return (outputs(recurrence, spec, arch, arrays, examples) ** 2).sum()

    gradient, of_inputs = jax.jit(jax.grad(loss, (0, 1)))(arrays, examples)
    direction = jax.tree.map(
        lambda values: jnp.asarray(np.random.RandomState(values.size).randn(*values.shape)), arrays
    )
    moved = [jax.tree.map(lambda one, other, s=s: one + s * 1e-3 * other, arrays, direction) for s in (1, -1)]
    slope = (loss(moved[0], examples) - loss(moved[1], examples)) / 2e-3
    along = sum((one * other).sum() for one, other in zip(gradient, direction, strict=True))
    assert along == pytest.approx(float(slope), rel=1e-2)
    assert np.isfinite(of_inputs).all()
    assert not np.asarray(of_inputs)[np.isnan(examples)].any()


@pytest.mark.parametrize("gate", [False, True])
def test_the_size_counts_the_arrays_and_the_products_of_every_step(gate):
    spec = SPECS["sequences"]
    config = replace(UngatedNetworks.default, network=Recurrence(4, gate))
    arrays = make_arrays(3, config.network, spec, jax.random.key(0))
    size = UngatedNetworks(RECURRENT_3, config, spec).size((0,) * 5)
    assert size.num_parameters == sum(values.size for values in arrays)
    step = sum(values.size for values in (arrays.inputs, arrays.recurrent, arrays.offset, arrays.nodes))
    assert size.num_flops == 5 * step + arrays.head.size + arrays.head_offset.size
    assert UngatedNetworks(RECURRENT_3, config, SPECS["tokens"]).size((0,) * 5).num_flops > size.num_flops


def test_strings_are_read_back_and_wrong_ones_are_one_line():
    for row in (0, 99, 383):
        arch = RECURRENT_3.arch_at(row)
        np.testing.assert_array_equal(RECURRENT_3.from_str(RECURRENT_3.to_str(arch)), arch)
    for text, message in [
        ("0.tanh", "Expected an architecture such as '0.tanh-0.tanh-0.tanh'"),
        ("0.tanh-2.tanh-0.tanh", "Expected node 2 to read a state from 0 to 1, got '2'"),
        ("0.tanh-1.tahn-0.tanh", "Did you mean tanh.*Expected an activation of .*"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}"):
            RECURRENT_3.from_str(text)
    with pytest.raises(ValueError, match=r"^Expected num_nodes of at most 16"):
        RecurrentSpace(99)


def test_the_graph_is_the_tree_with_an_edge_from_each_node_to_the_output():
    arch = RECURRENT_3.from_str("0.relu-1.tanh-1.identity")
    labels, edges = RECURRENT_3.labeled(arch)
    names = [RECURRENT_3.label_names[label] for label in labels]
    assert names == ["x, h", "relu", "tanh", "identity", "mean"]
    expected = {(0, 1), (1, 2), (1, 3), (1, 4), (2, 4), (3, 4)}
    assert set(zip(*map(np.ndarray.tolist, np.nonzero(np.asarray(edges))), strict=True)) == expected
    assert RECURRENT_3.decode(arch)["node 3 reads"] == "node 1"
    drawing = RECURRENT_3.drawing(arch)
    assert all(name in drawing for name in ("x, h", "relu", "tanh", "identity"))
    assert drawing.count("<path") == 3  # the tree alone


def test_every_activation_is_chosen_alone():
    assert tuple(FUNCTIONS) == ACTIVATIONS
    assert jn.space("recurrent-3") == RECURRENT_3
    for (number, name), x in itertools.product(enumerate(ACTIVATIONS), (-30.0, -0.5, 0.0, 2.0, 300.0)):
        assert activated(jnp.asarray(number), jnp.float32(x)) == pytest.approx(FUNCTIONS[name](x), abs=1e-6)


def test_cells_have_gates_by_default_where_they_are_deep():
    """Tables hold cells of three and four nodes, without."""
    spaces = (RecurrentSpace(1, "one"), RECURRENT_3, RECURRENT_4, RecurrentSpace(5, "five"), RECURRENT)
    found = [jn.Trainer(space, make_sequences()).config.network for space in spaces]
    assert [network.gate for network in found] == [False, False, False, True, True]
    assert {network.width for network in found} == {Recurrence().width}
