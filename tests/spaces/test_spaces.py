"""Contract of search spaces, over all spaces, and what cell spaces add."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, NB201, SMALL, SMALL_MLP, SPACES, tanh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import jaxnas as jn
from jaxnas import catalog, prng
from jaxnas.spaces import decisions as decisions_of
from jaxnas.spaces.base import Decision, EnumeratedSpace
from jaxnas.spaces.cells import graph
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.layers.base import Operation, as_operation
from jaxnas.spaces.perceptrons.space import MLP, MLPSpace
from jaxnas.spaces.search_space import SearchSpace

LATE_ZERO = CellSpace(4, ("skip_connect", "none", "nor_conv_1x1"), name="late-zero")  # the zero operation is not first
CELLS = [
    NB201,
    SMALL,
    LATE_ZERO,
    CellSpace(3, ("skip_connect", "nor_conv_1x1"), name="no-zero"),
    CellSpace(2, ("none", tanh)),
]
LARGE = CellSpace(5, NB201.operations, name="large")  # 5**10 architectures
HUGE = CellSpace(7, NB201.operations, name="huge")  # more than int32 can number

over_spaces = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
over_cells = pytest.mark.parametrize("space", CELLS, ids=lambda space: space.name)


def behind(space):
    """Returns the space whose decisions count: the one behind the rows of an enumerated space."""
    return getattr(space, "space", space)


def choices(space, archs) -> np.ndarray:
    """Returns architectures as choices of the space behind."""
    return np.asarray(behind(space).arch_at(jax.vmap(space.index)(jnp.asarray(archs))))


def sizes(space) -> list[int]:
    return [len(decision.values) for decision in behind(space).decisions]


def degree(space, arch) -> int:
    """Returns the number of an architecture's neighbors."""
    everything = sum(sizes(space)) - len(sizes(space))
    if not isinstance(behind(space), MLPSpace):
        return everything
    absent = behind(space).max_layers - 1 - choices(space, arch[None])[0, 0]
    return int(everything - absent * (len(behind(space).layer_widths) - 1))


def all_archs(space) -> jax.Array:
    return jax.vmap(space.arch_at)(jnp.arange(space.num_architectures))


def some_archs(space, number: int) -> list[jax.Array]:
    return list(jax.vmap(space.sample)(jax.random.split(jax.random.key(number), number)))


@over_spaces
def test_architectures_are_numbered_by_mixed_radix(space):
    archs = all_archs(space)
    assert archs.shape == (space.num_architectures, len(space.decisions))
    assert archs.dtype == jnp.int32
    np.testing.assert_array_equal(choices(space, archs), list(itertools.product(*map(range, sizes(space)))))
    np.testing.assert_array_equal(jax.vmap(space.index)(archs), np.arange(space.num_architectures))


@over_spaces
@pytest.mark.parametrize("generator", prng.PRNGS)
def test_samples_are_uniform(space, generator):
    number = 50 * min(space.num_architectures, 625)
    archs = jax.vmap(space.sample)(jax.random.split(prng.make_key(1, generator), number))
    assert archs.shape == (number, len(space.decisions))
    assert archs.dtype == jnp.int32
    rows = np.asarray(jax.vmap(space.index)(archs))
    assert rows.min() >= 0
    assert rows.max() < space.num_architectures
    few = rows * min(space.num_architectures, 625) // space.num_architectures  # bins of 25 rows where there are many
    assert stats.chisquare(np.bincount(few)).pvalue > 1e-6
    for column, size in zip(choices(space, archs).T, sizes(space), strict=True):
        assert stats.chisquare(np.bincount(column, minlength=size)).pvalue > 1e-6


@over_spaces
def test_neighbors_are_all_that_differ_in_one_decision(space):
    for arch in some_archs(space, 3):
        found = space.neighbors(arch)
        assert found.shape == (sum(sizes(space)) - len(sizes(space)), len(space.decisions))
        found = found[: degree(space, arch)]
        changes = choices(space, found) != choices(space, arch[None])
        assert (changes.sum(axis=1) == 1).all()
        assert len(np.unique(np.asarray(found), axis=0)) == len(found)
        assert (space.neighbors(arch)[len(found) :] == arch).all()


def test_an_architecture_of_nb201_has_24_neighbors():
    assert NB201.neighbors(NB201.arch_at(0)).shape == (24, 6)


@over_spaces
@pytest.mark.parametrize("generator", prng.PRNGS)
def test_mutations_are_uniform_over_the_neighbors(space, generator):
    for arch in some_archs(space, 2):
        neighbors = np.asarray(space.neighbors(arch))[: degree(space, arch)]
        keys = jax.random.split(prng.make_key(2, generator), 100 * len(neighbors))
        mutated = np.asarray(jax.vmap(lambda key, arch=arch: space.mutate(key, arch))(keys))
        equal = (mutated[:, None] == neighbors[None]).all(-1)
        assert (equal.sum(1) == 1).all()
        assert stats.chisquare(equal.sum(0)).pvalue > 1e-6


@over_spaces
def test_strings_name_architectures(space):
    @settings(derandomize=True, deadline=None, max_examples=30)
    @given(st.integers(0, space.num_architectures - 1))
    def check(row):
        text = space.to_str(space.arch_at(row))
        arch = space.from_str(text)
        assert arch.dtype == jnp.int32
        assert int(space.index(arch)) == row
        assert text == behind(space).to_str(behind(space).arch_at(row))

    check()


@over_spaces
def test_decoded_architectures_name_the_values_of_the_decisions(space):
    if isinstance(behind(space), MLPSpace):
        pytest.skip("lists the widths of present layers, see below")
    decisions = behind(space).decisions
    for arch in some_archs(space, 3):
        chosen = choices(space, arch[None])[0]
        expected = {decision.name: decision.values[choice] for decision, choice in zip(decisions, chosen, strict=True)}
        assert space.decode(arch) == expected


@pytest.mark.parametrize("space", [*SPACES.values(), *map(jn.space, catalog.SPACES)], ids=[*SPACES, *catalog.SPACES])
def test_encoding_is_the_inverse_of_decoding(space):
    for key in jax.random.split(jax.random.key(1), 3):
        arch = space.sample(key)
        values = space.decode(arch)
        encoded = space.encode(values)
        assert space.decode(encoded) == values
        np.testing.assert_array_equal(space.canonical(encoded), space.canonical(arch))


def test_values_are_encoded_by_their_names_and_wrong_ones_are_refused():
    arch = SMALL_MLP.sample(jax.random.key(0))
    by_name = {each.name: str(each.values[choice]) for each, choice in zip(SMALL_MLP.decisions, arch, strict=True)}
    np.testing.assert_array_equal(SMALL_MLP.encode(by_name), arch)
    values = NB201.decode(NB201.arch_at(5))
    edge, *_ = values
    with pytest.raises(ValueError, match=f"Expected a value for each of .*, got none for {edge}"):
        NB201.encode({name: value for name, value in values.items() if name != edge})
    with pytest.raises(ValueError, match=r"Expected a decision of .*, got 'nonsense'"):
        NB201.encode({**values, "nonsense": 1})
    with pytest.raises(ValueError, match=f"Expected {edge} of .*, got 'conv'"):
        NB201.encode({**values, edge: "conv"})


@over_spaces
def test_the_representative_is_the_first_of_a_class(space):
    archs = all_archs(space)
    found = jax.vmap(space.canonical)(archs)
    assert found.dtype == jnp.int32
    rows = np.asarray(jax.vmap(space.index)(found))
    assert (rows <= np.arange(len(rows))).all()
    np.testing.assert_array_equal(rows[rows], rows)
    np.testing.assert_array_equal(jax.jit(jax.vmap(space.canonical))(archs), found)
    np.testing.assert_array_equal(space.canonical(archs[-1]), found[-1])


def test_enumerated_spaces_have_the_classes_of_the_space_behind():
    rows = jnp.arange(125)
    space = SPACES["small-rows"]
    assert isinstance(space, EnumeratedSpace)
    np.testing.assert_array_equal(jax.vmap(space.canonical)(rows[:, None])[:, 0], SMALL.classes())
    assert space.enumerated() is space


def test_every_architecture_of_a_space_without_structure_is_its_own_class():
    archs = all_archs(MIXED)
    np.testing.assert_array_equal(jax.vmap(MIXED.canonical)(archs), archs)


@over_spaces
def test_spaces_made_equally_are_equal(space):
    same = {
        "nb201": CellSpace(4, [operation.name for operation in NB201.operations], name="nb201"),
        "small": CellSpace(3, ("none", "skip_connect", "nor_conv_3x3", "avg_pool_3x3", tanh), name="small"),
        "mixed": SearchSpace(
            "mixed", [Decision("depth", range(2)), Decision("width", [8, 16, 32]), Decision("act", ["relu", "tanh"])]
        ),
        "small-mlp": MLPSpace(
            2,
            32,
            activations=["relu", "sigmoid"],
            initializers=["random_normal", "lecun_normal"],
            regularizers=[None, "l2"],
            dropout_rates=[0.0, 0.25],
            name="small-mlp",
        ),
    }[space.name]
    same = same.enumerated() if isinstance(space, EnumeratedSpace) else same
    assert same == space
    assert hash(same) == hash(space)
    assert len({*SPACES.values(), same}) == len(SPACES)


@over_cells
def test_classes_of_cell_spaces_start_with_their_first_member(space):
    first = {}
    for row, arch in enumerate(np.asarray(all_archs(space))):
        first.setdefault(graph.canonical_form(space.graph(arch)), []).append(row)
    expected = np.empty(space.num_architectures, int)
    for rows in first.values():
        expected[rows] = min(rows)
    np.testing.assert_array_equal(space.classes(), expected)


def test_classes_can_be_asked_for_first_inside_a_traced_function():
    space = CellSpace(3, ("none", "skip_connect"), name="never seen before")
    np.testing.assert_array_equal(jax.jit(space.canonical)(jnp.asarray([1, 0, 0])), [0, 0, 0])


@over_cells
def test_traced_pruning_is_that_of_the_graph(space):
    archs = all_archs(space)
    found = np.asarray(jax.jit(jax.vmap(space.pruned))(archs))
    for arch, pruned in list(zip(np.asarray(archs), found, strict=True))[:: 1 + len(archs) // 500]:
        whole = space.graph(arch)
        assert [edge[:2] for edge in whole.edges] == list(space.edges)
        assert {f"{edge.source}-{edge.target}": edge.operation.name for edge in whole.edges} == space.decode(arch)
        kept = [edge for edge in space.graph(pruned).edges if edge.operation.role != "zero"]
        assert tuple(kept) == graph.prune(whole).edges


def test_spaces_that_are_too_large_are_not_enumerated():
    for call in (LARGE.enumerated, LARGE.classes):
        with pytest.raises(ValueError, match=r"Expected at most 2,000,000 architectures to enumerate, got 9,765,625"):
            call()
    with pytest.raises(ValueError, match=r"Expected a space of fewer than 2\*\*31 architectures"):
        HUGE.index(HUGE.sample(jax.random.key(0)))


@pytest.mark.parametrize("space", [LARGE, HUGE], ids=lambda space: space.name)
def test_pruned_architectures_stand_for_classes_in_large_spaces(space):
    arch = space.sample(jax.random.key(0)).at[jnp.asarray([0, 1])].set(0)  # nothing reaches node 1
    expected = space.pruned(arch)
    assert not np.array_equal(expected, arch)
    np.testing.assert_array_equal(space.canonical(arch), expected)
    np.testing.assert_array_equal(space.canonical(expected), expected)
    np.testing.assert_array_equal(space.from_str(space.to_str(arch)), arch)
    assert ((space.mutate(jax.random.key(1), arch) != arch).sum()) == 1


@pytest.mark.parametrize(
    ("space", "text", "message"),
    [
        (SMALL, "", r"an architecture such as '\|none~0\|\+\|none~0\|none~1\|', got ''"),
        (SMALL, "|none~0|", "an architecture such as"),
        (SMALL, "|none~0|+|none~0|", "an architecture such as"),
        (SMALL, "|none~0|+|none~0|none~0|", "an architecture such as"),
        (SMALL, "none~0|+|none~0|none~1|", "an architecture such as"),
        (SMALL, "|none|+|none~0|none~1|", "an architecture such as"),
        (SMALL, "|none~0|+|none~0|conv_3x3~1|", "an operation of .*, got 'conv_3x3'"),
        (SPACES["small-rows"], "|none~0|", "an architecture such as"),
        (HUGE, "|none~0|", "an architecture such as"),
        (MIXED, "", "an architecture such as '0-0-0', got ''"),
        (MIXED, "1-a-0", "an architecture such as '0-0-0', got '1-a-0'"),
        (MIXED, "1-0", "an architecture of 3 choices, got 2"),
        (MIXED, "1-3-0", "a choice of 0 to 2 for width, got 3"),
    ],
)
def test_malformed_strings_are_refused(space, text, message):
    with pytest.raises(ValueError, match=f"Expected {message}"):
        space.from_str(text)


@over_spaces
def test_choices_out_of_range_are_refused(space):
    arch = np.zeros(len(space.decisions), int)
    size = len(space.decisions[0].values)
    for wrong in (size, -1):
        arch[0] = wrong
        for call in (space.to_str, space.decode):
            with pytest.raises(ValueError, match=f"^Expected a choice of 0 to {size - 1} for .*, got {wrong}"):
                call(arch)
    with pytest.raises(ValueError, match=f"^Expected an architecture of {len(arch)} choices, got {len(arch) + 1}"):
        space.to_str([0, *arch])


@pytest.mark.parametrize(
    ("num_nodes", "operations", "message"),
    [
        (1, ("none", "skip_connect"), "Expected at least 2 nodes, got 1"),
        (3, ("none",), r"Expected two or more operations with different names, got \['none'\]"),
        (3, ("none", "none"), "Expected two or more operations with different names"),
        (3, (tanh, Operation("tanh", None)), "Expected two or more operations with different names"),
        (3, ("none", "nor_conv_3x4"), "Did you mean nor_conv_3x3.*Expected an operation of .*, got 'nor_conv_3x4'"),
        (3, ("none", Operation("a+b", None)), r"Expected operation names without any of \|~\+"),
        (3, ("none", 3), "Expected an operation: a name, an Operation or a function, got 3"),
    ],
)
def test_wrong_cell_spaces_are_refused(num_nodes, operations, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        CellSpace(num_nodes, operations)


def test_functions_become_operations_of_their_name():
    assert SMALL.operations[-1] == as_operation(tanh)
    assert SMALL.operations[-1].name == "tanh"
    assert jn.CellSpace is CellSpace


def test_row_numbers_reach_the_largest_that_int32_holds():
    decisions = (Decision("a", range(2**16)), Decision("b", range(2**15 - 1)))
    arch = jnp.asarray([2**16 - 1, 2**15 - 2])
    row = decisions_of.index(arch, decisions)
    assert int(row) == 2**16 * (2**15 - 1) - 1
    np.testing.assert_array_equal(decisions_of.arch_at(row, decisions), arch)


def mlp_arch(layers, activation=0, initializer=0, regularizer=0, dropout=0, space=SMALL_MLP):
    """Returns an architecture of a space of perceptrons, absent layers of the smallest width."""
    widths = [space.layer_widths.index(width) for width in layers] + [0] * (space.max_layers - len(layers))
    return jnp.asarray([len(layers) - 1, activation, initializer, regularizer, dropout, *widths])


def test_perceptrons_have_widths_of_powers_of_two_and_the_largest():
    assert MLP.layer_widths == (8, 16, 32, 64, 128)
    assert MLPSpace(max_units=100).layer_widths == (8, 16, 32, 64, 100)
    assert MLPSpace(max_units=8).layer_widths == (8,)
    assert MLPSpace(max_units=5).layer_widths == (5,)
    given = MLPSpace(2, widths=[10, 50, 100])
    assert given.layer_widths == (10, 50, 100)
    assert given.max_units == 100
    assert given.decisions[-1].values == (10, 50, 100)
    assert given.from_str(given.to_str(given.arch_at(7))).tolist() == given.arch_at(7).tolist()
    assert MLPSpace(regularizers=("l1", "l2", None)).regularizers == ("l1", "l2", "none")
    assert MLP.num_architectures == 10 * 2 * 2 * 3 * 4 * 5**10
    assert len(np.unique(SMALL_MLP.classes())) == (3 + 9) * 16


def test_only_absent_layers_do_not_count():
    for arch in np.asarray(all_archs(SMALL_MLP))[::7]:
        members = [other for other in SMALL_MLP.neighbors(jnp.asarray(arch)) if not np.array_equal(other, arch)]
        assert all(not np.array_equal(SMALL_MLP.canonical(arch), SMALL_MLP.canonical(other)) for other in members)
        absent = np.arange(len(arch)) >= len(arch) - (SMALL_MLP.max_layers - 1 - arch[0])
        np.testing.assert_array_equal(SMALL_MLP.canonical(arch), np.where(absent, 0, arch))
    rows = jax.vmap(lambda arch: SMALL_MLP.index(SMALL_MLP.canonical(arch)))(all_archs(SMALL_MLP))
    np.testing.assert_array_equal(SMALL_MLP.classes(), rows)


def test_decoded_perceptrons_have_the_widths_of_their_layers():
    arch = mlp_arch([32], activation=1, regularizer=1, dropout=1)
    expected = {
        "layers": [32],
        "activation": "sigmoid",
        "initializer": "random_normal",
        "regularizer": "l2",
        "dropout": 0.25,
    }
    for absent in (0, 2):
        assert SMALL_MLP.decode(arch.at[-1].set(absent)) == expected
        assert list(SMALL_MLP.decode(arch)) == list(expected)
    assert SMALL_MLP.to_str(arch) == "32/sigmoid/random_normal/l2/0.25"
    assert SMALL_MLP.to_str(arch.at[-1].set(2)) == "32+32/sigmoid/random_normal/l2/0.25"


def test_the_full_space_of_perceptrons_has_all_but_numbers():
    arch = MLP.sample(jax.random.key(3))
    np.testing.assert_array_equal(MLP.from_str(MLP.to_str(arch)), arch)
    np.testing.assert_array_equal(MLP.canonical(MLP.canonical(arch)), MLP.canonical(arch))
    for call in (MLP.enumerated, MLP.classes):
        with pytest.raises(ValueError, match="Expected at most 2,000,000 architectures to enumerate"):
            call()
    with pytest.raises(ValueError, match=r"Expected a space of fewer than 2\*\*31 architectures"):
        MLP.index(arch)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an architecture such as '8/relu/random_normal/none/0.0' of up to 2 layers, got ''"),
        ("8-8-8/relu/random_normal/none/0.0", "an architecture such as .* of up to 2 layers"),
        ("8/relu/random_normal/none", "an architecture such as"),
        ("9/relu/random_normal/none/0.0", "width_1 of 16, 32, 8, got '9'"),
        ("8/rleu/random_normal/none/0.0", "activation of relu, sigmoid, got 'rleu'"),
        ("8/relu/random_normal/none/0.3", "dropout of 0.0, 0.25, got '0.3'"),
    ],
)
def test_malformed_perceptrons_are_refused(text, message):
    with pytest.raises(ValueError, match=f"Expected {message}"):
        SMALL_MLP.from_str(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_layers": 0}, "max_layers to be an int of 1 or more, got 0"),
        ({"max_units": 1.5}, "max_units to be an int of 1 or more, got 1.5"),
        ({"activations": ("relu", "swihs")}, "activations of .*, got 'swihs'"),
        ({"widths": (50, 10)}, r"widths of ascending ints of 1 or more, got \[50, 10\]"),
        ({"widths": (10, 50.0)}, "widths of ascending ints of 1 or more"),
        ({"widths": (10, 50), "max_units": 64}, "max_units to be the largest width, 50, got 64"),
        ({"initializers": ()}, r"one or more different initializers, got \[\]"),
        ({"regularizers": ("l1", "l1")}, "one or more different regularizers"),
        ({"dropout_rates": (0.5, 1)}, "one or more different dropout_rates from 0 to below 1"),
    ],
)
def test_wrong_spaces_of_perceptrons_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"Expected {message}"):
        MLPSpace(**arguments)
