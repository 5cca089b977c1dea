"""The figures of the speed measurement come out of the times of its sides as its docstring says, without PyTorch."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "experiments" / "speed" / "training.py"


@pytest.fixture(scope="module")
def script():
    """Returns the measuring script as a module."""
    spec = importlib.util.spec_from_file_location("speed_training", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_ratios_are_medians_over_rounds_of_pytorch_by_jaxnas(script):
    def rounds(walls, cpus):
        return [script.Measured(*times, 10, 1000, 100, 0.5) for times in zip(walls, cpus, strict=True)]

    found = script.figures(
        {
            "jaxnas": rounds([1, 2, 4], [1, 1, 2]),
            "eager": rounds([4, 4, 4], [5, 4, 12]),
            "folded": rounds([1, 1, 1], [1, 3, 4]),
        }
    )
    assert found["eager_ratio"] == 5
    assert found["eager_ratio_range"] == [4, 6]
    assert found["eager_wall_ratio"] == 2
    assert found["folded_ratio"] == 2
    assert found["folded_wall_ratio_range"] == [0.25, 1]
    assert found["jaxnas_cpu_ms"] == 1
    assert found["folded_cpu_ms"] == 3


def test_a_side_is_the_sum_of_its_workers(script):
    parts = [script.Measured(1, 2, 10, 100, 20, 0.5), script.Measured(3, 4, 30, 300, 60, 0.7)]
    assert script.total(parts) == script.Measured(4, 6, 40, 400, 80, pytest.approx(0.65))


def test_unequal_work_ends_the_script(script):
    measured = script.Measured(1, 1, 10, 100, 20, 0.5)
    script._check_equal_work({"jaxnas": measured, "eager": measured._replace(wall=2)})
    with pytest.raises(SystemExit, match="the same trainings"):
        script._check_equal_work({"jaxnas": measured, "eager": measured._replace(num_steps=99)})
