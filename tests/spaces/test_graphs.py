"""Architectures as graphs: acyclic, of the decisions, the same for all members of a class, and drawn."""

import re
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.graph_hashes import wl_codes
from helpers.partial_spaces import LISTED, PARTIAL
from helpers.samples import MIXED, NB201, SMALL, SMALL_MLP, SPACES

from jaxnas.spaces import encodings, graphs
from jaxnas.spaces.cells.space import CellSpace

WIDE = CellSpace(5, ("skip_connect", "none", "nor_conv_3x3"), name="wide")
LATE_ZERO = CellSpace(4, ("skip_connect", "none", "nor_conv_1x1"), name="late-zero")
PAIR = CellSpace(2, SMALL.operations, name="pair")
ALL = {**SPACES, **PARTIAL, "wide": WIDE, "pair": PAIR}
over_all = pytest.mark.parametrize("space", ALL.values(), ids=ALL)


def some_rows(space, number: int = 400) -> np.ndarray:
    """Returns rows of a space, all where there are no more."""
    return np.random.RandomState(0).permutation(space.num_architectures)[:number]


def graph_of(space, text: str) -> tuple[list[str], set[tuple[str, str]]]:
    """Returns the names of the vertices, and the edges between them, of the architecture of a string."""
    labels, edges = (np.asarray(values) for values in space.labeled(space.from_str(text)))
    names = {vertex: space.label_names[labels[vertex]] for vertex in np.flatnonzero(labels >= 0)}
    return list(names.values()), {(names[source], names[target]) for source, target in np.argwhere(edges)}


@over_all
def test_graphs_are_acyclic_and_lead_from_the_input_to_the_output(space):
    archs = jax.vmap(space.arch_at)(some_rows(space))
    labels, edges = (np.asarray(values) for values in jax.jit(jax.vmap(space.labeled))(archs))
    assert labels.dtype == np.int32
    assert edges.dtype == bool
    assert edges.shape == (*labels.shape, labels.shape[1])
    assert labels.min() >= -1
    assert labels.max() < len(space.label_names)
    assert not np.tril(edges).any()
    present = labels >= 0
    assert (present[:, 0] & present[:, -1]).all()
    assert not (edges & ~(present[:, :, None] & present[:, None])).any()
    live = np.asarray(jax.jit(jax.vmap(graphs.pruned_mask))(labels, edges))
    assert ((live == present).all(1) | ~edges.any((1, 2))).all()  # between input and output; cells may pass nothing


def test_dead_vertices_are_pruned():
    labels = jnp.asarray([0, 1, 2, 3, -1, 4])
    edges = np.zeros((6, 6), bool)
    for source, target in ((0, 1), (1, 5), (0, 2), (3, 5), (0, 4), (4, 5)):
        edges[source, target] = True
    assert graphs.pruned_mask(labels, edges).tolist() == [True, True, False, False, False, True]


@pytest.mark.parametrize("space", [SMALL, LATE_ZERO, PAIR, SMALL_MLP, LISTED, MIXED], ids=lambda space: space.name)
def test_members_of_a_class_have_one_hash(space):
    code_of = jax.jit(jax.vmap(lambda row: wl_codes(*space.labeled(space.arch_at(row)))))
    rows = np.arange(min(space.num_architectures, 20_000))
    codes = np.asarray(code_of(rows))
    np.testing.assert_array_equal(codes, np.asarray(code_of(space.classes()[rows])))
    if space in (SMALL_MLP, MIXED):  # graphs hold everything there
        assert len(np.unique(codes, axis=0)) == len(np.unique(space.classes()))


def test_members_of_classes_of_nb201_have_one_hash_and_few_classes_share_one():
    code_of = jax.jit(jax.vmap(lambda row: wl_codes(*NB201.labeled(NB201.arch_at(row)))))
    codes = np.asarray(code_of(np.arange(15625)))
    np.testing.assert_array_equal(codes, codes[NB201.classes()])
    num_classes = len(np.unique(NB201.classes()))
    assert 0.9 * num_classes < len(np.unique(codes, axis=0)) <= num_classes  # x + x has the graph of x


def test_a_hash_does_not_depend_on_the_order_of_vertices_but_on_all_else():
    labels = jnp.asarray([5, 0, 1, 2, 6])
    edges = np.zeros((5, 5), bool)
    for source, target in ((0, 1), (0, 2), (1, 3), (2, 4), (3, 4)):
        edges[source, target] = True
    order = np.asarray([0, 2, 1, 3, 4])
    code = wl_codes(labels, edges).tolist()
    assert wl_codes(labels[order], edges[order][:, order]).tolist() == code
    assert wl_codes(labels.at[1].set(1), edges).tolist() != code
    edges[2, 3] = True
    assert wl_codes(labels, edges).tolist() != code
    assert code[0] != code[1]


def test_identities_are_contracted_zeros_absent_and_equal_poolings_one():
    nothing = ["input", "output"], set()
    assert graph_of(NB201, "|none~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|") == nothing
    identity = ["input", "output"], {("input", "output")}
    assert graph_of(NB201, "|skip_connect~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|") == identity
    names, edges = graph_of(NB201, "|avg_pool_3x3~0|+|avg_pool_3x3~0|none~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|")
    assert names == ["input", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3", "output"]
    assert edges == {
        ("input", "avg_pool_3x3"),
        ("avg_pool_3x3", "nor_conv_1x1"),
        ("avg_pool_3x3", "nor_conv_3x3"),
        ("nor_conv_1x1", "output"),
        ("nor_conv_3x3", "output"),
    }
    names, _ = graph_of(NB201, "|nor_conv_1x1~0|+|nor_conv_1x1~0|none~1|+|none~0|skip_connect~1|skip_connect~2|")
    assert names.count("nor_conv_1x1") == 2  # each has its own parameters


def test_perceptrons_are_chains_of_their_layers():
    names, edges = graph_of(SMALL_MLP, "16/sigmoid/lecun_normal/l2/0.25")
    settings = ["activation; sigmoid", "initializer; lecun_normal", "regularizer; l2", "dropout; 0.25"]
    assert names == ["input", *settings, "16 units", "output"]
    expected = {("input", setting) for setting in settings} | {(setting, "16 units") for setting in settings}
    assert edges == expected | {("16 units", "output")}
    names, edges = graph_of(SMALL_MLP, "16-32/sigmoid/lecun_normal/l2/0.25")
    assert {("16 units", "32 units"), ("32 units", "output")} < edges
    assert ("16 units", "output") not in edges


@over_all
def test_drawings_show_every_vertex(space):
    arch = space.arch_at(space.num_architectures - 1)
    drawing = space.drawing(arch)
    root = ElementTree.fromstring(drawing)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    if isinstance(space.plain, CellSpace):
        assert set(texts) >= {"in", "out"}
    else:
        labels = np.asarray(space.drawn(arch)[0])
        names = [space.label_names[label] for label in labels[labels >= 0]]
        lines = [line for name in names for line in name.split(graphs.SECOND_LINE)]
        assert texts[: len(lines)] == lines  # a note may follow


def test_boxes_of_a_drawing_do_not_overlap():
    labels, edges = SMALL_MLP.labeled(SMALL_MLP.from_str("16-32/sigmoid/lecun_normal/l2/0.25"))
    drawing = graphs.draw(np.asarray(labels), np.asarray(edges), SMALL_MLP.label_names)
    corners = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"', drawing)
    assert len(set(corners)) == len(corners) == 8


def test_perceptrons_are_drawn_as_their_layers():
    drawing = SMALL_MLP.drawing(SMALL_MLP.from_str("16-32/sigmoid/lecun_normal/l2/0.25"))
    texts = [each.text for each in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")]
    shared = "activation sigmoid, initializer lecun_normal, regularizer l2, dropout 0.25"
    assert texts == ["input", "16 units", "32 units", "output", shared]
    assert drawing.count("<rect") == 4
    assert drawing.count("<path") == 3


def test_chains_go_down_and_trees_have_a_row_for_each_leaf():
    """A tree in which nodes 1, 2 and 5 read the first state, and 3 and 4 node 1."""
    edges = np.zeros((6, 6), bool)
    edges[[0, 0, 1, 1, 0], [1, 2, 3, 4, 5]] = True
    places = {0: (0, 0), 1: (1, 0), 3: (2, 0), 4: (2, 1), 2: (1, 2), 5: (1, 3)}
    assert graphs._places([*range(6)], edges) == (places, False)
    chain = np.eye(6, k=1, dtype=bool) | np.eye(6, k=2, dtype=bool)
    assert graphs._places([0, 2, 3], chain) == ({0: (0, 0), 2: (0, 1), 3: (0, 2)}, True)
    names, note = ("one; of 16 units", "two"), "What the output is."
    drawing = ElementTree.fromstring(graphs.draw(np.asarray([0, 1]), edges[:2, :2], names, note))
    texts = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["one", "of 16 units", "two", note]


@over_all
def test_graph_encodings_hold_the_labels_and_the_edges(space):
    arch = space.arch_at(space.num_architectures // 2)
    labels, edges = (np.asarray(values) for values in space.labeled(arch))
    features = np.asarray(encodings.adjacency(space)(arch))
    num_pairs = len(labels) * (len(labels) - 1) // 2
    assert features[:num_pairs].sum() == edges.sum()
    chosen = features[num_pairs:].reshape(len(labels), -1)
    np.testing.assert_array_equal(np.where(labels >= 0, chosen.argmax(1), -1), labels)
    assert chosen.sum() == (labels >= 0).sum()
    counts = np.asarray(encodings.weisfeiler_lehman(space, num_iterations=2, num_buckets=32)(arch))
    num_labels = len(space.label_names)
    np.testing.assert_array_equal(counts[:num_labels], np.bincount(labels[labels >= 0], minlength=num_labels))
    np.testing.assert_array_equal(counts[num_labels:].reshape(2, 32).sum(1), (labels >= 0).sum())


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match=r"^Expected num_buckets to be an int of at least 1, got 0"):
        encodings.weisfeiler_lehman(MIXED, num_buckets=0)
    with pytest.raises(ValueError, match=r"^Expected num_iterations to be an int of at least 0, got -1"):
        encodings.weisfeiler_lehman(MIXED, num_iterations=-1)
