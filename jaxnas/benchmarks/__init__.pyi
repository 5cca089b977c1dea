"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.base import HeldOut
from jaxnas.benchmarks.evaluator import EvaluatorBenchmark
from jaxnas.benchmarks.function import FunctionBenchmark
from jaxnas.benchmarks.surrogate import SurrogateBenchmark
from jaxnas.benchmarks.training import TrainingBenchmark
from jaxnas.tables.building.driver import BuildConfig
from jaxnas.tables.building.fidelities import training_grid
from jaxnas.tables.columns import Column
from jaxnas.tables.published.importing import import_table
from jaxnas.tables.table import column_pack
from jaxnas.tables.table import write as write_table
from jaxnas.tables.trainings import plain_table

__all__ = [
    "Benchmark",
    "BuildConfig",
    "Column",
    "EvaluatorBenchmark",
    "FunctionBenchmark",
    "HeldOut",
    "SurrogateBenchmark",
    "TrainingBenchmark",
    "column_pack",
    "import_table",
    "plain_table",
    "training_grid",
    "write_table",
]
