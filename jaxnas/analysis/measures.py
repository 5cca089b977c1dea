"""The measures that compare strategies: one number of each run, after some trials or for some cost."""

from typing import NamedTuple

import numpy as np

from jaxnas.analysis.budgets import at_budgets, full_price
from jaxnas.analysis.fronts import Fronts
from jaxnas.benchmarks.base import Benchmark
from jaxnas.simulation.trials import Trials


class Measure(NamedTuple):
    """A number of each run, smaller is better.

    Attributes:
        measure: `"regret"`, `"missing_hypervolume"` or `"igd_plus"`.
        at: `"trials"`, after the last; `"budget"`, when it was spent; `"cost"`, at equal cost.
        text: both in words.
        values: of the runs of each strategy, float[runs].
    """

    measure: str
    at: str
    text: str
    values: dict[str, np.ndarray]

    def described(self) -> dict[str, str]:
        """Returns its description, as `summary.json` holds it."""
        return {"measure": self.measure, "at": self.at, "text": self.text}


def regret_measures(
    regrets: dict[str, np.ndarray], at_cost: dict[str, np.ndarray] | None, cost: int | None, end: tuple[str, str]
) -> list[Measure]:
    """Returns the measures of a comparison with one objective, the most important first.

    If strategies with lower fidelities take part, trials cost differently: regrets `at_cost`, float[runs], come
    first, at the equal cost of a number of full trainings, `cost`. `end` is as of `end_of`.
    """
    at, when = end
    last = Measure("regret", at, f"regret {when}", {name: values[:, -1] for name, values in regrets.items()})
    if at_cost is None:
        return [last]
    return [Measure("regret", "cost", f"regret {_for_cost(cost)}", at_cost), last]


def front_measures(fronts: Fronts, cost: int | None, end: tuple[str, str]) -> list[Measure]:
    """Returns the measures of a comparison with two objectives, arguments as of `regret_measures`."""
    at, when = end
    volumes = {name: each[:, -1] for name, each in fronts.missing.items()}
    distances = {name: each[:, -1] for name, each in fronts.distances.items()}
    last = [
        Measure("missing_hypervolume", at, f"missing hypervolume {when}", volumes),
        Measure("igd_plus", at, f"IGD+ {when}", distances),
    ]
    if fronts.missing_at_cost is None:
        return last
    when = _for_cost(cost)
    return [Measure("missing_hypervolume", "cost", f"missing hypervolume {when}", fronts.missing_at_cost), *last]


def _for_cost(cost: int | None) -> str:
    return f"at the cost of {cost} full training{'s' if cost != 1 else ''}"


def end_of(num_trials: int, budget: float | None, unit: str) -> tuple[str, str]:
    """Returns the end of runs: `"trials"` or `"budget"`, and in words."""
    if budget is None:
        return "trials", f"after {num_trials} trial{'s' if num_trials != 1 else ''}"
    return "budget", f"for {budget:,.10g} {unit}"


def trials_paid(trials: Trials, bench: Benchmark, cost: int) -> np.ndarray:
    """Returns how many trials of each run the price of a number of full trainings pays for, int[runs]."""
    numbers = np.broadcast_to(np.arange(1, trials.observation.score.shape[1] + 1), trials.observation.score.shape)
    found = at_budgets(numbers, trials, np.asarray([cost * full_price(bench)]))[:, 0]
    return np.nan_to_num(found).astype(int)
