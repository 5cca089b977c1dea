"""The packed plan: the trainings of the sequential one, each in slots of its own, in one program."""

import functools
import logging
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.samples import SMALL, TINY

from jaxnas.spaces.cells import packed, plans
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.spaces.cells.space import NB201, CellSpace
from jaxnas.spaces.layers.base import FUNCTION, IDENTITY
from jaxnas.tables.building import driver
from jaxnas.tables.building.plan import make_plan, trained_shard
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.named import task_named
from jaxnas.training.config import TrainConfig
from jaxnas.training.curves import Curves
from jaxnas.training.networks import default_plan
from jaxnas.training.trainer import Trainer

HERE = Path(__file__).parents[2]
SPACE, TASK = f"{HERE / 'helpers' / 'mine.py'}:SPACE", f"{HERE / 'helpers' / 'mine.py'}:task"
NUM_CLASSES = 3
SEEDS = (0, 1)


def ripple(x, parameters, statistics, train):
    """An operation that is not finite on the zeros of an empty slot, nor are its derivatives."""
    return jnp.sin(x) / x, statistics


ALL = CellSpace(3, (*NB201.operations, ripple), name="all")
"""Every operation of `nb201`, and one that an empty slot must not let out."""

PASSING = CellSpace(2, ("none", "skip_connect"), name="passing")
"""A space without anything to compute."""


def some_archs(space) -> np.ndarray:
    """Returns architectures with each operation on all edges and on some, int32[A, D], pruned."""
    numbers = np.arange(len(space.operations))
    same = np.repeat(numbers[:, None], len(space.edges), axis=1)
    random = np.random.RandomState(0).randint(len(numbers), size=(5, len(space.edges)))
    return packed.pruned(space, np.concatenate([same, random]))


def candidates(space, skeleton: Skeleton, shape):
    """Returns networks, some architectures, arrays of them as after some training, and where they are packed."""
    networks = CellNetworks(space, TrainConfig(network=skeleton), TaskSpec("images", "class", shape, NUM_CLASSES))
    archs = some_archs(space)
    places = len(archs) + 1  # one to spare
    capacities = packed.capacities(space, places)
    placement = packed.place(space, archs, capacities, places)
    filled = jnp.asarray(archs[np.resize(np.arange(len(archs)), places)])
    made = jax.jit(jax.vmap(networks.init))(jax.random.split(jax.random.key(0), places), filled)
    random = np.random.RandomState(1)
    arrays = jax.tree.map(lambda value: jnp.float32(value + random.uniform(0.1, 0.5, value.shape)), made)
    return networks, archs, arrays, (placement, capacities)


@functools.partial(jax.jit, static_argnums=0)
def measure(apply, variables, labels):
    """Returns logits in evaluation and in training mode, gradients, and statistics after a call in training mode.

    `apply` is `(variables, train) -> Applied`.
    """

    def loss(parameters):
        given = variables._replace(parameters=parameters)
        evaluated, trained = (apply(given, train) for train in (False, True))
        losses = optax.softmax_cross_entropy_with_integer_labels(trained.outputs, labels).mean(-1)
        return losses.sum(), ((evaluated.outputs, trained.outputs), trained.statistics)

    gradients, (logits, changed) = jax.grad(loss, has_aux=True)(variables.parameters)
    return logits, gradients, changed


def measured(networks, variables, where, images, labels):
    placement, capacities = where

    @functools.partial(jax.jit, static_argnums=1)
    def apply(variables, train):
        return packed.apply(networks, variables, images, placement, capacities, train)

    return measure(apply, variables, labels)


@functools.partial(jax.jit, static_argnums=0)
def measured_alone(networks, variables, arch, images, labels):
    def apply(variables, train):
        return networks.apply(variables, arch, images, mode="train" if train else "evaluate")

    return measure.__wrapped__(apply, variables, labels)


def at(tree, number: int):
    """Returns one candidate's part of arrays with the axis of candidates first."""
    return jax.tree.map(lambda values: values[number], tree)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("space", "shape"), [(ALL, (6, 5, 1)), (PASSING, (4, 4, 1)), (SMALL, (4, 10, 2))], ids=["all", "passing", "wide"]
)
def test_packed_networks_are_the_single_ones(space, shape):
    """Half a minute for all operations, most of it compilation."""
    skeleton = Skeleton(2, num_stages=2 if space is PASSING else 1)
    networks, archs, arrays, where = candidates(space, skeleton, shape)
    random = np.random.RandomState(2)
    images = random.standard_normal((len(archs) + 1, 8, *shape)).astype(np.float32)
    labels = random.randint(0, NUM_CLASSES, images.shape[:2])
    logits, gradients, changed = measured(networks, arrays, where, images, labels)
    for number, arch in enumerate(archs):
        expected = measured_alone(networks, at(arrays, number), jnp.asarray(arch), images[number], labels[number])
        for one, other in zip(at(logits, number), expected[0], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
        norm = float(optax.tree.norm(expected[1]))
        found = at(gradients, number)
        assert np.isfinite(norm)
        assert jax.tree.structure(found) == jax.tree.structure(expected[1])
        jax.tree.map(
            lambda one, other, n=norm: np.testing.assert_allclose(one, other, atol=1e-4 * n), found, expected[1]
        )
        np.testing.assert_allclose(optax.tree.norm(found), norm, rtol=1e-4)
        found = at(changed, number)
        jax.tree.map(
            lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5), found, expected[2]
        )


def test_a_candidate_that_is_not_finite_leaves_the_others_alone():
    space, shape = SMALL, (6, 5, 1)
    networks, archs, arrays, where = candidates(space, Skeleton(2, num_stages=1), shape)
    random = np.random.RandomState(2)
    images = random.standard_normal((8, *shape)).astype(np.float32)  # the same for all
    labels = random.randint(0, NUM_CLASSES, (len(archs) + 1, 8))
    before = measured(networks, arrays, where, images, labels)
    broken = len(space.operations) + 1
    assert {space.operations[choice].role for choice in archs[broken]} >= {FUNCTION}
    parameters = jax.tree.map(lambda values: values.at[broken].set(jnp.nan), arrays.parameters)
    after = measured(networks, arrays._replace(parameters=parameters), where, images, labels)
    for number in range(len(archs)):
        if number == broken:
            assert not np.isfinite(at(after[0], number)).any()
        else:
            jax.tree.map(np.testing.assert_array_equal, at(after, number), at(before, number))


@pytest.fixture(scope="module")
def small_batches():
    """Lets programs hold four architectures with two seeds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "MAX_TRAININGS", 4 * len(SEEDS))
        yield


def both_plans(space, archs, task, config) -> tuple[Curves, Curves]:
    return tuple(Trainer(space, task, config).curves(archs, SEEDS, plan=plan) for plan in ("packed", "sequential"))


def assert_first_steps_agree(found: Curves, expected: Curves):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
    for name in ("first_loss", "first_gradient_norm"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-4, err_msg=name)


@pytest.fixture(scope="module")
def curves(small_batches, task) -> tuple[Curves, Curves]:
    """Returns the curves of some architectures by the packed and by the sequential plan."""
    return both_plans(SMALL, some_archs(SMALL), task, TINY)


def test_both_plans_train_the_same(curves, task):
    assert_first_steps_agree(*curves)
    for one, other in zip(*curves, strict=True):  # so few steps leave little room for differences to grow
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1 if one.dtype == np.int32 else 0)


def test_neighbors_and_order_do_not_matter_and_one_compilation_serves_all_batches(curves, task, caplog, compiled):
    archs = some_archs(SMALL)
    order = [4, 3, 2, 9, 7, 4]
    told = []
    with caplog.at_level(logging.INFO, "jaxnas"):
        found = Trainer(SMALL, task, TINY).curves(archs[order], SEEDS, progress=lambda: told.append(1), plan="packed")
    assert not [name for name in compiled if "train" in name]
    assert len(told) == len(order)
    assert "5 classes in 2 batches" in caplog.text
    for one, other in zip(found, curves[0], strict=True):
        np.testing.assert_allclose(one, other[order], rtol=1e-4, atol=1 if one.dtype == np.int32 else 0)


@pytest.mark.parametrize("places", [1, 4, 64])
@pytest.mark.parametrize("space", [SMALL, NB201], ids=lambda space: space.name)
def test_batches_hold_every_architecture_once_within_the_capacities(space, places):
    rows = np.random.RandomState(0).permutation(space.num_architectures)[:300]
    archs = packed.pruned(space, space.arch_at(rows))
    capacities = packed.capacities(space, places)
    batches = packed.batches(space, archs, places)
    assert sorted(number for batch in batches for number in batch) == list(range(len(archs)))
    used = 0
    for batch in batches:
        assert len(batch) <= places
        placement = packed.place(space, archs[batch], capacities, places)  # raises where a capacity does not suffice
        used += sum((pairs < len(slots)).sum() for pairs, slots in zip(placement.pairs, placement.slots, strict=True))
    waste = packed.waste(space, archs, places)
    assert waste == pytest.approx(len(batches) * sum(map(sum, capacities)) / used)
    assert waste >= 1
    assert used == sum(space.operations[choice].role == FUNCTION for choice in archs.flat)


def test_more_seeds_take_more_slots_and_no_others():
    one, three = (packed.capacities(NB201, 16, num_seeds) for num_seeds in (1, 3))
    assert (3 * np.asarray(one) == np.asarray(three)).all()


def test_any_architecture_fits_alone_and_a_program_is_no_larger_than_needed():
    assert packed.capacities(NB201, 1) == ((3, 3, 3), (2, 2, 2), (1, 1, 1))
    assert (np.asarray(packed.capacities(NB201, 1000)) < 400 * np.asarray([[3], [2], [1]])).all()  # of 1000 an edge
    assert [packed.num_places(number, 1) for number in (1, 3, 4, 5, 10**6)] == [1, 4, 4, 8, packed.MAX_TRAININGS]
    assert packed.num_places(10**6, 5) == packed.MAX_TRAININGS // 5
    assert packed.num_places(9, 10**6) == 1


def test_a_space_too_large_to_enumerate_has_capacities():
    space = CellSpace(6, NB201.operations, name="large")
    capacities = np.asarray(packed.capacities(space, 8))
    assert capacities.shape == (5, 3)
    assert (capacities >= np.arange(5, 0, -1)[:, None]).all()


def test_a_placement_gives_each_edge_one_slot_of_its_operation():
    archs = some_archs(NB201)
    capacities = packed.capacities(NB201, 16)
    placement = packed.place(NB201, archs, capacities, 16)
    functions = [number for number, operation in enumerate(NB201.operations) if operation.role == FUNCTION]
    for node, (pairs, slots, identity) in enumerate(zip(*placement, strict=True)):
        numbers = [number for number, edge in enumerate(NB201.edges) if edge[0] == node]
        operation_of_slot = np.repeat(functions, capacities[node])
        for pair, slot in enumerate(slots):
            candidate, edge = divmod(pair, len(numbers))
            choice = archs[candidate, numbers[edge]] if candidate < len(archs) else None
            assert (slot < len(pairs)) == (choice in functions)
            assert identity[candidate, edge] == (choice is not None and NB201.operations[choice].role == IDENTITY)
            if slot < len(pairs):
                assert pairs[slot] == pair
                assert operation_of_slot[slot] == choice
        assert (pairs < len(slots)).sum() == (slots < len(pairs)).sum()


def test_candidates_beyond_a_capacity_are_refused():
    archs = np.full((3, 3), 2)
    with pytest.raises(ValueError, match=r"^Expected at most 2 edges with one operation, got 6"):
        packed.place(SMALL, archs, packed.capacities(SMALL, 1), 3)


def test_the_back_end_chooses_the_plan(monkeypatch):
    assert default_plan(CellNetworks) == "sequential"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert default_plan(CellNetworks) == "packed"


@pytest.mark.parametrize("plan", ["", "parallel"])
def test_an_unknown_plan_is_refused(plan, task):
    with pytest.raises(ValueError, match=f"^Expected a plan of sequential, packed, got '{plan}'"):
        Trainer(SMALL, task, TINY).curves([[0, 0, 0]], plan=plan)


def test_chunks_of_the_packed_plan_are_its_batches(monkeypatch):
    monkeypatch.setattr(packed, "MAX_TRAININGS", 32)
    trained = Trainer(SMALL, task_named(TASK), TINY)
    plan = make_plan(trained, 2, training_plan="packed")
    sequential = make_plan(trained, 2)
    assert sequential.training_plan == "sequential"
    assert not {chunk.name for chunk in plan.chunks} & {chunk.name for chunk in sequential.chunks}
    rows = [sorted(row for chunk in each.chunks for row in chunk.rows) for each in (plan, sequential)]
    assert rows[0] == rows[1]
    for chunk in plan.chunks:
        archs = packed.pruned(SMALL, SMALL.arch_at(np.asarray(chunk.rows)))
        assert len(packed.batches(SMALL, archs, 16)) == 1


@pytest.mark.parametrize(("training_plan", "name"), [("packed", "packed-2"), ("sequential", "switch-sequential-4")])
def test_a_build_follows_its_plan_and_names_it(training_plan, name, monkeypatch):
    trained = Trainer(SMALL, task_named(TASK), TINY)
    plan = make_plan(trained, 2, limit=3, training_plan=training_plan)
    assert driver.manifest_of(plan, trained, None, {})["plan"] == name
    called = []

    def fake(self, archs, seeds, *, plan):
        called.append(plan)
        return Curves(*[np.zeros(len(archs))] * len(Curves._fields))

    monkeypatch.setattr(Trainer, "curves", fake)
    for chunk in plan.chunks:
        trained_shard(trained, chunk, plan.seeds, plan.training_plan)
    assert called == [training_plan] * len(plan.chunks)


class Program:
    """A stand-in for the compiled program of some places, which takes 100 bytes for each."""

    def __init__(self, places: int):
        self.places = places

    def compile(self):
        return self

    def memory_analysis(self):
        return SimpleNamespace(temp_size_in_bytes=90 * self.places, output_size_in_bytes=10 * self.places)

    def __call__(self, archs, seeds, placement, splits):
        assert len(archs) == self.places
        numbers = np.repeat(archs[:, 0], len(seeds))
        return Curves(*(numbers[:, None] for _ in Curves._fields))


@pytest.mark.parametrize(("free", "places"), [(900, 8), (799, 4), (450, 4), (250, 2), (10, 1)])
def test_packs_are_made_smaller_until_they_fit_into_memory(free, places, monkeypatch):
    tried = []

    def lower(networks, capacities, archs, *rest):
        tried.append(len(archs))
        return Program(len(archs))

    monkeypatch.setattr(plans, "_train_pack", SimpleNamespace(lower=lower))
    monkeypatch.setattr(plans, "free_bytes", lambda: free)
    archs = np.resize(np.asarray([0, 1], np.int32), (8, 1))
    found = list(plans.in_packs(CellNetworks(PASSING, TINY, None), archs, jnp.arange(1), None))
    assert tried[-1] == places
    assert len(found) == -(-8 // places)
    assert all(np.frombuffer(name, np.int32)[0] == curves.train[0] for each in found for name, curves in each.items())
