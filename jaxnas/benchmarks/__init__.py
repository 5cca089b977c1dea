"""Benchmarks: what a search may query, and what only reports read. A table is one (`jn.TableBenchmark`); here are those
of functions, of evaluations in Python, of trainings and of surrogates, and the parts of tables.

For example `jn.benchmarks.FunctionBenchmark(space, function)`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "Benchmark": "benchmarks.base",
    "BuildConfig": "tables.building.driver",
    "Column": "tables.columns",
    "EvaluatorBenchmark": "benchmarks.evaluator",
    "FunctionBenchmark": "benchmarks.function",
    "HeldOut": "benchmarks.base",
    "SurrogateBenchmark": "benchmarks.surrogate",
    "TrainingBenchmark": "benchmarks.training",
    "column_pack": "tables.packs",
    "plain_table": "tables.trainings",
    "training_grid": "tables.building.fidelities",
    "write_table": "tables.table:write",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
