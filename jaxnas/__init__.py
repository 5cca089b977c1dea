"""jaxnas: a research benchmark suite for neural architecture search in JAX. Names load on first use; `import jaxnas`
loads no JAX.

Public are the names of `_PUBLIC`, the strategies of the catalog, and the modules of `_MODULES` with names of their own.
Editors and type checkers read stubs (`.pyi`), which `python tests/repository/test_public_names.py` writes.
"""

import importlib
from typing import Any

from jaxnas import catalog

__version__ = "0.1.0"

_PUBLIC = {  # name -> the module that holds it
    "AskTell": "simulation.ask_tell",
    "CellSpace": "spaces.cells.space",
    "Decision": "spaces.decisions",
    "FittedModel": "training.fitted",
    "JointSpace": "spaces.joint.space",
    "MLPSpace": "spaces.perceptrons.space",
    "NAS": "search.nas",
    "NB201": "spaces.cells.space",
    "OneShot": "search.one_shot.one_shot",
    "Query": "strategies.base",
    "SearchSpace": "spaces.base",
    "Space": "spaces.base",
    "Strategy": "strategies.base",
    "Table": "tables.table",
    "TableBenchmark": "benchmarks.tabular",
    "TrainConfig": "training.config",
    "Trainer": "training.trainer",
    "build": "tables.building.driver",
    "compare": "report.comparison",
    "constrained": "strategies.wrappers.constrained",
    "explore": "report.explorer.explorer",
    "fit_surrogate": "analysis.surrogates",
    "import_table": "tables.published.importing",
    "load": "benchmarks.loading",
    "penalized": "benchmarks.penalized",
    "predict": "report.prediction",
    "regret": "analysis.regret",
    "reproduce": "evidence.reproduction",
    "run": "simulation.run",
    "show": "report.architecture",
    "space": "catalog",
    "strategy": "catalog",
    "task": "catalog",
    "task_from_arrays": "tasks.arrays",
    "verify": "tables.building.verification",
}
_MODULES = {  # name -> the module behind it
    "analysis": "analysis",
    "benchmarks": "benchmarks",
    "kinds": "training.kinds",
    "oneshot": "search.one_shot",
    "optuna": "strategies.optuna",
    "predictors": "predictors",
    "proxies": "predictors.zero_cost",
    "simulation": "simulation",
    "spaces": "spaces",
    "tasks": "tasks",
    "transfer": "search.transfer",
}

__all__ = sorted([*_PUBLIC, *catalog.STRATEGIES, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"jaxnas.{_PUBLIC[name]}"), name)
    if name in catalog.STRATEGIES:
        return catalog.find(name, catalog.STRATEGIES)
    if name in _MODULES:
        return importlib.import_module(f"jaxnas.{_MODULES[name]}")
    raise AttributeError(f"module 'jaxnas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
