"""The journal of a search: a file from which it resumes after an interruption."""

import contextlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnas.benchmarks.base import HostBenchmark, Outcome, fidelity_names, training_names
from jaxnas.checks import NUM_SEEDS
from jaxnas.search.loop.chained_lines import JournalFile
from jaxnas.spaces.decisions import Choices, checked
from jaxnas.strategies.base import ANY, Observation, Query, observed

JOURNAL_FILE = "journal.jsonl"
PLANNED = "num_trials"
"""The key of the number of trials that a search was begun with; another one continues it."""
_TRIAL = {"trial": int, "arch": list, "fidelity": int, "score": (float, type(None)), "cost": float}
_TRIAL |= {"seed": int, "failure": str}
_FRESH = {"fresh": int, "arch": list, "score": (float, type(None))}


def journaled(
    bench: HostBenchmark, folder: str | os.PathLike | None, description: dict, num_workers: int = 1
) -> HostBenchmark:
    """Returns a benchmark that remembers the answers of another one, in order, in a file of a folder.

    Asked again in the same order, it gives the answers in the file, and then asks the benchmark. A line
    is on disk when the call that appends it returns, so killing the process loses one evaluation at
    most. Until `close` is called, or the process ends, no other search can use the file.

    Args:
        folder: it is created if missing. None: the benchmark itself is returned.
        description: the settings that the order of queries depends on, as JSON values.
        num_workers: how many queries may wait for their answers at a time, which then stand in the file in the order in
            which they came.

    Raises ValueError if the file is of another search, is used by one, is damaged, or is not a
    search journal.
    """
    return bench if folder is None else Journaled(bench, folder, description, num_workers)


class Journaled:
    """The benchmark that `journaled` returns."""

    jittable = False

    def __init__(self, bench: HostBenchmark, folder: str | os.PathLike, description: dict, num_workers: int = 1):
        self.bench, self._num_workers = bench, num_workers
        self.id, self.space, self.fidelities, self.metric = bench.id, bench.space, bench.fidelities, bench.metric
        self.prices, self.cost_unit, self.size_names = bench.prices, bench.cost_unit, bench.size_names
        self.content_hash, self.held_out = bench.content_hash, bench.held_out
        self.table, self.protocol = bench.table, bench.protocol
        self.trainings, self.fidelity_names = training_names(bench), fidelity_names(bench)
        self.price, self.size, self.sizes = bench.price, bench.size, bench.sizes
        self.validation_scores = bench.validation_scores
        self.path = Path(folder) / JOURNAL_FILE
        self._num_answers = 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        header = json.loads(json.dumps({**bench.description(), **description}))
        self._file = JournalFile(self.path, header)
        try:
            self._read(header)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Gives the file free for other searches."""
        self._file.close()

    def _read(self, header: dict) -> None:
        found, *lines = self._file.lines
        self._planned = header.get(PLANNED), found.get(PLANNED)
        changed = [key for key in header | found if found.get(key) != header.get(key) and key != PLANNED]
        if changed:
            raise ValueError(
                f"Search in another folder: {self.path} is the journal of a search with another {', '.join(changed)}."
            )
        self._trials = [line for line in lines if "trial" in line]
        fresh = [line for line in lines if "trial" not in line]
        running = set(range(self._num_workers))
        for count, line in enumerate(self._trials, start=self._num_workers):
            self._check(line, _TRIAL, running)
            running = running - {line["trial"]} | {count}
        for line in fresh:
            self._check(line, _FRESH)
        self._fresh = {(*line["arch"], line["fresh"]): line["score"] for line in fresh}

    def _check(self, line: dict, kinds: dict[str, Any], running: Collection[int | None] = (None,)) -> None:
        """Raises ValueError if a line, whose checksum is right, is none that a search writes.

        `running`: the numbers of the trials that can be the next to be answered.
        """
        whole = set(line) == set(kinds) and all(isinstance(line[name], kind) for name, kind in kinds.items())
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            checked(line["arch"] if whole else (), self.space.decisions)
            finite = np.isfinite([line["score"] or 0.0, line.get("cost", 0.0)]).all()
            in_range = (
                0 <= line.get("fidelity", 0) < len(self.fidelities) and ANY <= line.get("seed", 0) < NUM_SEEDS // 2
            )
            if finite and in_range and line.get("trial") in running:
                return
        raise ValueError(f"Expected {self.path} with trials of this search, got {json.dumps(line)[:60]}.")

    def answer(self, query: Query, key: jax.Array) -> Outcome:
        """Returns the next outcome of the journal, or else the benchmark's answer.

        Raises ValueError if the journal has another query there.
        """
        number = self._num_answers
        recalled = self.recalled({number: query})
        if recalled is not None:
            return recalled[1]
        outcome = self.bench.answer(query, key)
        self.note(number, query, outcome)
        return outcome

    def recalled(self, running: Mapping[int, Query]) -> tuple[int, Outcome] | None:
        """Returns the number and the outcome of the trial whose answer came next; None at the end of the journal.

        Raises ValueError if no running trial has its number, or that trial asks another query.
        """
        if self._num_answers >= len(self._trials):
            return None
        line = self._trials[self._num_answers]
        number = line["trial"]
        if number not in running:
            raise ValueError(f"Expected {self.path} with trials of this search, got trial {number} before its time.")
        query = running[number]
        same = line["arch"] == query.arch.tolist() and line["fidelity"] == int(query.fidelity)
        if not same or int(query.seed) not in (ANY, line["seed"]):
            asked, (planned, before) = query.arch.tolist(), self._planned
            if planned != before:
                raise ValueError(
                    f"Search in another folder: the search in {self.path.parent} was begun with {before} trials, and "
                    f"the strategy plans {planned} otherwise; trial {number} differs."
                )
            raise ValueError(f"Expected trial {number} of {self.path} to ask {asked}, got {line['arch']}.")
        score = _from_json(line["score"])
        self._num_answers += 1
        return number, Outcome(observed(score, line["cost"], line["seed"]), score, line["failure"])

    def note(self, number: int, query: Query, outcome: Outcome) -> None:
        """Appends the outcome of a trial."""
        self._file.append(_line_of(number, query, outcome))
        self._num_answers += 1

    def query(self, query: Query, key: jax.Array) -> Observation:
        return self.answer(query, key).observation

    def fresh_score(self, arch: Choices, number: int) -> np.floating:
        """Returns the journal's score of evaluation `number`, or else the benchmark's."""
        score = self.recalled_fresh(arch, number)
        if score is None:
            score = self.bench.fresh_score(arch, number)
            self.note_fresh(arch, number, score)
        return score

    def recalled_fresh(self, arch: Choices, number: int) -> np.floating | None:
        """Returns the journal's score of evaluation `number` of an architecture, None if it has none."""
        name = (*np.asarray(arch).tolist(), number)
        return _from_json(self._fresh[name]) if name in self._fresh else None

    def note_fresh(self, arch: Choices, number: int, score: np.floating) -> None:
        """Appends the score of another evaluation."""
        self._file.append({"fresh": number, "arch": np.asarray(arch).tolist(), "score": _to_json(score)})

    def description(self) -> dict:
        return self.bench.description()


def _line_of(number: int, query: Query, outcome: Outcome) -> dict:
    _, cost, seed = outcome.observation
    return {
        "trial": number,
        "arch": query.arch.tolist(),
        "fidelity": int(query.fidelity),
        "score": _to_json(outcome.measured),
        "cost": float(cost),
        "seed": int(seed),
        "failure": outcome.failure,
    }


def _to_json(score: np.floating) -> float | None:
    return None if np.isnan(score) else float(score)


def _from_json(score: float | None) -> np.floating:
    return np.float64(np.nan if score is None else score)
