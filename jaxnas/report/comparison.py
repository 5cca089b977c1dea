"""Comparing strategies: `compare` runs them, and a `Comparison` summarizes the runs and writes the report."""

import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from jaxnas import catalog
from jaxnas.analysis.confirmation import checked_confirm
from jaxnas.analysis.frames import to_frame
from jaxnas.analysis.landscape import landscape
from jaxnas.analysis.optima import Limit
from jaxnas.analysis.pairs import Decision
from jaxnas.analysis.results import Settings, result_of
from jaxnas.analysis.several import overall
from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.loading import load
from jaxnas.benchmarks.penalized import Objective, objective_of, penalized, second_size
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.checks import checked_number
from jaxnas.report.comparison_files import check_names, while_trials_are_written, write_result, write_results
from jaxnas.report.figures.curves import regret_by_trials
from jaxnas.report.figures.style import svg
from jaxnas.report.result_folder import fresh_folder
from jaxnas.report.runs import check_memory, first_guess, run_each, run_until_decided, run_within_budget, runner
from jaxnas.report.tables import summary
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Strategy, asks_for, make
from jaxnas.strategies.named import strategy_named
from jaxnas.strategies.wrappers.constrained import constrained

if TYPE_CHECKING:
    import pandas as pd

SINGLE_OBJECTIVE = (
    "random_search",
    "local_search",
    "regularized_evolution",
    "genetic_algorithm",
    "simulated_annealing",
    "cross_entropy",
    "reinforce",
    "reward_weighted_sampling",
)
"""The strategies that are compared by default: the fast ones."""
ALL, DEFAULT = "all", "default"
TWO_OBJECTIVES = ("random_search", "regularized_evolution", "multi_objective_evolution", "nsga2")
"""The same with a size as second objective."""

DEFAULT_TRIALS = 300

Entry = str | Strategy | Callable[..., Strategy]
"""A strategy to compare: a name (or `file.py:NAME`), a factory, or the strategy itself."""
Entries = str | Sequence[Entry] | Mapping[str, Entry] | None


@final
@dataclass(frozen=True)
class Page:
    """A report as one HTML text, which a notebook shows in a frame of its own."""

    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html)}" width="100%" height="720" style="border: 0"></iframe>'


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The result of `compare`.

    Attributes:
        trials: the `Trials` of each strategy, by name.
        strategies: the strategies that ran, by name.
        settings: how they were compared.
        decisions: the decision on each pair of strategies; None unless runs were added until pairs were decided.
    """

    trials: dict[str, Trials]
    strategies: dict[str, Strategy]
    bench: Benchmark
    settings: Settings
    decisions: dict[tuple[str, str], Decision] | None = None

    def __repr__(self) -> str:
        size = f"{self.settings.num_runs} runs of {self.settings.num_trials} trials"
        return f"Comparison({', '.join(self.trials)} on {self.bench.id}: {size})"

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: the summary and the curves of regret."""
        return self.summary().to_html() + svg(regret_by_trials(self._result))

    def page(self) -> "Page":
        """Returns the report as a page that a notebook shows inline; `write` makes files of it."""
        with tempfile.TemporaryDirectory() as folder:
            return Page(self.write(Path(folder) / "report").read_text(encoding="utf-8"))

    def summary(self) -> "pd.DataFrame":
        """Returns a pandas frame with a row for each strategy, best first.

        It is of the same numbers as `result`: by the objective, within the budget, after confirmation.
        """
        return summary(self.trials, self.bench, self.settings)

    def to_frame(self) -> "pd.DataFrame":
        """Returns a pandas frame with a row per trial: its strategy, then the columns of `jn.analysis.to_frame`."""
        import pandas as pd

        frames = {name: to_frame(each, self.bench) for name, each in self.trials.items()}
        return pd.concat(frames, names=["strategy", None]).reset_index(level="strategy").reset_index(drop=True)

    def result(self) -> dict[str, Any]:
        """Returns the dictionary of `summary.json`."""
        return dict(self._result)

    def write(self, folder: str | os.PathLike, *, pdf: bool = False) -> Path:
        """Returns the path of report.html, after writing it and the other files to a folder.

        They are summary.json, trials.npz, figures as SVG (with `pdf` also as PDF), and tables as LaTeX and CSV. They
        replace an earlier comparison in the folder as a whole. Raises ValueError if a file there
        has one of their names and is not of a comparison.
        """
        return write_result(folder, self.result, self.trials, pdf)

    @functools.cached_property
    def _result(self) -> dict[str, Any]:
        return result_of(self.trials, self.strategies, self.bench, self.settings, self.decisions)


def compare(
    strategies: Entries,
    bench: Benchmark | str | os.PathLike,
    *,
    num_trials: int | None = None,
    num_runs: int = 1000,
    budget: float | None = None,
    most_runs: Mapping[str, int] | None = None,
    seed: int = 0,
    until_decided: bool = False,
    objective: str | None = None,
    confirm: tuple[int, int] | None = None,
    optimum_from: str = "crossfit",
    command: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Returns the `Comparison` of strategies on one benchmark: their trials and results.

    Args:
        strategies: names of the catalog or `file.py:NAME`, factories, or strategies, in a sequence or by the name that
            reports call them; a string such as `"random_search,local_search"`; None for `"default"`. Among names
            `"all"` stands for all in the catalog that fit the objective, `"default"` for the fast ones.
        bench: a benchmark, or the identifier or folder of a table.
        num_trials, num_runs, seed: as of `run`; 300 trials by default.
        budget: the maximum cost of a run, in the benchmark's unit of cost, instead of a number of
            trials. Runs are as long as it takes to spend it; later trials count as failed, at no
            cost. Under a protocol named `published` the trial that crosses the budget counts.
        most_runs: the most runs of a strategy, by name. By default a factory whose module has a constant `MOST_RUNS`
            gets no more; strategies of the catalog that are too slow for a thousand runs have one.
        until_decided: whether to run each strategy only until all its pairs are decided, see
            `jn.analysis.until_decided`.
        objective: as of `jaxnas compare`, with the benchmark's metric first: `"accuracy,flops"` compares by score and
            size, `"accuracy,log-flops"` by the logarithm of the size; `"accuracy,flops<=1e6"` within a limit;
            `"accuracy-1e-6*parameters"` by the score less the weighted size; None by the score alone.
        confirm: (m, k): a run returns the best of m architectures by k further runs each, at their cost, see
            `jn.analysis.confirmed`.
        optimum_from: the reference of regrets, see `jn.regret`.
        command: the command line to show on the page.
        progress: called before and after runs with the strategy, the number of runs done, and the number in all.

    Raises ValueError on unknown or equal names, an unknown objective, or numbers out of range.
    """
    bench = load(bench) if isinstance(bench, str | os.PathLike) else bench
    aim = aim_of(objective, bench)
    bench = _minimized(bench, aim)
    if aim.weight is not None and aim.size is not None:
        bench = penalized(bench, aim.weight, aim.size)
    entries = entries_of(strategies, aim)
    _check_options(num_trials, budget, until_decided)
    confirm = None if confirm is None else checked_confirm(confirm, bench)
    limits = {name: _most_runs(entry, num_runs) for name, entry in entries.items()} | dict(most_runs or {})
    limits = {name: min(num_runs, limits[name]) for name in entries}
    made = {name: _made(entry, bench, aim) for name, entry in entries.items()}
    num_trials = num_trials or (DEFAULT_TRIALS if budget is None else first_guess(budget, bench))
    check_memory(bench, len(made), num_runs, num_trials)
    settings = Settings(
        num_trials, num_runs, seed, "hash", aim, command, optimum_from, budget, confirm, _common_limit(made.values())
    )
    run_some = runner(made, bench, settings, sum(limits.values()), progress)
    if until_decided:
        trials, decisions, cost = run_until_decided(run_some, bench, limits, settings)
        return Comparison(trials, made, bench, settings._replace(equal_cost=cost), decisions)
    if budget is not None:
        return Comparison(run_within_budget(run_some, bench, limits, settings), made, bench, settings)
    return Comparison(run_each(run_some, made, bench, limits), made, bench, settings)


def prepare_report(bench: Benchmark) -> None:
    """Prepares the report of a comparison as far as it needs no runs, while these are compiled."""
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401

    if bench.table is not None:
        landscape(bench)


def _check_options(num_trials: int | None, budget: float | None, until_decided: bool) -> None:
    if budget is None:
        return
    if num_trials is not None:
        raise ValueError(f"Expected a number of trials or a budget, got {num_trials} and {budget:g}.")
    if until_decided:
        raise ValueError("Expected a budget or runs until pairs are decided, got both.")
    checked_number("budget", budget, at_least=0)


def _common_limit(strategies: Iterable[Strategy]) -> Limit | None:
    """Returns the limit that strategies keep to, None if none has one. Raises ValueError on different limits."""
    limits = list(dict.fromkeys(strategy.limit for strategy in strategies if strategy.limit is not None))
    if len(limits) > 1:
        shown = " and ".join(f"{maximum:g}" for _, maximum in limits)
        raise ValueError(f"Expected strategies within one limit, whose optimum they share, got limits of {shown}.")
    return limits[0] if limits else None


def write_overall(
    comparisons: Iterable[Comparison], folder: str | os.PathLike, *, pdf: bool = False
) -> list[dict[str, Any]]:
    """Returns the `summary.json` of comparisons of the same strategies on several benchmarks, after writing them.

    Each goes to a folder named after its benchmark; report.html, summary.json, and the diagram and the tables of ranks,
    over all of them, to the folder itself. All replace the files of an earlier comparison there. An iterator may
    run each comparison when it is needed, so the trials of one are held at a time. `pdf` as of `Comparison.write`.
    """
    results: dict[str, dict[str, Any]] = {}
    folder = Path(folder)
    with fresh_folder(folder) as fresh:
        for comparison in comparisons:
            name = comparison.bench.id
            check_names([*results, name])
            results[name] = while_trials_are_written(fresh / name, comparison.trials, comparison.result)
        ranks = overall(list(results.values()))
        results = {name: result | {"overall": ranks} for name, result in results.items()}
        write_results(fresh, folder, results, pdf)
    return list(results.values())


def aim_of(objective: str | None, bench: Benchmark) -> Objective:
    """Returns the objective of a string as of `compare`. Raises ValueError if the benchmark has none such."""
    if objective is None:
        return Objective(bench.metric.name)
    return objective_of(objective, bench.size_names, bench.metric.name)


def entries_of(strategies: Entries, objective: Objective) -> dict[str, Strategy | Callable[..., Strategy]]:
    """Returns the strategies, or factories of them, to compare by an objective, by their names.

    Argument as of `compare`. Raises ValueError on unknown or equal names.
    """
    if strategies is None:
        strategies = DEFAULT
    if isinstance(strategies, str):
        strategies = [name for name in strategies.split(",") if name]
    if not isinstance(strategies, Mapping):
        strategies = _expanded(strategies, second_size(objective) is not None)
        names = [_name_of(entry) for entry in strategies]
        if len(set(names)) < len(names):
            raise ValueError(f"Expected strategies of different names, got {','.join(names)}.")
        strategies = dict(zip(names, strategies, strict=True))
    if not strategies:
        raise ValueError("Expected strategies, got none.")
    return {name: strategy_named(each) if isinstance(each, str) else each for name, each in strategies.items()}


def _expanded(entries: Sequence[Entry], two_objectives: bool) -> list[Entry]:
    """Returns entries with the names that `all` and `default` stand for, each of these names once."""
    groups = {
        ALL: [name for name in catalog.STRATEGIES if two_objectives or not asks_for(strategy_named(name), "size")],
        DEFAULT: TWO_OBJECTIVES if two_objectives else SINGLE_OBJECTIVE,
    }
    given = [entry for entry in entries if isinstance(entry, str)]
    found: list[Entry] = []
    for entry in entries:
        group = groups.get(entry) if isinstance(entry, str) else None
        found += [entry] if group is None else [name for name in group if name not in given]
    return found


def _name_of(entry: Entry) -> str:
    """Returns the name in reports of a strategy that was given without one."""
    if isinstance(entry, str):
        return entry.rpartition(":")[2]
    name = entry.name if isinstance(entry, Strategy) else getattr(entry, "__name__", None)
    if name is None:
        raise ValueError(f"Expected a dictionary with a name for each strategy, got {entry!r} without one.")
    return name


def _most_runs(entry: Strategy | Callable[..., Strategy], num_runs: int) -> int:
    module = None if isinstance(entry, Strategy) else sys.modules.get(getattr(entry, "__module__", ""))
    return getattr(module, "MOST_RUNS", num_runs)


def _made(entry: Strategy | Callable[..., Strategy], bench: Benchmark, objective: Objective) -> Strategy:
    made = entry if isinstance(entry, Strategy) else make(entry, bench, objective.size or "parameters")
    if objective.maximum is None or objective.size is None:
        return made
    name = made.name
    return constrained(made, bench.space, bench.size(objective.size), objective.maximum)._replace(name=name)


def _minimized(bench: Benchmark, objective: Objective) -> Benchmark:
    """Returns the benchmark with a second objective of which larger is better negated, as sizes are to be small.

    A proxy that is not finite counts as the worst that is.
    """
    size = second_size(objective)
    if size is None or not isinstance(bench, TableBenchmark):
        return bench
    table, name = bench.table, size if size in bench.table.columns else f"num_{size}"
    column = table.columns[name]
    if column.better <= 0:
        return bench
    values = -table.sizes(size).astype(np.float32)
    values = np.where(np.isfinite(values), values, values.max(initial=0, where=np.isfinite(values)))
    own = column._replace(values=values, axes=("class",), better=-1, runs=None)
    table = replace(table, columns={**table.columns, name: own})
    return TableBenchmark(table, noise=bench.noise, space=bench.space, protocol=bench.protocol)
