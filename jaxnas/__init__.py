"""jaxnas: a research benchmark suite for neural architecture search in JAX. Names load on first use; `import jaxnas`
loads no JAX.
"""

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "Applied": "training.family",
    "AskTell": "simulation.ask_tell",
    "CellSpace": "spaces.cells.space",
    "Column": "tables.columns",
    "Comparison": "report.comparison",
    "Curves": "training.curves",
    "Decision": "spaces.base",
    "EvaluatorBenchmark": "benchmarks.evaluator",
    "Family": "training.family",
    "FittedModel": "training.fitted",
    "FunctionBenchmark": "benchmarks.function",
    "HeldOut": "benchmarks.base",
    "Kernels": "training.family",
    "ListedSpace": "spaces.listed",
    "MLPSpace": "spaces.perceptrons.space",
    "Metric": "tasks.metrics",
    "NAS": "search.nas",
    "NB201": "spaces.cells.space",
    "Network": "spaces.cells.network",
    "Observation": "strategies.base",
    "Operation": "spaces.cells.operations.base",
    "Plan": "training.family",
    "Query": "strategies.base",
    "SearchSpace": "spaces.base",
    "Size": "training.family",
    "Skeleton": "spaces.cells.network",
    "Space": "spaces.base",
    "Split": "tasks.base",
    "Strategy": "strategies.base",
    "Table": "tables.table",
    "TableBenchmark": "benchmarks.tabular",
    "Task": "tasks.base",
    "TaskSpec": "tasks.base",
    "TrainConfig": "training.config",
    "Trainer": "training.trainer",
    "TrainingBenchmark": "benchmarks.training",
    "Trials": "simulation.trials",
    "Variables": "training.family",
    "asynchronous_halving": "strategies.asynchronous_halving",
    "bananas": "strategies.bananas",
    "bohb": "strategies.bohb",
    "compare": "report.comparison",
    "constrained": "strategies.constrained",
    "cross_entropy": "strategies.cross_entropy",
    "evaluate": "training.trainer",
    "exhaustive_search": "strategies.exhaustive_search",
    "fit": "training.trainer",
    "gaussian_process": "strategies.gaussian_process",
    "genetic_algorithm": "strategies.genetic_algorithm",
    "hyperband": "strategies.hyperband",
    "incumbents": "analysis.incumbents",
    "load": "benchmarks.tabular",
    "local_search": "strategies.local_search",
    "multi_objective_evolution": "strategies.multi_objective_evolution",
    "nsga2": "strategies.nsga2",
    "num_runs_for_power": "analysis.planning",
    "optuna_strategy": "strategies.optuna",
    "pairwise": "analysis.pairs",
    "penalised": "benchmarks.penalised",
    "power": "analysis.planning",
    "predictor_guided": "strategies.predictor_guided",
    "random_search": "strategies.random_search",
    "regret": "analysis.regret",
    "regularized_evolution": "strategies.regularized_evolution",
    "reinforce": "strategies.reinforce",
    "reward_weighted_sampling": "strategies.reward_weighted_sampling",
    "run": "simulation.run",
    "run_asynchronous": "simulation.asynchronous",
    "run_key": "simulation.ask_tell",
    "sequential_plan": "training.loop",
    "simulate": "simulation.run",
    "simulated_annealing": "strategies.simulated_annealing",
    "space": "catalog",
    "strategy": "catalog",
    "successive_halving": "strategies.successive_halving",
    "summary": "report.tables",
    "task": "catalog",
    "task_from_arrays": "tasks.arrays",
    "to_frame": "analysis.frames",
    "to_optuna_study": "strategies.optuna",
    "tree_parzen_estimator": "strategies.tree_parzen_estimator",
    "until_decided": "analysis.sequential",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"jaxnas.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'jaxnas' has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
