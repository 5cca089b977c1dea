"""The report of sessions: their results by runs that they did not see, and strategies with as many evaluations."""

import os
import re
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
_NUM_DRAWN, _POWER = 200, 0.8


def report_sessions(
    folder: str | os.PathLike,
    *,
    bench: Benchmark | str | os.PathLike | None = None,
    strategies: Entries = "all",
    num_runs: int = 200,
    command: str = "",
) -> Path:
    """Returns the path of the page of the sessions in a folder, after replaying their logs and writing it.

    Args:
        bench: as of `verify_session`.
        strategies: as of `jn.compare`; each has `num_runs` runs, with as many evaluations as a session.

    Raises ValueError if there are no logs, one does not replay, or they are of different benchmarks or rules.
    """
    sessions = [replayed(log, bench) for log in sorted(Path(folder).glob(PATTERN), key=_order)]
    sessions = [session for session in sessions if session.is_finished or session.counts["num_evaluations"]]
    if len({(session.bench.id, session.rules) for session in sessions}) != 1:
        raise ValueError(f"Expected {PATTERN} of one benchmark with the same rules in {folder}, got others or none.")
    first = sessions[0]
    compared = compare(strategies, first.bench, num_trials=first.rules.num_trials, num_runs=num_runs)
    regrets = {name: final_regrets(trials, first.bench) for name, trials in compared.trials.items()}
    return write_search(folder, summary_of(sessions, regrets) | {"command": command}, {})


def _order(log: Path) -> tuple[bool, list[int]]:
    return "blind" in log.stem, [int(number) for number in re.findall(r"\d+", log.stem)]


def summary_of(sessions: Sequence[Session], regrets: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the dictionary of `summary.json`, given the regrets of runs of strategies, float[runs]."""
    bench, rows = sessions[0].bench, [_row(session) for session in sessions]
    kinds = {"plain": True, "blinded": False}
    groups = {kind: [row for row in rows if (row["blind"] is None) == plain] for kind, plain in kinds.items()}
    plain, blinded = ({(row["number"], row["seed"]): row["regret"] for row in found} for found in groups.values())
    pairs = [each for each in plain if each in blinded]
    memory = memory_test([plain[each] for each in pairs], [blinded[each] for each in pairs]) if pairs[1:] else None
    return {
        "kind": SESSIONS,
        "benchmark": bench.id,
        "content_hash": bench.content_hash,
        "space": bench.space.name,
        "metric": bench.metric._asdict(),
        "cost_unit": bench.cost_unit,
        "rules": {name: value for name, value in sessions[0].header().items() if hasattr(sessions[0].rules, name)},
        "sessions": rows,
        "strategies": {name: _mean(values) | {"num_runs": len(values)} for name, values in regrets.items()},
        "groups": {kind: _group(found, regrets) for kind, found in groups.items() if found},
        "memory": memory._asdict() if memory else None,
        "looks": list(LOOKS),
        "versions": versions(),
    }


def _row(session: Session) -> dict[str, Any]:
    bench = session.bench
    best = None if bench.table is None else selection(bench, optimum(bench)).best_validation
    validation = float(bench.validation_scores(session.inner(session.result())))
    own = {"number": session.number, "seed": session.seed, "blind": session.blind, "finished": session.is_finished}
    paid = {"cost": float(session.trials().observation.cost.sum()), **session.counts}
    return own | session.end()._asdict() | {"validation_regret": None if best is None else best - validation} | paid


def _group(rows: list[dict[str, Any]], regrets: dict[str, np.ndarray]) -> dict[str, Any]:
    own = np.asarray([row["regret"] for row in rows])
    asked = sum(row["num_evaluations"] + row["num_invalid"] for row in rows)
    shares = {
        f"{name}_share": sum(row[f"num_{name}"] for row in rows) / max(asked, 1) for name in ("invalid", "repeats")
    }
    known = {name: [row[name] for row in rows if row[name] is not None] for name in ("validation_regret", "optimism")}
    means = {f"{name}_mean": float(np.mean(values)) if values else None for name, values in known.items()}
    return {"num_sessions": len(rows), **_mean(own), **means, **shares, "compared": compared_with(own, regrets)}


def _mean(regrets: np.ndarray) -> dict[str, float]:
    low, high = mean_interval(regrets[:, None])
    return {"regret_mean": float(regrets.mean()), "regret_ci_low": float(low[0]), "regret_ci_high": float(high[0])}


def compared_with(own: np.ndarray, regrets: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Returns for each strategy how regrets of sessions, in their order, differ from the regrets of its runs.

    `p_holm` is `p_over_looks`, corrected for the number of strategies: it holds whenever one stops. After
    `num_more_sessions` like those so far the test would decide with a chance of 80 %; None: not within the looks.
    """
    corrected = holm(np.asarray([p_over_looks(own, theirs) for theirs in regrets.values()]))
    found = {}
    for (name, theirs), p_holm in zip(regrets.items(), corrected.tolist(), strict=True):
        low, high = difference_interval(own, theirs)
        found[name] = {
            "difference": float(own.mean() - theirs.mean()),
            "difference_ci_low": finite(low),
            "difference_ci_high": finite(high),
            "effect_size": effect_size(own, theirs),
            "p_holm": p_holm,
            "num_more_sessions": 0 if p_holm <= LEVEL else _num_more(own, theirs, len(regrets)),
        }
    return found


def p_over_looks(own: np.ndarray, theirs: np.ndarray) -> float:
    """Returns the least p value (Mann and Whitney) at the looks so far, corrected for all looks (Bonferroni)."""
    looks = [look for look in LOOKS if look <= len(own)]
    return min([1.0, *(len(LOOKS) * float(mann_whitney(own[:look], theirs)) for look in looks)])


def _num_more(own: np.ndarray, theirs: np.ndarray, num_strategies: int) -> int | None:
    """Returns how many more sessions would decide, by drawing from those so far."""
    random, runs = np.random.default_rng(0), np.broadcast_to(theirs, (_NUM_DRAWN, len(theirs)))
    for look in (look for look in LOOKS if look > len(own) > 1):
        p_values = len(LOOKS) * num_strategies * mann_whitney(random.choice(own, (_NUM_DRAWN, look)), runs)
        if (p_values <= LEVEL).mean() >= _POWER:
            return look - len(own)
    return None
