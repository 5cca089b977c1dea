"""From text, sequences and real labels to a model: searches, saved models, estimators; errors in one line."""

from dataclasses import replace

import numpy as np
import pytest

import jaxnas as jn
from jaxnas.search.estimators import parts_of
from jaxnas.sklearn import NASClassifier, NASRegressor
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.spaces.recurrent.network import Recurrence
from jaxnas.spaces.recurrent.networks import UngatedNetworks
from jaxnas.spaces.recurrent.space import RecurrentSpace
from jaxnas.tasks.base import normalized
from jaxnas.training.trainer import Trainer

RANDOM = np.random.RandomState(0)
TEXTS = ["".join(RANDOM.choice(list("abcd"), length)) for length in RANDOM.randint(3, 7, 200)]
LABELS = [("early" if text[-1] in "ab" else "late") for text in TEXTS]
SPACE = RecurrentSpace(2, "two-nodes")
CONFIG = replace(UngatedNetworks.default, num_epochs=15, batch_size=16, network=Recurrence(8))


@pytest.fixture(scope="module")
def found():
    """Returns a search on text and its model."""
    with pytest.warns(UserWarning, match="examples that are in training, too"):
        search = jn.NAS(SPACE, task=(TEXTS, LABELS), strategy="random_search", config=CONFIG, progress=False)
    result = search.search(3, num_finalists=0)
    return result, result.train()


def test_a_search_on_text_learns_it_and_its_model_takes_texts(found):
    result, model = found
    assert result.task.kind == "tokens"
    assert model.score("test") > 0.9
    assert set(model.predict(TEXTS[:20])) == {"early", "late"}
    assert model.score(TEXTS, LABELS) > 0.9
    assert model.predict_proba("abab").shape == (1, 2)
    for wrong, message in [
        (["abx"], "Expected text of the 4 characters 'abcd', got 'x' in row 0"),
        ([""], "Expected texts of one or more characters, got an empty one in row 0"),
        (["a" * 9], "Expected texts of at most 6 characters, got 9 in row 0; cut it"),
        (np.zeros((2, 3)), "Expected a list of texts, got ndarray"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}"):
            model.predict(wrong)
    with pytest.raises(ValueError, match=r"^Expected labels of the classes early, late, got 7 and others that are no"):
        model.score(TEXTS, [7] * len(TEXTS))


def test_a_saved_model_keeps_its_vocabulary(found, tmp_path):
    _, model = found
    loaded = jn.FittedModel.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert loaded.inputs.vocabulary == ("a", "b", "c", "d")


def test_what_numbers_are_follows_from_the_space():
    sequences, labels = RANDOM.randn(60, 4, 2), np.arange(60) % 2
    assert jn.NAS(SPACE, task=(sequences, labels)).task.shape == (4, 2)
    assert jn.NAS(SPACE, task=(sequences[..., 0], labels)).task.kind == "sequences"
    tokens = RANDOM.randint(0, 9, (60, 8))
    assert jn.NAS(SPACE, task=(tokens, labels)).task.kind == "tokens"
    assert jn.NAS("mlp-small", task=(tokens, labels)).task.kind == "vectors"
    assert jn.NAS(SPACE, task="hmm").objective.text == "cross entropy"
    assert jn.NAS(SPACE, task="brackets", objective="tag accuracy - 1e-6 * flops").objective.weight == 1e-6
    with pytest.raises(ValueError, match=r"^Expected a task of sequences or tokens for a RecurrentSpace, got digits"):
        jn.NAS(SPACE, task="digits")
    with pytest.raises(ValueError, match=r"^Expected a task with the goal class for a CellSpace, got mine with value"):
        jn.NAS("nb201", task=jn.task_from_arrays(RANDOM.randn(60, 8, 8), RANDOM.randn(60), goal="value"))


@pytest.mark.filterwarnings("ignore:gaussian_process")
def test_a_classifier_takes_texts_and_sequences_of_unequal_length():
    sequences = [
        [float(label)] * length for label, length in zip(np.arange(60) % 2, RANDOM.randint(2, 5, 60), strict=True)
    ]
    classifier = NASClassifier(RecurrentSpace(1, "one"), num_trials=2, num_epochs=4, random_state=0)
    assert (
        classifier.fit(sequences, np.where(np.arange(60) % 2, "up", "down")).score(
            sequences[:9], ["down", "up"] * 4 + ["down"]
        )
        == 1
    )
    with pytest.raises(ValueError, match=r"^Expected sequences of at most 4 steps, got 9"):
        classifier.predict([[1.0] * 9])
    with pytest.raises(ValueError, match=r"^Expected padding after the last real step alone, got some before one in r"):
        classifier.predict([[1.0, np.nan, 2.0]])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        NASClassifier().fit(TEXTS, LABELS[:-1])
    with pytest.raises(ValueError, match=r"^Expected one class for each example, got parts of unequal shapes"):
        NASClassifier().fit(TEXTS, [[1]] * 199 + [[1, 2]])
    with pytest.raises(ValueError, match=r"^Expected sequences of numbers, or texts, got parts of unequal shapes"):
        jn.NAS(SPACE, task=([[1.0], object()], [0, 1]))


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:gaussian_process")
def test_a_regressor_takes_texts():
    lengths = [float(len(text)) for text in TEXTS]
    regressor = NASRegressor(RecurrentSpace(1, "one"), num_trials=2, num_epochs=10, random_state=0)
    assert regressor.fit(TEXTS, lengths).score(TEXTS, lengths) > 0.8
    with pytest.raises(ValueError, match=r"^Expected labels that are finite numbers, got <U1; drop or convert them"):
        NASRegressor().fit(TEXTS, ["a"] * len(TEXTS))
    with pytest.raises(ValueError, match=r"^Expected text of the 4 characters 'abcd', got 'x' in row 0"):
        regressor.predict(["x"])


@pytest.mark.filterwarnings("ignore:gaussian_process")
def test_a_regression_is_scored_by_r2_and_written_of_without_percent():
    """The regressor and the search have data of the same shapes, so that their programs are compiled once."""
    features = RANDOM.randn(60, 3)
    targets = 50 + 10 * features[:, 0] - 5 * features[:, 1]
    space = MLPSpace(1, 8, activations=("relu",), regularizers=("none",), dropout_rates=(0.0,), name="one-layer")
    regressor = NASRegressor(space, num_trials=2, num_epochs=40, random_state=0).fit(features, targets)
    assert regressor.score(features, targets) > 0.9
    assert abs(regressor.predict(features).mean() - targets.mean()) < 2
    assert 0.8 < regressor.validation_score_ <= 1
    assert "R2" in regressor.history_
    model = regressor.model_
    assert model.score(features, targets) == pytest.approx(regressor.score(features, targets))
    with pytest.raises(ValueError, match=r"^Expected a model of classes to give probabilities, got one of real"):
        model.predict_proba(features)

    task = normalized("mine", parts_of(features, targets, np.arange(60) < 12), 1, "", "CC0-1.0", goal="value")
    nas = jn.NAS(space, task, strategy="random_search", config=model.config, progress=False)
    result = nas.search(2, num_finalists=1)
    assert "validation R2 0." in repr(result)
    assert "%" not in repr(result)
    measures = result.train().measures("train")
    assert set(measures) == {"R2", "RMSE"}
    share = 1 - measures["R2"]
    assert measures["RMSE"] == pytest.approx(targets.std() * share**0.5, rel=1e-3)
    config = replace(model.config, optimizer="adam")
    with pytest.raises(ValueError, match=r"^Expected sgd without clip or adaptation for perceptrons"):
        Trainer(space, task, config).curves([[0] * len(space.decisions)])
