"""The public names, for type checkers. Written by `python tests/repository/test_public_names.py`."""

from jaxnas import analysis as analysis
from jaxnas import benchmarks as benchmarks
from jaxnas import predictors as predictors
from jaxnas import simulation as simulation
from jaxnas import spaces as spaces
from jaxnas import tasks as tasks
from jaxnas.analysis.regret import regret as regret
from jaxnas.analysis.surrogates import fit_surrogate as fit_surrogate
from jaxnas.benchmarks.loading import load as load
from jaxnas.benchmarks.penalized import penalized as penalized
from jaxnas.benchmarks.tabular import TableBenchmark as TableBenchmark
from jaxnas.catalog import space as space
from jaxnas.catalog import strategy as strategy
from jaxnas.catalog import task as task
from jaxnas.evidence.reproduction import reproduce as reproduce
from jaxnas.predictors import zero_cost as proxies
from jaxnas.report.architecture import show as show
from jaxnas.report.comparison import compare as compare
from jaxnas.report.explorer.explorer import explore as explore
from jaxnas.report.prediction import predict as predict
from jaxnas.search import one_shot as oneshot
from jaxnas.search import transfer as transfer
from jaxnas.search.nas import NAS as NAS
from jaxnas.search.one_shot.one_shot import OneShot as OneShot
from jaxnas.simulation.ask_tell import AskTell as AskTell
from jaxnas.simulation.run import run as run
from jaxnas.spaces.base import SearchSpace as SearchSpace
from jaxnas.spaces.base import Space as Space
from jaxnas.spaces.cells.space import CellSpace as CellSpace
from jaxnas.spaces.cells.space import NB201 as NB201
from jaxnas.spaces.decisions import Decision as Decision
from jaxnas.spaces.joint.space import JointSpace as JointSpace
from jaxnas.spaces.perceptrons.space import MLPSpace as MLPSpace
from jaxnas.strategies import optuna as optuna
from jaxnas.strategies.asynchronous_halving import asynchronous_halving as asynchronous_halving
from jaxnas.strategies.bananas import bananas as bananas
from jaxnas.strategies.base import Query as Query
from jaxnas.strategies.base import Strategy as Strategy
from jaxnas.strategies.bohb import bohb as bohb
from jaxnas.strategies.cross_entropy import cross_entropy as cross_entropy
from jaxnas.strategies.exhaustive_search import exhaustive_search as exhaustive_search
from jaxnas.strategies.gaussian_process import gaussian_process as gaussian_process
from jaxnas.strategies.genetic_algorithm import genetic_algorithm as genetic_algorithm
from jaxnas.strategies.hyperband import hyperband as hyperband
from jaxnas.strategies.local_search import local_search as local_search
from jaxnas.strategies.multi_objective_evolution import multi_objective_evolution as multi_objective_evolution
from jaxnas.strategies.nsga2 import nsga2 as nsga2
from jaxnas.strategies.predictor_guided import predictor_guided as predictor_guided
from jaxnas.strategies.random_search import random_search as random_search
from jaxnas.strategies.regularized_evolution import regularized_evolution as regularized_evolution
from jaxnas.strategies.reinforce import reinforce as reinforce
from jaxnas.strategies.reward_weighted_sampling import reward_weighted_sampling as reward_weighted_sampling
from jaxnas.strategies.simulated_annealing import simulated_annealing as simulated_annealing
from jaxnas.strategies.successive_halving import successive_halving as successive_halving
from jaxnas.strategies.tree_parzen_estimator import tree_parzen_estimator as tree_parzen_estimator
from jaxnas.strategies.wrappers.constrained import constrained as constrained
from jaxnas.tables.building.driver import build as build
from jaxnas.tables.building.verification import verify as verify
from jaxnas.tables.published.importing import import_table as import_table
from jaxnas.tables.table import Table as Table
from jaxnas.tasks.arrays import task_from_arrays as task_from_arrays
from jaxnas.training import kinds as kinds
from jaxnas.training.config import TrainConfig as TrainConfig
from jaxnas.training.fitted import FittedModel as FittedModel
from jaxnas.training.trainer import Trainer as Trainer

__version__: str
__all__ = [
    "AskTell",
    "CellSpace",
    "Decision",
    "FittedModel",
    "JointSpace",
    "MLPSpace",
    "NAS",
    "NB201",
    "OneShot",
    "Query",
    "SearchSpace",
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
    "fit_surrogate",
    "gaussian_process",
    "genetic_algorithm",
    "hyperband",
    "import_table",
    "kinds",
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
    "show",
    "simulated_annealing",
    "simulation",
    "space",
    "spaces",
    "strategy",
    "successive_halving",
    "task",
    "task_from_arrays",
    "tasks",
    "transfer",
    "tree_parzen_estimator",
    "verify",
]
