"""jaxnas: a research benchmark suite for neural architecture search in JAX. Names load on first use; `import jaxnas`
loads no JAX.

The public names are those in the stub `__init__.pyi`, which editors and type checkers also read, and the strategies of
the catalog. The modules in `_MODULES` are documented separately.
"""

import importlib
from typing import Any

from jaxnas import catalog

__version__ = "0.1.0"

_MODULES = {  # name -> the module behind it
    "analysis": "analysis",
    "benchmarks": "benchmarks",
    "kinds": "training.kinds",
    "lessons": "evidence.lessons",
    "oneshot": "search.one_shot",
    "optuna": "strategies.optuna",
    "predictors": "predictors",
    "proxies": "predictors.zero_cost",
    "sessions": "sessions",
    "simulation": "simulation",
    "spaces": "spaces",
    "tasks": "tasks",
    "transfer": "search.transfer",
}
_MOVED = {
    "JointSpace": "spaces",
    "fit_surrogate": "analysis",
    "import_table": "benchmarks",
    "task_from_arrays": "tasks",
}
"""Names of version 0.1 that are listed elsewhere now, each with its module."""

_get, _listed = catalog.lazy(__name__, __file__)

__all__ = sorted({*_listed(), *catalog.STRATEGIES})


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"jaxnas.{_MODULES[name]}")
    if name in catalog.STRATEGIES:
        return catalog.find(name, catalog.STRATEGIES)
    if name in _MOVED:
        return getattr(__getattr__(_MOVED[name]), name)
    return _get(name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
