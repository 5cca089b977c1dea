"""Benchmarks: the data that searches may query, and data for reports only. A table is one (`jn.TableBenchmark`);
here are those for functions, Python evaluations, trainings and surrogates, and the parts of tables.

For example `jn.benchmarks.FunctionBenchmark(space, function)`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
