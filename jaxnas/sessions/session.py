"""A searcher's session on a benchmark, with a log from which it resumes and can be replayed."""

import os
import threading
from collections.abc import Hashable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.analysis.confirmation import told_runs
from jaxnas.analysis.incumbent import incumbent_scores
from jaxnas.analysis.optima import optimum
from jaxnas.analysis.statistics import mean_known
from jaxnas.benchmarks.base import Benchmark, trainings_of
from jaxnas.benchmarks.loading import load
from jaxnas.benchmarks.rows import rows_of
from jaxnas.benchmarks.tabular import classes_of
from jaxnas.checks import checked_seed
from jaxnas.provenance import versions
from jaxnas.search.loop.chained_lines import JournalFile
from jaxnas.sessions.blinding import Blinded
from jaxnas.sessions.dialogue import SCORE, Dialogue, Rules
from jaxnas.simulation.ask_tell import fold_in, run_key, split_run_key
from jaxnas.simulation.run import MAX_RUN_NUMBER, answered
from jaxnas.simulation.trials import Trials, paid_costs
from jaxnas.spaces.base import Space, has_rows
from jaxnas.strategies.base import ANY, Observation, Query

FORMAT = "jaxnas session 1"


class End(NamedTuple):
    """The result of a session, by the runs that it did not see; by all if it saw every one.

    Attributes:
        text: the architecture it finished with, or else the best that it observed.
        test, regret: the mean held-out score, and the best expected one of the benchmark less that.
        optimism: the best observed score less the mean validation score; None if the architecture was not observed.
        num_unseen: the number of these runs; None if the benchmark has no runs.
    """

    text: str
    test: float
    regret: float
    optimism: float | None
    num_unseen: int | None


class Session:
    """A searcher's session on a benchmark: requests and answers, within a budget.

    `Session(bench).answer({"request": "evaluate", "text": TEXT})` returns a dictionary with the score of one noisy run,
    as `jn.run` would observe it at that trial of run `number` with `seed`. No answer depends on held-out scores.

    Args:
        bench: a benchmark, or the identifier or folder of a table.
        rules: the budget and the costs; by default 100 evaluations.
        blind: the seed of a blinded space, see `jn.sessions.Blinded`; None for the benchmark's own.
        log: a file of the requests and answers. If it exists, the session continues there.

    Raises ValueError if the log is of another session, is damaged or is used by another process.
    """

    def __init__(
        self,
        bench: Benchmark | str | os.PathLike,
        rules: Rules = Rules(),
        *,
        seed: int = 0,
        number: int = 0,
        blind: int | None = None,
        log: str | os.PathLike | None = None,
    ):
        self.bench: Benchmark = load(bench) if isinstance(bench, str | os.PathLike) else bench
        self.rules, self.seed, self.number, self.blind = rules, checked_seed(seed), number, blind
        self.space: Space = self.bench.space if blind is None else Blinded(self.bench.space, blind)
        self._query_key = split_run_key(run_key(seed, checked_seed(number, MAX_RUN_NUMBER - 1)))[1].query
        sign = "" if self.bench.metric.better > 0 else " with its sign changed"
        score = f"validation {self.bench.metric.name} of one training{sign}: {SCORE}"
        self._dialogue, self._lock = Dialogue(self.space, rules, score, self._name_of, number), threading.Lock()
        self.counts = self._dialogue.counts
        self._file: JournalFile | None = None
        if log is not None:
            Path(log).parent.mkdir(parents=True, exist_ok=True)
            file = JournalFile(Path(log), self.header(), kind="session")
            try:
                self.replay(file.lines, str(log))
            except BaseException:
                file.close()
                raise
            self._file = file

    def header(self) -> dict[str, Any]:
        """Returns the first line of the log: everything the answers depend on, as JSON values."""
        bench = {"benchmark": self.bench.id, "content_hash": self.bench.content_hash, "protocol": self.bench.protocol}
        own = {"seed": self.seed, "number": self.number, "blind": self.blind, "versions": versions()}
        return {"format": FORMAT, **bench, **asdict(self.rules), **own}

    def answer(self, request: object) -> dict[str, Any]:
        """Returns the answer to a request, both JSON values, after noting both in the log.

        Mistakes are answers, too, a dictionary with an `error`. Those that cost nothing are not noted.
        """
        with self._lock:
            before = dict(self.counts)
            found = self._dialogue.asked(request)
            if found is None and (waiting := self._dialogue.waiting) is not None:
                found = self._dialogue.told(self._observed(waiting))
            assert found is not None
            if self._file is not None and ("error" not in found or self.counts != before):
                self._file.append(_line_of(request, found))
            return found

    def replay(self, lines: list[dict[str, Any]], name: str) -> None:
        """Asks the requests of a log. Raises ValueError if it is of another session, or an answer differs."""
        own, (found, *asked) = self.header(), lines
        if changed := [part for part in own if found.get(part) != own[part] and part != "versions"]:
            raise ValueError(f"Expected {name} of this session, got one with another {', '.join(changed)}.")
        for number, line in enumerate(asked, start=2):
            request = line.get("request")
            if _line_of(request, self.answer(request)) != line:
                raise ValueError(f"Line {number} of {name} is not of this session: another answer is right.")

    def close(self) -> None:
        """Closes the log."""
        if self._file is not None:
            self._file.close()

    @property
    def is_finished(self) -> bool:
        """Returns whether the searcher has named its result."""
        return self._dialogue.end is not None

    def trials(self) -> Trials:
        """Returns the trials as a run of one strategy, leading axes [1, num_trials], as NumPy arrays.

        Trials that were lost to invalid strings, or not used, are failed ones.
        """
        shape, done = (1, self.rules.num_trials), self._dialogue.evaluations
        some = done[0].arch if done else np.asarray(self.space.sample(jax.random.key(0)))
        archs = np.broadcast_to(self.inner(some), (*shape, len(some))).copy()
        score, cost, seeds = np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.int32)
        for each in done:
            archs[0, each.trial] = self.inner(each.arch)
            score[0, each.trial], cost[0, each.trial], seeds[0, each.trial] = each.observation
        last = np.full(shape, len(self.bench.fidelities) - 1, np.int32)
        found: Any = Trials(Query(archs, last, np.full(shape, ANY, np.int32)), Observation(score, cost, seeds))  # type: ignore[arg-type]
        rows = rows_of(self.bench.space, archs) if has_rows(self.bench.space) else None
        paid: Any = paid_costs(found, cost, rows, trainings_of(self.bench))
        return found._replace(observation=found.observation._replace(cost=paid))

    def end(self) -> End:
        """Returns the result by runs that the session did not see, for reports only.

        Raises ValueError if there is neither a result nor an evaluation that succeeded.
        """
        arch, inner = self.result(), self.inner(self.result())
        seen = [
            each.observation for each in self._dialogue.evaluations if self._name_of(each.arch) == self._name_of(arch)
        ]
        runs, none = [int(each.seed) for each in seen], np.full((1, 1), -1)
        one: Any = Trials(Query(inner[None, None], none, none), Observation(none, none, none))  # type: ignore[arg-type]
        scored = incumbent_scores(one, self.bench, best=none + 1, confirming=np.asarray([[[*runs, -1]]]))
        test, scores = float(scored[0, 0]), [float(each.score) for each in seen if not np.isnan(each.score)]
        validation, num_unseen = self._unseen_validation(inner, runs)
        optimism = max(scores) - validation if scores else None
        return End(self.space.to_str(arch), test, optimum(self.bench).value - test, optimism, num_unseen)

    def result(self) -> np.ndarray:
        """Returns the architecture that the session finished with, or else the best that it observed."""
        done = [each for each in self._dialogue.evaluations if not np.isnan(each.observation.score)]
        if self._dialogue.end is None and not done:
            raise ValueError(f"Session {self.number} has neither a result nor an evaluation that succeeded.")
        end = self._dialogue.end
        return max(done, key=lambda each: float(each.observation.score)).arch if end is None else end

    def _unseen_validation(self, inner: np.ndarray, seen: list[int]) -> tuple[float, int | None]:
        if self.bench.table is None or self.bench.held_out.runs is None:
            return float(self.bench.validation_scores(inner)), None
        runs = told_runs(self.bench)[classes_of(self.bench, inner)]
        unseen = np.where(np.isin(np.arange(len(runs)), seen), np.nan, runs)
        count = int((~np.isnan(unseen)).sum())
        return float(mean_known((unseen if count else runs)[None])[0]), count

    def _observed(self, arch: np.ndarray) -> Observation:
        key, last = fold_in(self._query_key, self._dialogue.num_spent), len(self.bench.fidelities) - 1
        query: Any = Query(*(np.asarray(part, np.int32) for part in (self.inner(arch), last, ANY)))  # type: ignore[arg-type]
        found = answered(self.bench.query, query, key) if self.bench.jittable else self.bench.query(query, key)
        return jax.tree.map(np.asarray, found)

    def inner(self, arch: np.ndarray) -> np.ndarray:
        """Returns an architecture of the searcher's space as one of the benchmark's."""
        return self.space.behind(arch) if isinstance(self.space, Blinded) else arch

    def _name_of(self, arch: np.ndarray) -> Hashable:
        """Returns the class of an architecture in the table, or else its choices."""
        return tuple(arch.tolist()) if self.bench.table is None else int(classes_of(self.bench, self.inner(arch)))


def _line_of(request: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """Returns the line of a log: the known parts of a request, and its answer, but for those that repeat others."""
    parts = request if isinstance(request, dict) else {}  # a forged log can have anything
    known = {name: parts[name] for name in ("request", "text", "tokens") if name in parts}
    return {"request": known} | ({} if known.get("request") in ("describe", "history") else {"answer": answer})
