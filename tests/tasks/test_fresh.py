"""Fresh tasks and the plans of fresh tables: by a seed, the same each time."""

import numpy as np
import pytest

import jaxnas as jn
from jaxnas.sessions.fresh_tables import MOST_SEEDS, SECONDS, fresh_plan


def test_a_seed_makes_the_same_task_and_another_seed_another_one():
    one, other = jn.task("fresh-7"), jn.task("fresh-8")
    assert one.sha256 == jn.task("fresh-7").sha256 != other.sha256
    assert 5 <= one.num_classes <= 10
    assert set(np.unique(one.train.labels)) == set(range(one.num_classes))
    assert one.train.inputs.mean() == pytest.approx(0, abs=1e-3)
    rows = jn.task("fresh-7-rows")
    np.testing.assert_array_equal(rows.train.inputs, one.train.inputs[..., 0])
    with pytest.raises(ValueError, match="Expected a task"):
        jn.task("fresh-x")


def test_a_seed_and_a_time_make_a_plan_that_fits():
    plans = [fresh_plan(seed, 30) for seed in range(6)]
    assert plans[3] == fresh_plan(3, 30)
    assert len({space for space, _, _ in plans} & set(SECONDS)) > 1
    assert all(3 <= config.num_seeds <= MOST_SEEDS for _, _, config in plans)
    assert len({config.training.learning_rate for _, _, config in plans}) > 4
    with pytest.raises(ValueError, match=r"Expected more minutes: 0.1 are too few"):
        fresh_plan(0, 0.1)
