"""jaxnas: a research benchmark suite for neural architecture search in JAX. Names load on first use; `import jaxnas`
loads no JAX.
"""

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "AskTell": "simulation",
    "CellSpace": "spaces.cell",
    "Curves": "train",
    "Decision": "spaces.base",
    "FittedModel": "fitted",
    "FunctionBenchmark": "benchmark",
    "MLPSpace": "spaces.mlp",
    "NAS": "search",
    "NB201": "spaces.cell",
    "Network": "network.model",
    "ObjectiveBenchmark": "objective",
    "Observation": "strategies.base",
    "Operation": "operations.base",
    "Query": "strategies.base",
    "SearchSpace": "spaces.base",
    "Skeleton": "network.model",
    "Split": "tasks.base",
    "Strategy": "strategies.base",
    "Table": "table",
    "TableBenchmark": "benchmark",
    "Task": "tasks.base",
    "TrainConfig": "train",
    "TrainingBenchmark": "benchmark",
    "Trials": "simulation",
    "asynchronous_halving": "strategies.promotion",
    "bananas": "strategies.ensemble",
    "bohb": "strategies.density",
    "compare": "simulation",
    "constrained": "strategies.constraint",
    "cross_entropy": "strategies.distribution",
    "evaluate": "train",
    "exhaustive_search": "strategies.random",
    "fit": "train",
    "gaussian_process": "strategies.gaussian",
    "genetic_algorithm": "strategies.genetic",
    "hyperband": "strategies.brackets",
    "incumbents": "analysis.trajectory",
    "load": "benchmark",
    "local_search": "strategies.local",
    "multi_objective_evolution": "strategies.pareto",
    "network_size": "network.size",
    "nsga2": "strategies.nsga",
    "num_runs_for_power": "analysis.planning",
    "optuna_strategy": "strategies.optuna_sampler",
    "pairwise": "analysis.pairs",
    "power": "analysis.planning",
    "predictor_guided": "strategies.predictor",
    "random_search": "strategies.random",
    "regret": "analysis.trajectory",
    "regularized_evolution": "strategies.evolution",
    "reinforce": "strategies.policy",
    "reward_weighted_sampling": "strategies.sampling",
    "run": "simulation",
    "run_asynchronous": "asynchronous",
    "run_key": "simulation",
    "simulate": "simulation",
    "simulated_annealing": "strategies.annealing",
    "space": "catalog",
    "strategy": "catalog",
    "successive_halving": "strategies.halving",
    "summary": "analysis.results",
    "task": "catalog",
    "task_from_arrays": "tasks.arrays",
    "to_frame": "analysis.results",
    "to_optuna_study": "strategies.optuna_sampler",
    "tree_parzen_estimator": "strategies.parzen",
    "until_decided": "analysis.sequential",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"jaxnas.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'jaxnas' has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
