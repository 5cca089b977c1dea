"""jaxnas: a research benchmark suite for neural architecture search in JAX. Names load on first use; `import jaxnas`
loads no JAX.

Public names are those of `_PUBLIC` and the strategies of the catalog. Editors and type checkers read `__init__.pyi`,
which `python tests/repository/test_public_names.py` writes from both.
"""

import importlib
from typing import Any

from jaxnas import catalog

__version__ = "0.1.0"

_PUBLIC = {  # name -> the module that holds it
    "Applied": "training.networks",
    "AskTell": "simulation.ask_tell",
    "Benchmark": "benchmarks.base",
    "BlockSpace": "spaces.macro.space",
    "CellSpace": "spaces.cells.space",
    "Chain": "spaces.macro.network",
    "Column": "tables.columns",
    "Comparison": "report.comparison",
    "Confirmed": "analysis.confirmation",
    "Curves": "training.curves",
    "Decision": "spaces.decisions",
    "EvaluatorBenchmark": "benchmarks.evaluator",
    "FittedModel": "training.fitted",
    "FunctionBenchmark": "benchmarks.function",
    "GraphStates": "spaces.graph_networks.network",
    "HeldOut": "benchmarks.base",
    "JointSpace": "spaces.joint.space",
    "Kernels": "training.networks",
    "ListedSpace": "spaces.listed",
    "MLPSpace": "spaces.perceptrons.space",
    "Metric": "tasks.metrics",
    "NAS": "search.nas",
    "NB101": "spaces.nasbench101.space",
    "NB201": "spaces.cells.space",
    "Network": "spaces.cells.network",
    "NetworkExplanation": "analysis.explanation.networks",
    "Networks": "training.networks",
    "Observation": "strategies.base",
    "OneShot": "search.one_shot.one_shot",
    "OneShotResult": "search.one_shot.result",
    "Operation": "spaces.layers.base",
    "Optimum": "analysis.optimum",
    "Plan": "training.networks",
    "Query": "strategies.base",
    "Recipe": "training.recipe",
    "Recurrence": "spaces.recurrent.network",
    "RecurrentSpace": "spaces.recurrent.space",
    "SearchResult": "search.result",
    "SearchSpace": "spaces.base",
    "Size": "training.networks",
    "SizeSpace": "spaces.sizes.space",
    "Skeleton": "spaces.cells.network",
    "Space": "spaces.base",
    "Split": "tasks.base",
    "Stack": "spaces.darts.network",
    "Strategy": "strategies.base",
    "SurrogateBenchmark": "benchmarks.surrogate",
    "Table": "tables.table",
    "TableBenchmark": "benchmarks.tabular",
    "Task": "tasks.base",
    "TaskSpec": "tasks.base",
    "TrainConfig": "training.config",
    "Trainer": "training.trainer",
    "TrainingBenchmark": "benchmarks.training",
    "TransformerSpace": "spaces.transformers.space",
    "Trials": "simulation.trials",
    "Variables": "training.networks",
    "Widths": "spaces.sizes.network",
    "ablation_path": "analysis.explanation.attribution",
    "check_strategy": "simulation.checking",
    "compare": "report.comparison",
    "compared_with_sources": "search.transfer.protocol",
    "confirmed": "analysis.confirmation",
    "constrained": "strategies.wrappers.constrained",
    "evaluate": "training.trainer",
    "explain_network": "analysis.explanation.networks",
    "explained_by_table": "analysis.explanation.explain",
    "fit": "training.trainer",
    "greedy_portfolio": "search.transfer.sources",
    "in_order": "strategies.wrappers.in_order",
    "incumbents": "analysis.incumbents",
    "insertion": "analysis.explanation.motifs",
    "journaled": "search.loop.journaled",
    "load": "benchmarks.tabular",
    "motifs": "analysis.explanation.motifs",
    "num_runs_for_power": "analysis.power",
    "optimum": "analysis.optimum",
    "optuna_strategy": "strategies.optuna",
    "one_shot_method": "catalog",
    "pairwise": "analysis.pairs",
    "penalized": "benchmarks.penalized",
    "power": "analysis.power",
    "prior_guided": "strategies.wrappers.prior_guided",
    "proxy": "catalog",
    "proxy_scores": "predictors.zero_cost.scores",
    "rank_correlation": "search.one_shot.correlation",
    "rank_weighted": "search.transfer.rank_weighted",
    "regret": "analysis.regret",
    "run": "simulation.run",
    "run_asynchronous": "simulation.asynchronous",
    "run_key": "simulation.ask_tell",
    "scored_by_table": "analysis.explanation.score_models",
    "scored_by_trials": "analysis.explanation.score_models",
    "sequential_plan": "training.loop",
    "shapley": "analysis.explanation.attribution",
    "simulate": "simulation.run",
    "space": "catalog",
    "strategy": "catalog",
    "summary": "report.tables",
    "supernet_pack": "search.one_shot.pack",
    "task": "catalog",
    "task_from_arrays": "tasks.arrays",
    "to_frame": "analysis.frames",
    "to_optuna_study": "strategies.optuna",
    "until_decided": "analysis.pairs",
    "warm_started": "strategies.wrappers.warm_started",
}

__all__ = sorted([*_PUBLIC, *catalog.STRATEGIES])


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"jaxnas.{_PUBLIC[name]}"), name)
    if name in catalog.STRATEGIES:
        return catalog.find(name, catalog.STRATEGIES)
    raise AttributeError(f"module 'jaxnas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
