"""Trainings on a chosen device of several, which are two of the processor's here: no accelerator was at hand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import jax
import numpy as np
import jaxnas as jn
from helpers.tiny_kind import TINY_KIND
from jaxnas.training.experimental.memory import free_bytes

random = np.random.RandomState(0)
task = jn.task_from_arrays(random.randn(60, 5), np.arange(60) % 3, name="vectors")
config = jn.TrainConfig(num_epochs=1, batch_size=8)
first, second = jax.devices()
found = []
for device in (first, second):
    with jax.default_device(device):
        trainer = jn.Trainer(TINY_KIND, task, config)
        found.append(trainer.curves([[0], [1]], [0, 1]))
        assert {each.device for each in jax.tree.leaves(trainer._splits)} == {device}
        assert free_bytes() is None
for one, other in zip(*found):
    np.testing.assert_array_equal(one, other)
print("the same on both")
"""


@pytest.mark.processes
def test_trainings_on_the_second_device_are_those_on_the_first():
    """Four seconds: a process starts."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert done.stdout == "the same on both\n", done.stderr
