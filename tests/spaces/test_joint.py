"""Joint spaces: choices of architectures and of hyperparameters in one vector, trained as the plain space is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import SMALL, SMALL_MLP, all_archs
from helpers.tiny_kind import TINY_KIND

import jaxnas as jn
from jaxnas.spaces.named import space_named
from jaxnas.tasks.goals import GOALS, smoothed
from jaxnas.training.fitted import FittedModel
from jaxnas.training.loop import train_seeds
from jaxnas.training.networks import networks_class
from jaxnas.training.trainer import Trainer

RATES = jn.Decision("learning_rate", (0.02, 0.1, 0.5), ordered=True)
DECAYS = jn.Decision("weight_decay", (0.0, 0.1))
JOINT = jn.spaces.JointSpace(SMALL, (RATES, DECAYS))
TINY = jn.spaces.JointSpace(TINY_KIND, (RATES, DECAYS))


@pytest.fixture(scope="module")
def task():
    generator = np.random.default_rng(0)
    labels = np.arange(90) % 3
    return jn.task_from_arrays(generator.normal(size=(90, 5)) + labels[:, None], labels, name="points")


def test_a_step_of_an_ordered_decision_is_to_the_next_value():
    archs = all_archs(JOINT)[::37]
    for arch in archs:
        found = np.unique(np.asarray(JOINT.neighbors(jnp.asarray(arch))), axis=0)
        changes = found - arch
        assert ((changes != 0).sum(1) <= 1).all()
        assert set(np.abs(changes[:, 3])) <= {0, 1}
        expected = 3 * 4 + (2 if arch[3] == 1 else 1) + 1
        assert (changes != 0).any(1).sum() == expected
    plain = jn.SearchSpace("plain", (jn.Decision("a", range(5), ordered=True), jn.Decision("b", range(3))))
    steps = jax.vmap(lambda key: plain.mutate(key, jnp.asarray([2, 0])))(jax.random.split(jax.random.key(0), 300))
    names, counts = np.unique(np.asarray(steps), axis=0, return_counts=True)
    assert names.tolist() == [[1, 0], [2, 1], [2, 2], [3, 0]]
    assert counts.min() > 40


def test_what_counts_in_the_space_of_architectures_counts():
    archs = all_archs(JOINT)
    classes = np.unique(JOINT.classes())
    assert len(classes) == 6 * len(np.unique(SMALL.classes()))
    arch = archs[700]
    assert JOINT.from_str(JOINT.to_str(arch)).tolist() == arch.tolist()
    assert JOINT.decode(arch) == {**SMALL.decode(arch[:3]), "learning_rate": 0.5, "weight_decay": 0.0}
    labels, edges = JOINT.labeled(arch)
    names = [JOINT.label_names[label] for label in np.asarray(labels) if label >= 0]
    assert names[:2] == ["learning_rate=0.5", "weight_decay=0.0"]
    assert not np.tril(edges).any()
    assert len(JOINT.features(arch)) == len(SMALL.features(arch[:3])) + 5
    assert JOINT.description()["decisions"][3] == {
        "name": "learning_rate",
        "values": ["0.02", "0.1", "0.5"],
        "ordered": True,
    }


@pytest.mark.parametrize(
    "space", [TINY_KIND, pytest.param(SMALL_MLP, marks=pytest.mark.nightly)], ids=["tiny", "small-mlp"]
)
def test_a_value_that_is_an_argument_trains_as_one_of_the_configuration(space, task):
    joint = jn.spaces.JointSpace(space, (RATES, DECAYS))
    archs = all_archs(space)[[0, -1]]
    choices = [[2, 1]]
    together = Trainer(joint, task).curves([[*arch, *each] for arch in archs for each in choices], [0, 3])
    number = 0
    for arch in archs:
        for rate, decay in choices:
            config = dataclasses.replace(
                networks_class(space).default, learning_rate=RATES.values[rate], weight_decay=DECAYS.values[decay]
            )
            alone = Trainer(space, task, config).curves(arch[None], [0, 3])
            for one, other in zip(together, alone, strict=True):
                np.testing.assert_array_equal(one[number], other[0])
            number += 1


def test_one_program_trains_all_values(task):
    before = train_seeds._cache_size()
    curves = Trainer(TINY, task).curves([[0, rate, decay] for rate in range(3) for decay in range(2)], [0])
    assert train_seeds._cache_size() == before + 1
    assert len(np.unique(curves.loss)) == 6
    np.testing.assert_array_equal(curves.first_loss, np.broadcast_to(curves.first_loss[:1], (6, 1)))  # same weights


def test_smoothed_labels_are_those_of_the_definition():
    outputs = jnp.asarray(np.random.default_rng(0).normal(size=(7, 4)), jnp.float32)
    labels = jnp.arange(7) % 4
    targets = 0.8 * jax.nn.one_hot(labels, 4) + 0.2 / 4
    expected = -(targets * jax.nn.log_softmax(outputs)).sum(1).mean()
    assert smoothed(GOALS["class"], 0.2).loss(outputs, labels) == pytest.approx(float(expected), rel=1e-6)


def test_a_model_that_was_searched_for_is_saved_and_read_again(tmp_path, task):
    space = jn.spaces.JointSpace(jn.MLPSpace(2, 16), (RATES, DECAYS))
    nas = jn.NAS(space, task, strategy="random_search", num_epochs=1, progress=False)
    result = nas.search(3)
    assert set(result.architecture) >= {"layers", "learning_rate", "weight_decay"}
    model = result.train()
    model.save(tmp_path / "model")
    again = FittedModel.load(tmp_path / "model")
    assert (again.space, again.architecture) == (space, model.architecture)
    np.testing.assert_array_equal(again.predict(task.test.inputs[0]), model.predict(task.test.inputs[0]))


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ((jn.Decision("rate", (1.0,)),), "a hyperparameter"),
        ((jn.Decision("learning_rate", (0.1, 0.0)),), "learning_rate above 0, got 0.0"),
        ((jn.Decision("momentum", ("high",)),), "momentum from 0 to below 1, got 'high'"),
        ((), "one or more decisions"),
        ((RATES, RATES), "different names"),
    ],
)
def test_wrong_hyperparameters_are_refused(decisions, message):
    with pytest.raises(ValueError, match=message):
        jn.spaces.JointSpace(SMALL, decisions)


def test_a_task_without_such_hyperparameters_is_refused(task):
    many = jn.spaces.JointSpace(TINY_KIND, (jn.Decision("num_views", (1, 3)),))
    with pytest.raises(ValueError, match="num_views of at most 1"):
        Trainer(many, task).curves([[0, 0]])
    with pytest.raises(ValueError, match="with networks"):
        Trainer(jn.spaces.JointSpace(space_named("nb101"), (RATES,)), task)
    with pytest.raises(ValueError, match="an architecture such as"):
        JOINT.from_str("|none~0|")
