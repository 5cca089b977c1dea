"""From graphs to a model: a search, its saved model on raw graphs, an estimator; scores without training."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.samples import make_graphs

import jaxnas as jn
from jaxnas.spaces.graph_networks.network import GraphStates
from jaxnas.spaces.graph_networks.networks import GraphNetworks
from jaxnas.spaces.graph_networks.space import GraphNetworkSpace

SPACE = GraphNetworkSpace(("graph", "skip"), "few-graph-networks")
CONFIG = replace(GraphNetworks.default, num_epochs=10, batch_size=8, learning_rate=0.03, network=GraphStates(4))


def raw_graphs(task, split: str) -> tuple[list, list, np.ndarray]:
    """Returns features and weights of the graphs of a split as they were given, and their labels."""
    inputs, labels = getattr(task, split)
    graphs = inputs[0].astype(float) * task.deviation + task.mean
    counts = (~np.isnan(graphs[..., 0])).sum(1)
    pairs = list(zip(graphs, counts, strict=True))
    return [each[:n, :2] for each, n in pairs], [each[:n, 2 : 2 + n] for each, n in pairs], labels


@pytest.fixture(scope="module")
def found():
    """Returns a search on graphs and its model."""
    nas = jn.NAS(SPACE, task=make_graphs(), strategy="random_search", config=CONFIG, progress=False)
    result = nas.search(2, num_finalists=0)
    return result, result.train()


def test_a_search_on_graphs_learns_them_and_its_model_takes_raw_ones(found, tmp_path):
    result, model = found
    assert model.score("test") > 0.8
    features, weights, labels = raw_graphs(result.task, "test")
    assert model.score((features, weights), labels) == pytest.approx(model.score("test"))
    loaded = jn.FittedModel.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba((features, weights)), model.predict_proba((features, weights)))
    whole = np.ones((1, 9, 2)), np.ones((1, 9, 9))
    for wrong, message in [
        (whole, "Expected graphs of up to 5 nodes of 2 features each, got 9 nodes of 2 in row 0"),
        ((features[:1], [np.ones((7, 7))]), r"Expected graphs as \(features, adjacency\)"),
        (features, r"Expected graphs as \(features, adjacency\)"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}") as error:
            model.predict(wrong)
        assert "\n" not in str(error.value)


def test_what_a_pair_of_lists_is_follows_from_the_space():
    features, weights, labels = raw_graphs(make_graphs(), "train")
    assert jn.NAS(SPACE, task=((features, weights), labels)).task.kind == "graphs"
    with pytest.raises(ValueError, match=r"^Expected a task of graphs for a GraphNetworkSpace, got digits"):
        jn.NAS(SPACE, task="digits")
    with pytest.raises(ValueError, match=r"^Expected a task of images for a CellSpace, got neighbors"):
        jn.NAS("nb201", task=make_graphs())
    with pytest.raises(ValueError, match=r"^Expected graphs as \(features, adjacency\)"):
        jn.NAS(SPACE, task=(np.ones((40, 8, 8)), np.arange(40) % 2))
