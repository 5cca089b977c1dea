"""Hyperband."""

from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Strategy, factory_of_space
from jaxnas.strategies.parts.rungs import checked_fidelities, choose_rungs, hyperband_brackets, synchronous_strategy

CITES = ("li2018hyperband",)


@factory_of_space
def hyperband(space: Space, *, fidelities: tuple[float, ...], reduction: int = 3, resume: bool = True) -> Strategy:
    """Returns Hyperband: brackets of successive halving that start ever fewer architectures on ever higher rungs.

    With n rungs, the bracket that uses the upper k of them starts ceil(n / k * reduction ** (k - 1)) uniform draws;
    k runs from n to 1, and then from n again. If fidelities are not `reduction` times apart, neither are rungs, and
    brackets differ in cost. Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, "Hyperband: A Novel Bandit-Based
    Approach to Hyperparameter Optimization", JMLR 2018. Arguments and rungs as in `successive_halving`.
    """
    rungs = choose_rungs(checked_fidelities(fidelities), checked_size("reduction", reduction, smallest=2))
    brackets = hyperband_brackets(len(rungs), reduction)
    hyperparameters = (("reduction", reduction),)
    return synchronous_strategy(
        "hyperband", space, rungs, brackets, lambda state, t, key: space.sample(key), hyperparameters, resume
    )
