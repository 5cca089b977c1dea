"""The report of sessions: their results by runs that they did not see, beside strategies with as many evaluations."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.analysis.optima import optimum
from jaxnas.analysis.pairs import difference_interval, effect_size, holm, mann_whitney
from jaxnas.analysis.regret import final_regrets
from jaxnas.analysis.selection import selection
from jaxnas.analysis.statistics import LEVEL, finite, mean_interval
from jaxnas.benchmarks.base import Benchmark
from jaxnas.provenance import versions
from jaxnas.report.comparison import Entries, compare
from jaxnas.report.comparison_files import write_search
from jaxnas.report.result_folder import SESSIONS
from jaxnas.sessions.memory import memory_test
from jaxnas.sessions.session import Session
from jaxnas.sessions.verification import replayed

PATTERN = "session-*.jsonl"
LOOKS = (5, 10, 20, 40, 80, 160)
"""The numbers of sessions after which they are tested. P values are corrected for all of these looks."""
NUM_RUNS = 200
_NUM_DRAWN = 200
_POWER = 0.8


def report_sessions(
    folder: str | os.PathLike,
    *,
    bench: Benchmark | str | os.PathLike | None = None,
    strategies: Entries = "all",
    num_runs: int = NUM_RUNS,
    command: str = "",
) -> Path:
    """Returns the path of the page of the sessions in a folder, after replaying their logs and writing it.

    Args:
        bench: as of `verify_session`.
        strategies: to compare with, as of `jn.compare`, each with as many evaluations as a session has.
        num_runs: runs of each strategy.

    Raises ValueError if there are no logs, one does not replay, or they are of different benchmarks or rules.
    """
    sessions = [replayed(log, bench) for log in sorted(Path(folder).glob(PATTERN), key=_number)]
    sessions = [session for session in sessions if session.is_finished or session.counts["num_evaluations"]]
    if not sessions:
        raise ValueError(f"Expected logs of sessions with an evaluation in {folder}, {PATTERN}, got none.")
    first = sessions[0]
    if any((each.bench.id, each.rules) != (first.bench.id, first.rules) for each in sessions):
        raise ValueError(f"Expected sessions of one benchmark with the same rules in {folder}, got different ones.")
    compared = compare(strategies, first.bench, num_trials=first.rules.num_trials, num_runs=num_runs)
    regrets = {name: final_regrets(trials, first.bench) for name, trials in compared.trials.items()}
    return write_search(folder, summary_of(sessions, regrets) | {"command": command}, {})


def _number(log: Path) -> tuple[str, int]:
    kind, _, number = log.stem.partition("-")
    digits = "".join(itertools.takewhile(str.isdecimal, number))
    return kind + number.removeprefix(digits), int(digits or 0)


def summary_of(sessions: Sequence[Session], regrets: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the dictionary of `summary.json`: sessions, plain and blinded apart, and what strategies reached.

    `regrets` are those of the runs of each strategy after as many evaluations, float[runs].
    """
    bench = sessions[0].bench
    rows = [_row(session) for session in sessions]
    kinds = {"plain": [row for row in rows if row["blind"] is None]}
    kinds["blinded"] = [row for row in rows if row["blind"] is not None]
    pairs = _pairs(kinds["plain"], kinds["blinded"])
    return {
        "kind": SESSIONS,
        "benchmark": bench.id,
        "content_hash": bench.content_hash,
        "space": bench.space.name,
        "metric": bench.metric._asdict(),
        "cost_unit": bench.cost_unit,
        "rules": sessions[0].rules.description(),
        "optimum": optimum(bench)._asdict(),
        "sessions": rows,
        "strategies": {name: _mean(values) | {"num_runs": len(values)} for name, values in regrets.items()},
        "groups": {kind: _group(found, regrets) for kind, found in kinds.items() if found},
        "memory": memory_test(*pairs)._asdict() if len(pairs[0]) > 1 else None,
        "looks": list(LOOKS),
        "versions": versions(),
    }


def _row(session: Session) -> dict[str, Any]:
    """Returns the result of a session with what it spent."""
    bench, end = session.bench, session.end()
    validation = float(bench.validation_scores(session.reported_arch()))
    best = None if bench.table is None else selection(bench, optimum(bench)).best_validation
    cost = float(session.trials().observation.cost.sum())
    own = {"number": session.number, "seed": session.seed, "blind": session.blind, "finished": session.is_finished}
    return {
        **own,
        **end._asdict(),
        "validation_regret": None if best is None else best - validation,
        **session.counts,
        "cost": cost,
    }


def _pairs(plain: list[dict[str, Any]], blinded: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    """Returns the regrets of plain and blinded sessions of the same number and seed."""
    others = {(row["number"], row["seed"]): row["regret"] for row in blinded}
    both = [row for row in plain if (row["number"], row["seed"]) in others]
    return [row["regret"] for row in both], [others[row["number"], row["seed"]] for row in both]


def _group(rows: list[dict[str, Any]], regrets: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the means over sessions, and how they compare with each strategy."""
    own = np.asarray([row["regret"] for row in rows])
    asked = sum(row["num_evaluations"] + row["num_invalid"] for row in rows)
    optimism = [row["optimism"] for row in rows if row["optimism"] is not None]
    validation = [row["validation_regret"] for row in rows if row["validation_regret"] is not None]
    return {
        **_mean(own),
        "num_sessions": len(rows),
        "validation_regret_mean": float(np.mean(validation)) if validation else None,
        "optimism_mean": float(np.mean(optimism)) if optimism else None,
        "invalid_share": sum(row["num_invalid"] for row in rows) / max(asked, 1),
        "repeated_share": sum(row["num_repeats"] for row in rows) / max(asked, 1),
        "compared": compared_with(own, regrets),
    }


def _mean(regrets: np.ndarray) -> dict[str, float]:
    low, high = mean_interval(regrets[:, None])
    return {"regret_mean": float(regrets.mean()), "regret_ci_low": float(low[0]), "regret_ci_high": float(high[0])}


def compared_with(own: np.ndarray, regrets: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Returns for each strategy how regrets of sessions, in their order, differ from those of its runs.

    `p_value` is of Mann and Whitney's test at the `LOOKS` so far, corrected for all of them (Bonferroni), `p_holm` for
    the number of strategies, too: both hold whenever one stops. `num_more_sessions` is after how many more the test
    would decide with a chance of 80 %, if they are like those so far; None if not within the looks, or of one session.
    """
    values = {name: p_over_looks(own, theirs) for name, theirs in regrets.items()}
    corrected = holm(np.asarray(list(values.values())))
    found = {}
    for (name, p_value), p_holm in zip(values.items(), corrected.tolist(), strict=True):
        low, high = difference_interval(own, regrets[name])
        found[name] = {
            "difference": float(own.mean() - regrets[name].mean()),
            "difference_ci_low": finite(low),
            "difference_ci_high": finite(high),
            "effect_size": effect_size(own, regrets[name]),
            "p_value": p_value,
            "p_holm": p_holm,
            "num_more_sessions": 0 if p_holm <= LEVEL else _num_more(own, regrets[name], len(regrets)),
        }
    return found


def p_over_looks(own: np.ndarray, theirs: np.ndarray) -> float:
    """Returns the least p value over the looks so far, corrected for all looks."""
    looks = [look for look in LOOKS if look <= len(own)]
    return min([1.0, *(len(LOOKS) * float(mann_whitney(own[:look], theirs)) for look in looks)])


def _num_more(own: np.ndarray, regrets: np.ndarray, num_strategies: int) -> int | None:
    """Returns how many more sessions like those so far would decide, by drawing from them."""
    random = np.random.default_rng(0)
    theirs = np.broadcast_to(regrets, (_NUM_DRAWN, len(regrets)))
    for look in (look for look in LOOKS if look > len(own) > 1):
        drawn = random.choice(own, (_NUM_DRAWN, look))
        if (len(LOOKS) * num_strategies * mann_whitney(drawn, theirs) <= LEVEL).mean() >= _POWER:
            return look - len(own)
    return None
