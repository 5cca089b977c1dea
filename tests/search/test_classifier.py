"""The classifier is one of scikit-learn's."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from jaxnas.search.estimators import NASClassifier, _validation_members
from jaxnas.spaces.perceptrons.space import MLPSpace

X, Y = load_iris(return_X_y=True)
NAMES = np.asarray(["setosa", "versicolor", "virginica"])[Y]


FEW = MLPSpace(
    1,
    widths=(16, 32),
    activations=("relu",),
    initializers=("he_normal",),
    regularizers=("none",),
    dropout_rates=(0,),
    name="few",
)
"""A space of two networks, whose programs compile quickly: one for each shape of data."""


@pytest.fixture(scope="module")
def fitted() -> NASClassifier:
    return NASClassifier(num_trials=3, num_epochs=20, random_state=0).fit(X, NAMES)


CHECKS = {
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_dont_overwrite_parameters",
    "check_estimators_unfitted",
    "check_n_features_in_after_fitting",
    "check_fit_idempotent",
    "check_complex_data",
    "check_estimators_empty_data_messages",
    "check_estimators_nan_inf",
    "check_estimator_sparse_array",
    "check_classifiers_regression_target",
    "check_supervised_y_no_nan",
    "check_supervised_y_2d",
    "check_fit1d",
    "check_fit2d_1sample",
}
FITTING = {"check_dont_overwrite_parameters", "check_n_features_in_after_fitting", "check_fit_idempotent"}
"""These fit, each to data of another shape, and compile for seconds."""


@pytest.mark.parametrize("names", [CHECKS - FITTING, pytest.param(FITTING, marks=pytest.mark.nightly)])
def test_checks_of_scikit_learn_pass(names):
    """`experiments/validity/scikit_learn_checks.py` runs all that scikit-learn has."""
    done = set()
    for estimator, check in estimator_checks_generator(NASClassifier(FEW, num_trials=2, num_epochs=1)):
        if (name := getattr(check, "func", check).__name__) in names:
            check(estimator)
            done.add(name)
    assert done == names


def test_it_learns_and_predicts_the_classes_it_was_given(fitted):
    assert fitted.score(X, NAMES) > 0.9
    assert set(fitted.predict(X)) == set(NAMES)
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(1)], fitted.predict(X))
    assert len(fitted.history_) == 3
    assert fitted.validation_score_ == fitted.history_["accuracy"].max()


def test_a_pickled_one_and_an_equal_one_predict_the_same(fitted):
    expected = fitted.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), expected)
    np.testing.assert_array_equal(clone(fitted).fit(X, NAMES).predict_proba(X), expected)


@pytest.mark.nightly
def test_it_is_part_of_a_pipeline_and_of_cross_validation():
    classifier = NASClassifier(FEW, num_trials=2, num_epochs=20, random_state=0)
    scores = cross_val_score(make_pipeline(StandardScaler(), classifier), X, Y, cv=2)
    assert scores.mean() > 0.8


@pytest.mark.parametrize("counts", [(2, 1), (2, 2), (5, 6), (40, 7, 1)])
def test_validation_data_are_of_every_class_that_has_two(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    chosen = _validation_members(labels, np.random.RandomState(0))
    for label, count in enumerate(counts):
        num_chosen = chosen[labels == label].sum()
        assert num_chosen == (0 if count == 1 else max(1, round(count / 5)))


@pytest.mark.parametrize(
    ("samples", "classes", "message"),
    [
        (np.where(X > 7, np.nan, X), Y, "contains NaN"),
        (X, np.zeros(150, int), "Expected two or more classes, got 1 class"),
        (X[[0, 60, 120]], Y[[0, 60, 120]], "Expected two or more samples of a class"),
        (X, Y[:-1], "inconsistent numbers of samples"),
        (NAMES[:, None], Y, "^Turn words into numbers, .* of numbers, got <U10"),
    ],
    ids=["nan", "one class", "one of each", "shapes", "strings"],
)
def test_wrong_data_say_what_is_wrong(samples, classes, message):
    with pytest.raises(ValueError, match=message):
        NASClassifier(num_trials=2, num_epochs=1).fit(samples, classes)
