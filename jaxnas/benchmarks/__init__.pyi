"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas.benchmarks.base import Benchmark as Benchmark
from jaxnas.benchmarks.base import HeldOut as HeldOut
from jaxnas.benchmarks.evaluator import EvaluatorBenchmark as EvaluatorBenchmark
from jaxnas.benchmarks.function import FunctionBenchmark as FunctionBenchmark
from jaxnas.benchmarks.surrogate import SurrogateBenchmark as SurrogateBenchmark
from jaxnas.benchmarks.training import TrainingBenchmark as TrainingBenchmark
from jaxnas.tables.columns import Column as Column
