"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas import analysis
from jaxnas import benchmarks
from jaxnas import predictors
from jaxnas import sessions
from jaxnas import simulation
from jaxnas import spaces
from jaxnas import tasks
from jaxnas.analysis.regret import regret
from jaxnas.benchmarks.loading import load
from jaxnas.benchmarks.penalized import penalized
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.evidence import lessons
from jaxnas.evidence.reproduction import reproduce
from jaxnas.evidence.verification import verify
from jaxnas.predictors import zero_cost as proxies
from jaxnas.report.architecture import show
from jaxnas.report.comparison import compare
from jaxnas.report.explorer.explorer import explore
from jaxnas.report.prediction import predict
from jaxnas.search import one_shot as oneshot
from jaxnas.search import transfer
from jaxnas.search.nas import NAS
from jaxnas.search.one_shot.one_shot import OneShot
from jaxnas.sessions.external import external
from jaxnas.sessions.session import Session
from jaxnas.simulation.ask_tell import AskTell
from jaxnas.simulation.run import run
from jaxnas.spaces.base import Space
from jaxnas.spaces.cells.space import CellSpace
from jaxnas.spaces.cells.space import NB201
from jaxnas.spaces.decisions import Decision
from jaxnas.spaces.named import space_named as space
from jaxnas.spaces.perceptrons.space import MLPSpace
from jaxnas.spaces.search_space import SearchSpace
from jaxnas.strategies import optuna
from jaxnas.strategies.asynchronous_halving import asynchronous_halving
from jaxnas.strategies.bananas import bananas
from jaxnas.strategies.base import Query
from jaxnas.strategies.base import Strategy
from jaxnas.strategies.bohb import bohb
from jaxnas.strategies.cross_entropy import cross_entropy
from jaxnas.strategies.exhaustive_search import exhaustive_search
from jaxnas.strategies.gaussian_process import gaussian_process
from jaxnas.strategies.genetic_algorithm import genetic_algorithm
from jaxnas.strategies.hyperband import hyperband
from jaxnas.strategies.local_search import local_search
from jaxnas.strategies.multi_objective_evolution import multi_objective_evolution
from jaxnas.strategies.named import strategy_named as strategy
from jaxnas.strategies.nsga2 import nsga2
from jaxnas.strategies.predictor_guided import predictor_guided
from jaxnas.strategies.random_search import random_search
from jaxnas.strategies.regularized_evolution import regularized_evolution
from jaxnas.strategies.reinforce import reinforce
from jaxnas.strategies.reward_weighted_sampling import reward_weighted_sampling
from jaxnas.strategies.simulated_annealing import simulated_annealing
from jaxnas.strategies.successive_halving import successive_halving
from jaxnas.strategies.tree_parzen_estimator import tree_parzen_estimator
from jaxnas.strategies.wrappers.constrained import constrained
from jaxnas.tables.building.driver import build
from jaxnas.tables.table import Table
from jaxnas.tasks.named import task_named as task
from jaxnas.training import kinds
from jaxnas.training.config import TrainConfig
from jaxnas.training.fitted import FittedModel
from jaxnas.training.trainer import Trainer

__version__: str
__all__ = [
    "AskTell",
    "CellSpace",
    "Decision",
    "FittedModel",
    "MLPSpace",
    "NAS",
    "NB201",
    "OneShot",
    "Query",
    "SearchSpace",
    "Session",
    "Space",
    "Strategy",
    "Table",
    "TableBenchmark",
    "TrainConfig",
    "Trainer",
    "analysis",
    "asynchronous_halving",
    "bananas",
    "benchmarks",
    "bohb",
    "build",
    "compare",
    "constrained",
    "cross_entropy",
    "exhaustive_search",
    "explore",
    "external",
    "gaussian_process",
    "genetic_algorithm",
    "hyperband",
    "kinds",
    "lessons",
    "load",
    "local_search",
    "multi_objective_evolution",
    "nsga2",
    "oneshot",
    "optuna",
    "penalized",
    "predict",
    "predictor_guided",
    "predictors",
    "proxies",
    "random_search",
    "regret",
    "regularized_evolution",
    "reinforce",
    "reproduce",
    "reward_weighted_sampling",
    "run",
    "sessions",
    "show",
    "simulated_annealing",
    "simulation",
    "space",
    "spaces",
    "strategy",
    "successive_halving",
    "task",
    "tasks",
    "transfer",
    "tree_parzen_estimator",
    "verify",
]
