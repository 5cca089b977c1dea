"""Benchmarks: what a search may query, and what only reports read. A table is one (`jn.TableBenchmark`); here are those
of functions, of evaluations in Python, of trainings and of surrogates, and the parts of tables.

For example `jn.benchmarks.FunctionBenchmark(space, function)`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
