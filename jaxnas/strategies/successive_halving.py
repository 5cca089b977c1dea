"""Successive halving."""

from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Strategy, factory_of_space
from jaxnas.strategies.parts.rungs import checked_fidelities, choose_rungs, halved, synchronous_strategy

CITES = ("jamieson2016nonstochastic",)


@factory_of_space
def successive_halving(
    space: Space, *, fidelities: tuple[float, ...], reduction: int = 3, num_initial: int = 27, resume: bool = True
) -> Strategy:
    """Returns successive halving: many architectures are trained briefly, and the best of them longer and longer.

    A bracket draws `num_initial` architectures uniformly for the lowest rung; one in `reduction` of each rung, the
    best, is promoted to the next, and at least one. When a bracket has ended the next one starts afresh. The rungs are
    fidelities: the last, and below each rung the largest fidelity of at most 1 / `reduction` of it, as far as there
    is one. Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS
    2016; they halve (`reduction=2`), 3 is the default of Hyperband.

    Args:
        fidelities: the benchmark's fidelities (epochs), `tuple(bench.fidelities)`; queries hold indices into them.
        reduction: the number of trials of a rung per promotion, and the least factor between rungs.
        num_initial: architectures on the lowest rung of a bracket.
        resume: whether a promoted architecture continues its run and pays only the difference, or any run answers.
    """
    rungs = choose_rungs(checked_fidelities(fidelities), checked_size("reduction", reduction, smallest=2))
    brackets = (halved(checked_size("num_initial", num_initial), len(rungs), reduction),)
    hyperparameters = (("reduction", reduction), ("num_initial", num_initial))
    return synchronous_strategy(
        "successive_halving", space, rungs, brackets, lambda state, t, key: space.sample(key), hyperparameters, resume
    )
