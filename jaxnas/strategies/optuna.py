"""Optuna's samplers as strategies, and runs as Optuna studies. Needs the package optuna (extra `optuna`)."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Protocol

import jax
import numpy as np

from jaxnas.checks import checked_function
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy


class Recorded(Protocol):
    """The trials of runs, `Trials`."""

    @property
    def query(self) -> Any: ...
    @property
    def observation(self) -> Any: ...


def optuna_strategy(space: Space, sampler_factory: Callable) -> Strategy:
    """Returns a sampler of Optuna as a strategy, which runs in a Python loop.

    It is for one objective. Its state is an Optuna study, which `ask` and `tell` change in place: a run is a fresh
    one from `init`, and every trial is asked before it is reported. Failed trials are reported as failed. If the
    sampler's choices are not an architecture, the nearest one found is queried, and its score reported for the choices.
    Akiba, Sano, Yanase, Ohta and Koyama, "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019.

    Args:
        space: the search space; every decision is a categorical parameter.
        sampler_factory: called as `sampler_factory(seed=int)` for each run, returns the sampler, such as
            `optuna.samplers.TPESampler` or `functools.partial(optuna.samplers.TPESampler, n_startup_trials=20)`.

    Raises ValueError if optuna is missing, or `sampler_factory` returns no sampler.
    """
    optuna = _import_optuna()
    sampler = checked_function("sampler_factory", sampler_factory)(seed=0)
    if not isinstance(sampler, optuna.samplers.BaseSampler):
        raise ValueError(f"Expected sampler_factory to return an Optuna sampler, got {type(sampler).__name__}.")
    distributions = {
        decision.name: optuna.distributions.CategoricalDistribution(range(len(decision.values)))
        for decision in space.decisions
    }

    repaired = jax.jit(space.repaired) if space.constrained else space.repaired

    def init(key: jax.Array, num_trials: int) -> Any:
        return _new_study(optuna, sampler_factory(seed=int(jax.random.bits(key, (), np.uint32))))

    def ask(state: Any, t: jax.Array, key: jax.Array) -> Query:
        params = state.ask(distributions).params
        arch: Any = np.asarray([params[decision.name] for decision in space.decisions], np.int32)
        arch = np.asarray(repaired(key, arch))
        return Query(arch)

    def tell(state: Any, t: jax.Array, query: Query, observation: Observation) -> Any:
        score = float(observation.score)
        failed = optuna.trial.TrialState.FAIL if np.isnan(score) else None
        state.tell(int(t), None if failed else score, state=failed)  # trials are numbered from 0 in both
        return state

    hyperparameters = (("sampler_factory", sampler_factory),)
    name = f"optuna_{type(sampler).__name__}"
    return Strategy(name, init, ask, tell, hyperparameters=hyperparameters, jittable=False, most_given=0)


def to_optuna_study(trials: Recorded, space: Space) -> Any:
    """Returns the trials of a run as an in-memory Optuna study that maximizes the score.

    Parameters are the decisions' values by name; values other than strings, numbers, booleans and None become strings.
    `user_attrs` holds each trial's `cost`, `seed` and `fidelity` (its index). Failed trials are failed in the study.

    Args:
        trials: of runs ([runs, T]), of which the first is used, or of one loop ([T]).
        space: the space of the trials' architectures.

    Raises ValueError if optuna is missing, or the trials are of another space.
    """
    optuna = _import_optuna()
    if np.ndim(trials.query.fidelity) > 1:
        trials = jax.tree.map(lambda values: values[0], trials)
    distributions = {
        decision.name: optuna.distributions.CategoricalDistribution(_readable(decision.values))
        for decision in space.decisions
    }
    _check_choices(trials.query.arch, distributions, space)
    study = _new_study(optuna, optuna.samplers.RandomSampler())
    study.add_trials(_frozen_trials(optuna, trials, distributions))
    return study


def _frozen_trials(optuna: ModuleType, trials: Recorded, distributions: dict) -> list:
    columns = (trials.query.arch, trials.query.fidelity, *trials.observation)
    frozen = []
    for arch, fidelity, score, cost, seed in zip(*columns, strict=True):
        choices = zip(distributions.items(), arch, strict=True)
        outcome = {"state": optuna.trial.TrialState.FAIL} if np.isnan(score) else {"value": float(score)}
        frozen.append(
            optuna.trial.create_trial(
                params={name: distribution.choices[choice] for (name, distribution), choice in choices},
                distributions=distributions,
                user_attrs={"cost": float(cost), "seed": int(seed), "fidelity": int(fidelity)},
                **outcome,
            )
        )
    return frozen


def _check_choices(archs: np.ndarray, distributions: dict, space: Space) -> None:
    sizes = [len(distribution.choices) for distribution in distributions.values()]
    if archs.shape[-1] != len(sizes) or (archs < 0).any() or (archs >= sizes).any():
        raise ValueError(f"Expected trials of {space.name}, got architectures that are not of it.")


def _readable(values: Sequence) -> tuple:
    """Returns the values in a form that Optuna can store, numbered if they would not differ."""
    texts = tuple(value if isinstance(value, str | int | float | None) else str(value) for value in values)
    return texts if len(set(texts)) == len(texts) else tuple(f"{number}: {text}" for number, text in enumerate(texts))


def _new_study(optuna: ModuleType, sampler: Any) -> Any:
    """Returns an empty study, without the line that Optuna logs for each."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction="maximize", sampler=sampler)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _import_optuna() -> ModuleType:
    try:
        import optuna
    except ImportError:
        raise ValueError("Expected the package optuna, got none: pip install 'jaxnas[optuna]'.") from None
    return optuna
