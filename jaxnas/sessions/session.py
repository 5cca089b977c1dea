"""A searcher's session on a benchmark, with a log from which it resumes and can be replayed."""

import os
import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.analysis.confirmation import told_runs
from jaxnas.analysis.incumbent import incumbent_scores, incumbents
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
from jaxnas.sessions.dialogue import Dialogue, Rules
from jaxnas.simulation.ask_tell import fold_in, run_key, split_run_key
from jaxnas.simulation.run import MAX_RUN_NUMBER, answered
from jaxnas.simulation.trials import Trials, paid_costs
from jaxnas.spaces.base import has_rows
from jaxnas.strategies.base import ANY, Observation, Query

FORMAT = "jaxnas session 1"
_NOT_COMPARED = ("versions",)
_WITHOUT_ANSWER = ("describe", "history")  # which follow from the lines before


class End(NamedTuple):
    """The result of a session, of the architecture that it finished with, or else of its incumbent.

    Attributes:
        text: the architecture.
        test: the mean held-out score over the runs that the session did not see, over all if it saw every one.
        regret: the best expected held-out score of the benchmark less `test`.
        optimism: the best score that the session observed of the architecture, less the mean validation score over the
            runs that it did not see; None if it observed none.
        num_unseen: the number of these runs; None if the benchmark has no runs.
    """

    text: str
    test: float
    regret: float
    optimism: float | None
    num_unseen: int | None


class Session:
    """A searcher's session on a benchmark: requests and their answers, within a budget.

    `Session(bench).answer({"request": "evaluate", "text": TEXT})` returns a dictionary. An answer has the score of one
    noisy run, the one that `jn.run` would observe at that trial of run `number` with `seed`. Held-out scores are in no
    answer.

    Args:
        bench: a benchmark, or the identifier or folder of a table.
        rules: the budget and the costs; by default 100 evaluations.
        seed, number: of the run.
        blind: the seed of a blinded space, see `jaxnas.sessions.blinding`; None for the benchmark's own.
        log: a file of the session's requests and answers. If it exists, the session continues there.

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
        self.rules, self.seed, self.blind = rules, checked_seed(seed), blind
        self.number = checked_seed(number, MAX_RUN_NUMBER - 1)
        self._blinded = None if blind is None else Blinded(self.bench.space, blind)
        self._query_key = split_run_key(run_key(seed, number))[1].query
        self._dialogue = Dialogue(self._blinded or self.bench.space, rules, _score_text(self.bench), self._name_of)
        self._lock = threading.Lock()
        self._file = None
        if log is not None:
            self._file = _opened(Path(log), self.header())
            try:
                replay(self, self._file.lines[1:], str(log))
            except BaseException:
                self.close()
                raise

    def header(self) -> dict[str, Any]:
        """Returns the first line of the log: what the answers depend on, as JSON values."""
        bench = {"benchmark": self.bench.id, "content_hash": self.bench.content_hash, "protocol": self.bench.protocol}
        own = {"seed": self.seed, "number": self.number, "blind": self.blind}
        return {"format": FORMAT, **bench, **self.rules.description(), **own, "versions": versions()}

    def answer(self, request: object) -> dict[str, Any]:
        """Returns the answer to a request, both JSON values, after noting both in the log.

        Mistakes are answers, too: a dictionary with an `error`. Those without an effect are not noted.
        """
        with self._lock:
            before = self._dialogue.counts
            found = self.answer_of(request)
            if self._file is not None and ("error" not in found or self._dialogue.counts != before):
                self._file.append(_line_of(request, found))
            return found

    def answer_of(self, request: object) -> dict[str, Any]:
        """Returns the answer to a request without noting it in the log."""
        found = self._dialogue.asked(request)
        if found is None and (waiting := self._dialogue.waiting) is not None:
            found = self._dialogue.told(self._observed(waiting))
        assert found is not None
        return found

    def close(self) -> None:
        """Closes the log."""
        if self._file is not None:
            self._file.close()

    @property
    def is_finished(self) -> bool:
        """Returns whether the searcher has named its result."""
        return self._dialogue.end is not None

    @property
    def counts(self) -> dict[str, int]:
        """Returns the numbers of evaluations, of texts that were no architecture, of repeats and of tokens."""
        of = self._dialogue
        numbers = {"num_evaluations": len(of.evaluations), "num_invalid": of.num_invalid}
        return numbers | {"num_repeats": of.num_repeats, "num_tokens": of.num_tokens}

    def trials(self) -> Trials:
        """Returns the trials as a run of one strategy, leading axes [1, num_trials], as NumPy arrays.

        Trials that were spent on texts that were no architecture, or not used, are failed ones.
        """
        done, length = self._dialogue.evaluations, self.rules.num_trials
        width, fidelity = len(self.bench.space.decisions), len(self.bench.fidelities) - 1
        archs = np.broadcast_to(self._some_arch(), (1, length, width)).copy()
        score, cost = np.full((1, length), np.nan, np.float32), np.zeros((1, length), np.float32)
        seeds = np.zeros((1, length), np.int32)
        for each in done:
            archs[0, each.trial] = self._inner(each.arch)
            score[0, each.trial], cost[0, each.trial], seeds[0, each.trial] = each.observation
        query: Any = Query(archs, np.full((1, length), fidelity, np.int32), np.full((1, length), ANY, np.int32))
        found = Trials(query, Observation(score, cost, seeds))  # type: ignore[arg-type]
        rows = rows_of(self.bench.space, archs) if has_rows(self.bench.space) else None
        paid = paid_costs(found, cost, rows, trainings_of(self.bench))
        return found._replace(observation=found.observation._replace(cost=paid))

    def end(self) -> End:
        """Returns the result of the session, by runs that it did not see, for reports only.

        Raises ValueError before the first evaluation that succeeded, if the session is not finished either.
        """
        arch = self.reported_arch()
        name = self._name_of_inner(arch)
        seen = [each.observation for each in self._dialogue.evaluations if self._name_of(each.arch) == name]
        runs = np.asarray([[[*(int(each.seed) for each in seen), -1]]])
        one: Any = Trials(Query(arch[None, None], np.zeros((1, 1), int), None), Observation(0, 0, np.full((1, 1), -1)))
        score = incumbent_scores(one, self.bench, best=np.zeros((1, 1), int), confirming=runs)
        scores = [float(each.score) for each in seen if not np.isnan(each.score)]
        validation, num_unseen = self._validation(arch, [int(each.seed) for each in seen])
        return End(
            self._dialogue.space.to_str(self._shown(arch)),
            float(score[0, 0]),
            optimum(self.bench).value - float(score[0, 0]),
            max(scores) - validation if scores else None,
            num_unseen,
        )

    def reported_arch(self) -> np.ndarray:
        """Returns the result as an architecture of the benchmark's space: what it finished with, or its incumbent."""
        if self._dialogue.end is not None:
            return self._inner(self._dialogue.end)
        best = incumbents(self.trials())[0, -1]
        if best < 0:
            raise ValueError(f"Session {self.number} has neither a result nor a successful evaluation.")
        return self.trials().query.arch[0, best]

    def _validation(self, arch: np.ndarray, seen: list[int]) -> tuple[float, int | None]:
        """Returns the mean validation score over the runs that the session did not see, and their number."""
        if self.bench.table is None or self.bench.held_out.runs is None:
            return float(self.bench.validation_scores(arch)), None
        runs = told_runs(self.bench)[classes_of(self.bench, arch)].astype(np.float64)
        unseen = np.where(np.isin(np.arange(len(runs)), seen), np.nan, runs)
        num_unseen = int((~np.isnan(unseen)).sum())
        return float(mean_known((unseen if num_unseen else runs)[None])[0]), num_unseen

    def _observed(self, arch: np.ndarray) -> Observation:
        """Returns the outcome of the next evaluation, by the key of `jn.run`."""
        key = fold_in(self._query_key, self._dialogue.num_spent)
        query: Any = Query(self._inner(arch), np.int32(len(self.bench.fidelities) - 1), np.int32(ANY))
        found = answered(self.bench.query, query, key) if self.bench.jittable else self.bench.query(query, key)
        return jax.tree.map(np.asarray, found)

    def _inner(self, arch: np.ndarray) -> np.ndarray:
        """Returns an architecture of the searcher's space in the benchmark's."""
        return arch if self._blinded is None else np.asarray(self._blinded.behind(arch), np.int32)

    def _shown(self, arch: np.ndarray) -> np.ndarray:
        return arch if self._blinded is None else np.asarray(self._blinded.shown(arch), np.int32)

    def _name_of(self, arch: np.ndarray) -> Hashable:
        return self._name_of_inner(self._inner(arch))

    def _name_of_inner(self, arch: np.ndarray) -> Hashable:
        """Returns what identifies an architecture: its class in a table, or else its choices."""
        return tuple(arch.tolist()) if self.bench.table is None else int(classes_of(self.bench, arch))

    def _some_arch(self) -> np.ndarray:
        """Returns an architecture for trials without one: that of the first evaluation, or any."""
        done = self._dialogue.evaluations
        return self._inner(done[0].arch) if done else np.asarray(self.bench.space.sample(jax.random.key(0)))


def replay(session: Session, lines: list[dict[str, Any]], name: str) -> None:
    """Asks a new session the requests of a log again. Raises ValueError if an answer differs, with its line."""
    for number, line in enumerate(lines, start=2):
        request = line.get("request")
        found = _line_of(request, session.answer_of(request))
        if found != line:
            shown = str(line.get("answer"))[:80], str(found.get("answer"))[:80]
            raise ValueError(f"Line {number} of {name} is not of this session: it has {shown[0]}, not {shown[1]}.")


def _line_of(request: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """Returns the line of a log, with the known parts of a request only."""
    known = {name: request[name] for name in ("request", "text", "tokens") if name in request}
    return {"request": known} | ({} if known["request"] in _WITHOUT_ANSWER else {"answer": answer})


def _opened(path: Path, header: dict[str, Any]) -> JournalFile:
    """Returns an open log. Raises ValueError if it is of another session."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = JournalFile(path, header, kind="session")
    found = file.lines[0]
    changed = [name for name in header if found.get(name) != header[name] and name not in _NOT_COMPARED]
    if changed:
        file.close()
        raise ValueError(f"Choose another log: {path} is of a session with another {', '.join(changed)}.")
    return file


def _score_text(bench: Benchmark) -> str:
    """Returns a sentence on the scores of a benchmark."""
    metric = bench.metric
    sign = "" if metric.better > 0 else ", with its sign changed"
    return f"the validation {metric.name} of one training{sign}: larger is better, and null means that it failed"
