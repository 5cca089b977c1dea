"""What goals measure, against NumPy; padding adds nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.tasks.base import Split
from jaxnas.tasks.goals import GOALS
from jaxnas.training import loop
from jaxnas.training.curves import Curves
from jaxnas.training.networks import Applied, Variables

RANDOM = np.random.RandomState(0)
OUTPUTS = RANDOM.randn(70, 5, 3).astype(np.float32)
LABELS = RANDOM.randint(-1, 3, (70, 5)).astype(np.int32)


def losses_and_hits():
    """Returns the loss and whether the tag is right, of each real step."""
    real = LABELS >= 0
    outputs, labels = OUTPUTS[real].astype(float), LABELS[real]
    losses = np.log(np.exp(outputs).sum(-1)) - outputs[np.arange(len(labels)), labels]
    return losses, outputs.argmax(-1) == labels


def test_steps_of_padding_count_neither_in_losses_nor_in_hits():
    losses, hits = losses_and_hits()
    for name, expected in (("tags", hits.mean()), ("next", losses.mean())):
        goal = GOALS[name]
        sums = jax.tree.map(lambda values: values.sum(-1), goal.measure(OUTPUTS, LABELS))
        assert goal.value(sums) == pytest.approx(expected, rel=1e-5)
        assert goal.loss(OUTPUTS, LABELS) == pytest.approx(losses.mean(), rel=1e-5)
        assert goal.loss(OUTPUTS, np.full_like(LABELS, -1)) == 0
        gradient = jax.grad(lambda outputs: GOALS[name].loss(outputs, LABELS))(OUTPUTS)  # noqa: B023
        assert not np.asarray(gradient)[LABELS < 0].any()


def test_a_regression_is_scored_by_the_variance_that_it_explains():
    labels, outputs = RANDOM.randn(40).astype(np.float32), RANDOM.randn(40, 1).astype(np.float32)
    goal = GOALS["value"]
    errors = (outputs[:, 0] - labels) ** 2
    assert goal.loss(outputs, labels) == pytest.approx(errors.mean(), rel=1e-5)
    with_padding = np.append(labels, np.nan).astype(np.float32), np.append(outputs, [[9.0]], axis=0)
    for given in ((labels, outputs), with_padding):
        sums = jax.tree.map(lambda values: values.sum(-1), goal.measure(given[1], given[0]))
        expected = 1 - errors.sum() / ((labels - labels.mean()) ** 2).sum()
        assert goal.value(sums) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["tags", "value"])
def test_each_split_has_its_own_score_whatever_the_batches(name):
    if name == "tags":
        inputs, labels = OUTPUTS, LABELS
    else:
        inputs, labels = OUTPUTS[:, :1, 0], OUTPUTS[:, 0, 1]
    splits = [Split(jnp.asarray(inputs[part][None]), jnp.asarray(labels[part])) for part in (slice(25), slice(25, 70))]
    evaluation = loop.evaluation_batches(tuple(splits))
    *found, failed = loop.evaluated(
        lambda *given: Applied(given[1]), Variables(()), GOALS[name], evaluation, len(evaluation.labels)
    )
    for sums, split in zip(found, splits, strict=True):
        own = jax.tree.map(lambda values: values.sum(-1), GOALS[name].measure(split.inputs[0], split.labels))
        np.testing.assert_allclose(GOALS[name].value(sums), GOALS[name].value(own), rtol=1e-5)
    assert not failed


def test_outputs_of_validation_alone_are_failures_and_only_where_there_is_a_label():
    splits = [Split(jnp.asarray(OUTPUTS[part][None]), jnp.asarray(LABELS[part])) for part in (slice(25), slice(25, 70))]
    evaluation = loop.evaluation_batches(tuple(splits))
    labeled, padded, of_test = LABELS[:25] >= 0, LABELS[:25] < 0, LABELS >= 0
    for where, expected in ((labeled, True), (padded, False), (of_test, False)):
        example, step = np.argwhere(where[:64])[-1]  # of the first batch
        inputs = evaluation.inputs.at[0, example, step, 1].set(jnp.inf)
        *_, failed = loop.evaluated(
            lambda *given: Applied(given[1]), Variables(()), GOALS["tags"], evaluation._replace(inputs=inputs), 2
        )
        assert bool(failed) == expected


def test_scores_of_a_metric_that_should_be_small_are_its_negative_and_failures_are_marked():
    values = np.asarray([[[0.5, 0.25]]], np.float32)
    loss = np.asarray([[[1.0, np.nan]]], np.float32)
    curves = Curves(values, values, values[..., 1:], loss, loss[..., 0], loss[..., 0])
    np.testing.assert_array_equal(curves.scores("validation", 10, GOALS["next"].metric)[0, 0], [-0.5, np.nan])
    assert np.isnan(curves.scores("test", 10, GOALS["next"].metric)).all()
    np.testing.assert_array_equal(curves.scores("train", 10, GOALS["value"].metric)[0, 0], [0.5, np.nan])
