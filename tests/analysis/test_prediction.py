"""The evaluation of predictors is honest: what it would see of a leak, of noise, of orders and of missing values."""

import dataclasses
import functools
import json
import re

import numpy as np
import pytest
from helpers.samples import MIXED, smooth_bench

from jaxnas.analysis.prediction import (
    calibration_error,
    evaluations,
    kendall,
    measures_of,
    prediction_result,
    regret_of_top,
)
from jaxnas.analysis.predictor_inputs import Sample, draw_sample, evidence_of
from jaxnas.benchmarks.loading import load
from jaxnas.cli.main import main
from jaxnas.predictors.base import Prediction, Predictor
from jaxnas.predictors.named import predictor_named
from jaxnas.spaces.encodings import one_hot

TABLE = "nb201-shifted-digits-v1"


@functools.cache
def evidence():
    return evidence_of(load(TABLE))


def looked_up(space):
    """A predictor that remembers: it answers with the score of the nearest training architecture."""

    def fit(key, features, y, aux):
        return features, y

    def predict(state, features, aux):
        nearest = ((features[:, None] - state[0]) ** 2).sum(-1).argmin(1)
        return Prediction(state[1][nearest], np.full(len(features), np.nan))

    return Predictor("looked_up", one_hot(space), fit, predict, jittable=False)


def with_noise(known, random):
    curves = random.uniform(size=known.curves.shape).astype(np.float32)
    return dataclasses.replace(known, scores=random.uniform(size=known.scores.shape), curves=curves)


def tau(known, name, **arguments):
    made = looked_up if name == "looked_up" else predictor_named(name)
    (found,) = evaluations({name: made(known.space)}, known, num_train=[60], num_repetitions=8, **arguments)
    return found.measures["tau"].mean()


@pytest.mark.parametrize("name", ["looked_up", "knn", "last_value"])
def test_no_predictor_ranks_noise(name):
    known = with_noise(evidence(), np.random.default_rng(0))
    assert abs(tau(known, name)) < 0.1


def test_a_leak_would_be_seen(monkeypatch):
    """NASLib validates on the training indices: a predictor that remembers then ranks even noise."""
    from jaxnas.analysis import prediction

    def leaky(known, num_train, num_test, **arguments):
        sample = draw_sample(known, num_train, num_test, **arguments)
        rows = np.concatenate([sample.rows[:num_train], sample.rows[:num_test]])
        return sample._replace(rows=rows, truth=sample.labels[:num_test].astype(float))

    monkeypatch.setattr(prediction, "draw_sample", leaky)
    assert tau(with_noise(evidence(), np.random.default_rng(0)), "looked_up", num_test=60) > 0.9


def test_samples_are_of_different_classes_and_runs_that_are_seen_are_not_the_truth():
    known = evidence_of(load("nb201-cifar10-v1"))
    assert known.groups.max() + 1 < len(known.groups)  # every row is its own class in this table
    sample = draw_sample(known, 300, 200, seed=0, repetition=0)
    assert len(set(known.groups[sample.rows])) == 500
    own = evidence()
    sample = draw_sample(own, 100, 200, seed=1, repetition=2)
    scores, runs = own.scores[sample.rows[100:]], sample.runs[100:]
    expected = [np.delete(row, run).mean() for row, run in zip(scores, runs, strict=True)]
    np.testing.assert_allclose(sample.truth, expected)
    np.testing.assert_allclose(sample.labels, own.scores[sample.rows[:100], sample.runs[:100]], rtol=1e-6)
    few = draw_sample(own, 20, 200, seed=1, repetition=2)
    assert (few.rows[:20] == sample.rows[:20]).all()
    assert (few.rows[20:] == sample.rows[100:]).all()
    with pytest.raises(ValueError, match=r"^Expected 6,000 classes or more .*, got 5,260"):
        draw_sample(own, 5800, 200, seed=0, repetition=0)


def test_curves_are_paid_and_stop_where_they_should():
    own = evidence()
    sample = draw_sample(own, 10, 20, seed=0, repetition=0)
    assert own.most_epochs == 9
    assert own.cost(sample, 0, 3) == 60
    assert own.cost(sample, 10, 0) == 100
    aux = own.aux(sample, slice(10, None), 3)
    assert aux.curves.shape == aux.losses.shape == (20, 3)
    assert aux.epochs[0].tolist() == [1, 2, 3, 10]
    assert own.aux(sample, slice(10, None), 0).curves is None


def test_the_order_of_test_rows_changes_nothing():
    sample = draw_sample(evidence(), 10, 50, seed=0, repetition=0)
    random = np.random.default_rng(0)
    mean, deviation, order = random.uniform(size=50), random.uniform(0.1, 1, 50), random.permutation(50)
    moved = Sample(*(each[order] if number > 3 else each for number, each in enumerate(sample)))
    one, other = measures_of(sample, mean, deviation), measures_of(moved, mean[order], deviation[order])
    np.testing.assert_allclose(list(one.values()), list(other.values()))


def test_nan_never_wins():
    sample = draw_sample(evidence(), 10, 50, seed=0, repetition=0)
    perfect, nothing = sample.truth.copy(), np.full(50, np.nan)
    assert measures_of(sample, perfect, nothing)["tau"] == 1
    assert measures_of(sample, perfect, nothing)["regret_1"] == 0
    perfect[sample.truth.argmax()] = np.nan
    found = measures_of(sample, perfect, nothing)
    assert found["tau"] < 1
    assert found["regret_1"] > 0
    assert measures_of(sample, nothing, nothing)["regret_10"] == np.ptp(sample.truth)
    assert np.isnan(found["nll"])


def test_measures_by_hand():
    assert kendall(np.asarray([1.0, 2, 3]), np.asarray([1.0, 3, 2])) == pytest.approx(1 / 3)
    assert kendall(np.ones(5), np.arange(5.0)) == 0
    assert regret_of_top(np.asarray([3.0, 2, 1]), np.asarray([0.1, 0.5, 0.4]), 1) == pytest.approx(0.4)
    assert regret_of_top(np.ones(3), np.asarray([0.1, 0.5, 0.4]), 1) == pytest.approx(0.4)
    normal = np.random.default_rng(0).normal(size=20_000)
    assert calibration_error(normal, np.zeros(20_000), np.ones(20_000)) < 0.01
    assert calibration_error(normal, np.zeros(20_000), np.full(20_000, 0.2)) > 0.2


def test_a_result_orders_predictors_with_tests():
    known = evidence_of(smooth_bench(MIXED))
    remembers = looked_up(MIXED)

    def opposite(state, features, aux):
        mean, deviation = remembers.predict(state, features, aux)
        return Prediction(-mean, deviation)

    predictors = {"opposite": remembers._replace(predict=opposite), "remembers": remembers}
    found = evaluations(predictors, known, num_train=[3, 6], num_test=6, num_repetitions=40)
    result = prediction_result(found, np.asarray([np.nan]))
    assert result["ceiling"] is None
    assert result["order"]["predictors"] == ["remembers", "opposite"]
    assert result["order"]["separated"] == [True]
    assert [each["num_train"] for each in result["evaluations"]] == [3, 6, 3, 6]
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_the_command_prints_and_writes(capsys, tmp_path):
    options = ["--predictors", "knn,last_value", "--train", "10,20", "--test", "50", "--repetitions", "3"]
    assert main(["predict", TABLE, *options, "--json", "--out", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "prediction.json").read_text())
    assert [(each["predictor"], each["num_train"]) for each in result["evaluations"]] == [
        ("knn", 10),
        ("knn", 20),
        ("last_value", 0),
    ]
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".svg"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([TABLE, "--predictors", "gp_wll"], "Did you mean gp_wl.*Expected a predictor of .*, got 'gp_wll'"),
        ([TABLE, "--predictors", "knn", "--train", "9999"], "Expected 10,199 classes or more .*, got 5,260"),
        (["nothing"], "Expected a folder with a manifest.json, or a table of .*, got 'nothing'"),
        (["nb201-cifar10-v1", "--predictors", "sotl"], "Expected a table with losses for sotl, got nb201-cifar10-v1"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message, capsys):
    assert main(["predict", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)
