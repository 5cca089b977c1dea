"""Tasks of graphs: molecules that ship, a user's graphs, and what is refused."""

import re

import numpy as np
import pytest

import jaxnas as jn
from jaxnas.tasks.base import SPLITS, Split, Task
from jaxnas.tasks.graphs import joined, num_features
from jaxnas.tasks.vendored import ELEMENTS

RANDOM = np.random.RandomState(0)
COUNTS = RANDOM.randint(2, 6, 60)
FEATURES = [10 + RANDOM.randn(count, 3) for count in COUNTS]
WEIGHTS = [(lambda half: half + half.T)(np.triu(RANDOM.rand(count, count), 1)) for count in COUNTS]
LABELS = np.arange(60) % 2


def test_graphs_are_padded_and_the_weights_of_edges_stay_as_they_are():
    task = jn.task_from_arrays((FEATURES, WEIGHTS), LABELS, kind="graphs")
    assert (task.kind, task.shape, num_features(task.shape)) == ("graphs", (5, 8), 3)
    graphs = np.concatenate([getattr(task, split).inputs[0] for split in SPLITS])
    real = ~np.isnan(graphs[..., 0])
    assert sorted(real.sum(1)) == sorted(COUNTS)
    assert np.isnan(graphs[~real]).all()
    sums = np.nansum(graphs[..., 3:], (1, 2))
    np.testing.assert_allclose(np.sort(sums), np.sort([each.sum() for each in WEIGHTS]), rtol=1e-6)
    train = task.train.inputs[0, ..., :3]
    np.testing.assert_allclose(train[~np.isnan(train[..., 0])].mean(0), 0, atol=1e-5)
    assert "up to 5 nodes of 3 features" in task.card


def test_arrays_of_one_size_and_files_say_the_same_as_lists(tmp_path):
    task = jn.task_from_arrays((FEATURES, WEIGHTS), LABELS, kind="graphs")
    whole = joined((FEATURES, WEIGHTS))
    zeros = np.nan_to_num(whole[..., 3:])
    assert jn.task_from_arrays((whole[..., :3], zeros), LABELS, kind="graphs").sha256 == task.sha256
    np.savez(tmp_path / "graphs.npz", X=whole, y=LABELS, kind="graphs")
    assert jn.task(str(tmp_path / "graphs.npz")).sha256 == task.sha256
    values = jn.task_from_arrays((FEATURES, WEIGHTS), RANDOM.randn(60), kind="graphs", goal="value")
    assert (values.goal, values.num_classes) == ("value", 1)


def test_a_node_that_is_none_is_none_wherever_it_stands():
    features, weights = FEATURES[0], WEIGHTS[0]
    with_hole = np.insert(features, 1, np.nan, axis=0)
    around = np.insert(np.insert(weights, 1, 7, axis=0), 1, 7, axis=1)
    np.testing.assert_array_equal(
        joined(([with_hole], [around]), None)[:, : len(features)], joined(([features], [weights]))
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (FEATURES, "Expected graphs as (features, adjacency): [n, A, F] and [n, A, A], or lists"),
        (np.ones((60, 5, 3)), "lists of arrays [a, F] and [a, a], got an array [60, 5, 3]"),
        ((FEATURES, WEIGHTS[1:]), "got parts of unequal lengths"),
        ((FEATURES, 3), "got parts of unequal lengths"),
        (([], []), "Expected one or more graphs, got none"),
        ((FEATURES, WEIGHTS[::-1]), "in row 0"),
        ((FEATURES, [None] * 60), "in row 0"),
        ((["a"] * 60, WEIGHTS), "Expected graphs of numbers, got others in row 0"),
        (([each[:, :0] for each in FEATURES], WEIGHTS), "in row 0"),
        (([*FEATURES[:-1], FEATURES[-1][:, :2]], WEIGHTS), "in row 59"),
        (([each * np.nan for each in FEATURES], WEIGHTS), "got padding alone in row 0"),
        (([each * np.inf for each in FEATURES], WEIGHTS), "Expected finite features and weights"),
        ((FEATURES, [each * np.nan for each in WEIGHTS]), "Expected finite features and weights"),
        (
            (FEATURES, [-each for each in WEIGHTS]),
            "Expected symmetric weights of 0 or more, got negative ones in row 0",
        ),
        (
            (FEATURES, [np.triu(each) for each in WEIGHTS]),
            "got an edge with another weight, or none, in return in row 0",
        ),
        ((np.ones((60, 5, 3)), np.ones((60, 5, 5))), "Expected training graphs that differ, got constant ones"),
    ],
)
def test_wrong_graphs_are_one_line(values, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        jn.task_from_arrays(values, LABELS, kind="graphs")
    assert str(error.value).startswith("Expected ")
    assert "\n" not in str(error.value)


def test_a_task_refuses_arrays_without_features_and_tags():
    parts = {part: Split(np.ones((1, 2, 3, 3), np.float32), np.zeros(2, np.int32)) for part in SPLITS}
    with pytest.raises(ValueError, match=r"^Expected graphs of shape \[V, n, A, F \+ A\], got \[1, 2, 3, 3\] in train"):
        Task("mine", **parts, num_classes=2, card="", kind="graphs")
    with pytest.raises(ValueError, match=r"^Expected sequences or tokens for tags, got graphs"):
        jn.task_from_arrays((FEATURES, WEIGHTS), LABELS, kind="graphs", goal="tags")


def test_molecules_have_the_bonds_that_their_elements_allow():
    """Bonds and hydrogens are the valence of an uncharged atom, of sulphur and phosphorus one of several."""
    task = jn.task("solubility")
    valences = {"C": {4}, "N": {3, 5}, "O": {2}, "S": {2, 4, 6}, "P": {3, 5}, "F": {1}, "Cl": {1}, "Br": {1}, "I": {1}}
    count = len(ELEMENTS)
    for split in SPLITS:
        graphs = getattr(task, split).inputs[0].astype(float)
        graphs = graphs[~np.isnan(graphs[..., 0])] * task.deviation + task.mean
        elements, charge, hydrogens = graphs[:, :count].argmax(1), graphs[:, count], graphs[:, count + 1]
        total = np.rint(hydrogens + graphs[:, count + 2 :].sum(1)).astype(int)
        plain = np.abs(charge) < 0.5
        wrong = [total[row] not in valences[ELEMENTS[elements[row]]] for row in np.flatnonzero(plain)]
        assert np.mean(wrong) < 0.01
