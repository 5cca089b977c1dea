"""The spaces of published benchmarks: sizes, notations, classes, neighbors, and the graphs of architectures."""

import functools
import hashlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.graph_hashes import wl_codes

from jaxnas.spaces.base import Space, has_rows
from jaxnas.spaces.darts.space import DARTS
from jaxnas.spaces.enumerated import neighbor_table
from jaxnas.spaces.graph_networks.space import NB_GRAPH, NB_GRAPH_PROTEINS
from jaxnas.spaces.graphs import SECOND_LINE
from jaxnas.spaces.macro.space import NB_MACRO
from jaxnas.spaces.named import space_named
from jaxnas.spaces.nasbench101 import enumeration
from jaxnas.spaces.nasbench101.codes import NUM_EDGES, NUM_VERTICES
from jaxnas.spaces.nasbench101.space import NB101
from jaxnas.spaces.transnas import TRANSNAS_MACRO

TEXTS = {
    "nb101": "0100110001000000010010000010000001000000010000000|"
    "input,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,output",
    "nats-sss": "64:64:56:64:24",
    "nb-macro": "22212220",
    "nb-graph": "0012/gcn-gat-fc-skip",
    "nb-graph-proteins": "0123/skip-skip-gcn-sage",
    "transnas-micro": "64-41414-1_02_333",
    "transnas-macro": "64-1234-basic",
    "darts": "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 2), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])",
}
"""That of `nb101` is the example of NAS-Bench-101's documentation."""
NUMBERS = {
    "nb101": 423_624,
    "nats-sss": 32_768,
    "nb-macro": 6_561,
    "nb-graph": 26_206,
    "nb-graph-proteins": 2_021,
    "transnas-micro": 4_096,
    "transnas-macro": 3_256,
    "darts": (3 * 6 * 10 * 7**8) ** 2,
}


def over(function, archs: np.ndarray) -> np.ndarray:
    """Returns a function of each architecture, compiled once for each number of them."""
    return jax.tree.map(np.asarray, compiled(function)(archs))


@functools.cache
def compiled(function):
    return jax.jit(jax.vmap(function))


over_spaces = pytest.mark.parametrize("name", NUMBERS)


@pytest.fixture(scope="module")
def samples() -> dict[str, np.ndarray]:
    """Returns 64 architectures of each space."""
    return {name: over(space_named(name).sample, jax.random.split(jax.random.key(0), 64)) for name in NUMBERS}


@over_spaces
def test_the_number_of_architectures_is_the_published_one(name):
    space = space_named(name)
    assert space.num_architectures == NUMBERS[name]
    assert has_rows(space) == (name != "darts")
    assert (space.networks is None) == (
        name in ("nb101", "transnas-micro", "transnas-macro")
    )  # others are trained, too


@over_spaces
def test_architectures_are_written_as_the_benchmark_writes_them(name, samples):
    space = space_named(name)
    assert "('skip_connect', 2), ('max_pool_3x3', 1)" in TEXTS["darts"]  # inputs in another order are read, too
    if name != "darts":
        assert space.to_str(space.from_str(TEXTS[name])) == TEXTS[name]
    for arch in samples[name][:8]:
        np.testing.assert_array_equal(space.from_str(space.to_str(arch)), arch)
    for wrong in ("", "none", TEXTS[name][:-1], TEXTS[name].replace("0", "9"), TEXTS[name] + ",input"):
        if wrong != TEXTS[name] and not (name == "darts" and "9" not in wrong and "normal" in wrong):
            with pytest.raises(ValueError, match=r"Expected "):
                space.from_str(wrong)


@over_spaces
def test_samples_mutants_neighbors_and_repairs_are_architectures(name, samples):
    space = space_named(name)
    keys = jax.random.split(jax.random.key(1), 64)
    sizes = [len(decision.values) for decision in space.decisions]

    @jax.jit
    @jax.vmap
    def found(key, arch):
        anything = jax.random.randint(key, arch.shape, 0, np.asarray(sizes))
        return jnp.concatenate(
            [space.neighbors(arch), jnp.stack([arch, space.mutate(key, arch), space.repaired(key, anything)])]
        )

    archs = np.asarray(found(keys, samples[name]))
    assert (archs >= 0).all()
    assert (archs < sizes).all()
    assert over(jax.vmap(space.valid), archs).all()
    changes = (archs[:, :-3] != samples[name][:, None]).sum(-1)
    assert changes.max() == 1
    assert (archs[:, -2] != samples[name]).any(-1).mean() > 0.9


@over_spaces
def test_the_representative_is_its_own_and_has_the_row_of_its_class(name, samples):
    space = space_named(name)
    found = over(space.canonical, samples[name])
    np.testing.assert_array_equal(over(space.canonical, found), found)
    assert over(space.valid, found).all()
    if has_rows(space):
        rows = [over(space.index, archs) for archs in (samples[name], found)]
        np.testing.assert_array_equal(*(space.classes()[each] for each in rows))
        few = np.linspace(0, space.num_architectures - 1, len(found)).astype(int)
        np.testing.assert_array_equal(over(space.index, over(space.arch_at, few)), few)


@over_spaces
def test_an_architecture_and_its_representative_have_one_graph(name, samples):
    space = space_named(name)

    def graph(arch):
        labels, edges = space.labeled(arch)
        return labels, edges, wl_codes(labels, edges)

    labels, edges, first = over(graph, samples[name])
    second = over(graph, over(space.canonical, samples[name]))[-1]
    assert not np.tril(edges).any()
    assert (labels < len(space.label_names)).all()
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first, axis=0)) > 40
    names = [space.label_names[label] for label in labels[0] if label >= 0]
    drawn = space.drawing(samples[name][0])
    assert drawn.startswith("<svg ")
    if name == "darts":  # whose cells are drawn apart, each with a title
        names = [label.partition(" ")[2] for label in names if " " in label]
    if space.cell is None:
        assert all(line in drawn for label in names for line in label.split(SECOND_LINE))


@pytest.mark.parametrize(
    "space",
    [pytest.param(NB101, marks=pytest.mark.nightly), NB_GRAPH, NB_GRAPH_PROTEINS, TRANSNAS_MACRO],
    ids=lambda space: space.name,
)
def test_neighbors_of_rows_are_mutual_and_lead_everywhere(space):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, counts = neighbor_table(space)
    chosen = np.arange(rows.shape[1]) < counts[:, None]
    first, second = np.repeat(np.arange(len(rows)), counts), rows[chosen]
    assert counts.min() > 0
    assert (first != second).all()
    matrix = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(len(rows),) * 2).tocsr()
    assert matrix.max() == 1
    assert (matrix != matrix.T).nnz == 0
    assert connected_components(matrix)[0] == 1


# NAS-Bench-101


def md5_of(labels: np.ndarray, edges: np.ndarray) -> str:
    """Returns the hash of a graph as NAS-Bench-101 defines it, of its live vertices."""
    live = np.flatnonzero(labels >= 0)
    edges, numbers = edges[np.ix_(live, live)], [[0, 1, 2, -1, -2][label] for label in labels[live]]

    def digest(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    words = [digest(str((int(edges[v].sum()), int(edges[:, v].sum()), numbers[v]))) for v in range(len(live))]
    for _ in live:
        before = ["".join(sorted(np.asarray(words)[edges[:, v]])) for v in range(len(live))]
        after = ["".join(sorted(np.asarray(words)[edges[v]])) for v in range(len(live))]
        words = [digest(f"{before[v]}|{after[v]}|{words[v]}") for v in range(len(live))]
    return digest(str(sorted(words)))


def test_the_documented_graph_of_nasbench101_has_its_hash():
    graph = NB101.labeled(NB101.from_str(TEXTS["nb101"]))
    assert md5_of(*map(np.asarray, graph)) == "00005c142e6f48ac74fdcf73e3439874"


def test_rows_of_nasbench101_are_equal_where_the_published_hashes_are():
    bits = over(NB101.sample_bits, jax.random.split(jax.random.key(0), 64))
    assert over(NB101.valid, bits).all()
    archs = np.concatenate([bits[:33], np.asarray(NB101.neighbors(jnp.asarray(bits[0])))])
    rows = over(NB101.index, archs)
    hashes = np.asarray([md5_of(*graph) for graph in zip(*over(NB101.labeled, archs), strict=True)])
    assert len(set(rows)) < len(rows)
    np.testing.assert_array_equal(rows[:, None] == rows, hashes[:, None] == hashes)


def test_mutations_of_nasbench101_are_those_of_any_space():
    """Of vectors that are no architectures, too, some of which have no neighbor that is one."""
    random = np.random.default_rng(0)
    edges = random.random((600, NUM_EDGES)) < random.random((600, 1))
    archs = np.concatenate([edges, random.integers(0, 3, (600, NUM_VERTICES - 2))], axis=1).astype(np.int32)
    valid = over(NB101.valid, archs)
    assert 100 < valid.sum() < 500
    keys = jax.random.split(jax.random.key(1), len(archs))
    found = jax.jit(jax.vmap(NB101.mutate))(keys, archs)
    np.testing.assert_array_equal(found, jax.jit(jax.vmap(functools.partial(Space.mutate, NB101)))(keys, archs))
    assert (np.asarray(found) != archs).any(1)[valid].all()


def test_graphs_of_nasbench101_by_their_number_of_vertices():
    matrix, labels = NB101.graphs()
    archs = enumeration.archs_of(matrix, labels)
    np.testing.assert_array_equal(archs[::50_000], over(NB101.arch_at, np.arange(0, len(archs), 50_000)))
    positions = list(itertools.combinations(range(NUM_VERTICES), 2))
    leaves = [
        archs[:, [number for number, pair in enumerate(positions) if pair[0] == vertex]].any(1) for vertex in range(6)
    ]
    assert np.bincount(np.sum(leaves, axis=0)).tolist() == [0, 1, 6, 84, 2_441, 62_010, 359_082]
    assert archs[:, :NUM_EDGES].sum(1).max() == 9


def test_graphs_of_nasbench101_are_kept_and_a_damaged_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    calls = []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"rows": np.arange(5)}

    def kept() -> np.ndarray:
        return enumeration.kept("numbers.npz", ("rows",), compute)["rows"]

    for _ in range(2):
        np.testing.assert_array_equal(kept(), np.arange(5))
    assert len(calls) == 1
    (path,) = (tmp_path / "jaxnas").iterdir()
    data = path.read_bytes()
    for damaged in (b"", data[:-40], data[:200] + bytes([data[200] ^ 1]) + data[201:], b"not an archive"):
        path.write_bytes(damaged)
        np.testing.assert_array_equal(kept(), np.arange(5))
    assert len(calls) == 5
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("a file where the folder should be")
    np.testing.assert_array_equal(kept(), np.arange(5))


# Others


def test_networks_of_nasbench_graph_by_their_links():
    links = over(NB_GRAPH.arch_at, np.arange(26_206))[:, 0]
    assert np.bincount(links).tolist() == [330, 2_304, 2_880, 2_080, 4_096, 1_440, 5_120, 3_276, 4_680]


def test_an_identity_that_is_read_does_nothing_in_a_graph_network():
    same = ("0123/gcn-skip-gat-fc", "0123/gcn-gat-skip-fc", "0123/skip-gcn-gat-fc", "0112/gcn-skip-fc-gat")
    rows = [int(NB_GRAPH.index(NB_GRAPH.from_str(text))) for text in same]
    assert rows[0] == rows[1] == rows[2] != rows[3]
    with pytest.raises(ValueError, match="Expected a valid architecture"):
        NB_GRAPH.from_str("0123/skip-skip-skip-skip")


def test_classes_of_nasbench_macro_have_the_same_blocks_in_order():
    assert len(np.unique(NB_MACRO.classes())) == 9 * 21 * 21
    same = ("22212220", "22212202")
    rows = [NB_MACRO.classes()[int(NB_MACRO.index(NB_MACRO.from_str(text)))] for text in same]
    assert rows[0] == rows[1]


def test_the_first_chain_of_transnas_that_its_authors_show_is_one():
    assert TRANSNAS_MACRO.to_str(TRANSNAS_MACRO.from_str("64-2311-basic")) == "64-2311-basic"


def test_cells_of_darts_with_nodes_in_another_order_are_one_class():
    text = TEXTS["darts"]
    first, second = "('sep_conv_3x3', 0), ('skip_connect', 1)", "('sep_conv_3x3', 0), ('sep_conv_3x3', 1)"
    start = (
        f"normal=[{first}, {second}, ('sep_conv_3x3', 1), ('skip_connect', 2), ('skip_connect', 0), ('dil_conv_3x3', 2)"
    )
    moved = (
        f"normal=[{second}, {first}, ('sep_conv_3x3', 1), ('skip_connect', 3), ('skip_connect', 0), ('dil_conv_3x3', 3)"
    )
    assert start in text
    one, other = (np.asarray(DARTS.from_str(each)) for each in (text, text.replace(start, moved)))
    assert (one != other).any()
    np.testing.assert_array_equal(DARTS.canonical(one), DARTS.canonical(other))
    for wrong in ("('sep_conv_3x3', 5)", "('conv', 0)", "('sep_conv_3x3', 1)", "('sep_conv_3x3',)"):
        with pytest.raises(ValueError, match=r"Expected "):
            DARTS.from_str(text.replace("('sep_conv_3x3', 0)", wrong))
