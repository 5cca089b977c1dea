"""The journal of a search: a file from which it resumes after an interruption."""

import json
import os
from pathlib import Path

import jax
import numpy as np

from jaxnas.benchmarks.base import HostBenchmark, Outcome
from jaxnas.spaces.decisions import Choices
from jaxnas.strategies.base import ANY, Observation, Query, observed
from jaxnas.tables.files import replace_file

JOURNAL_FILE = "journal.jsonl"


def journaled(bench: HostBenchmark, folder: str | os.PathLike | None, description: dict) -> HostBenchmark:
    """Returns a benchmark that remembers the answers of another one, in order, in a file of a folder.

    Asked again in the same order, it gives the answers in the file, and then asks the benchmark. A line is on disk when
    the call that appends it returns, so that killing the process loses one evaluation at most.

    Args:
        folder: it is made where it is missing. None: the benchmark itself is returned.
        description: what the order of queries depends on, as JSON values.

    Raises:
        ValueError: where the file is of another search, is damaged, or is none of a search.
    """
    return bench if folder is None else Journaled(bench, folder, description)


class Journaled:
    """What `journaled` returns."""

    jittable = False

    def __init__(self, bench: HostBenchmark, folder: str | os.PathLike, description: dict):
        self.bench = bench
        self.id, self.space, self.fidelities, self.metric = bench.id, bench.space, bench.fidelities, bench.metric
        self.prices, self.cost_unit, self.size_names = bench.prices, bench.cost_unit, bench.size_names
        self.content_hash, self.held_out = bench.content_hash, bench.held_out
        self.table, self.protocol = bench.table, bench.protocol
        self.price, self.size, self.sizes = bench.price, bench.size, bench.sizes
        self.validation_scores = bench.validation_scores
        self.path = Path(folder) / JOURNAL_FILE
        self._num_answers = 0
        self._open({**bench.description(), **description})

    def _open(self, description: dict) -> None:
        header = json.loads(json.dumps(description))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._read()
        if lines and lines[0] != header:
            changed = next(key for key in (*header, *lines[0]) if lines[0].get(key) != header.get(key))
            raise ValueError(f"Expected the journal of this search, got one with another {changed} in {self.path}.")
        self._trials = [line for line in lines[1:] if "trial" in line]
        self._fresh = {(*line["arch"], line["fresh"]): line["score"] for line in lines[1:] if "fresh" in line}
        text = "".join(json.dumps(line) + "\n" for line in lines or [header])
        replace_file(self.path, text.encode())  # without a last line that was cut off

    def _read(self) -> list[dict]:
        """Returns the lines of the file, without a last one that was cut off.

        Raises ValueError where any other line cannot be read: the file is damaged, or is not of a search.
        """
        if not self.path.exists():
            return []
        lines = []
        texts = self.path.read_bytes().splitlines(keepends=True)
        for number, text in enumerate(texts):
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            if not isinstance(line, dict):
                if number == len(texts) - 1 and not text.endswith(b"\n"):
                    break
                raise ValueError(f"Expected {self.path} as a search writes it, got line {number + 1} that is damaged.")
            lines.append(line)
        return lines

    def answer(self, query: Query, key: jax.Array) -> Outcome:
        """Returns the next outcome of the journal, or else what the benchmark answers.

        Raises ValueError where the journal has another query there.
        """
        number = self._num_answers
        if number < len(self._trials):
            outcome = self._recalled(number, query)
        else:
            outcome = self.bench.answer(query, key)
            self._append(_line_of(number, query, outcome))
        self._num_answers += 1
        return outcome

    def _recalled(self, number: int, query: Query) -> Outcome:
        line = self._trials[number]
        same = line["arch"] == query.arch.tolist() and line["fidelity"] == int(query.fidelity)
        if not same or int(query.seed) not in (ANY, line["seed"]):
            asked = query.arch.tolist()
            raise ValueError(f"Expected trial {number} of {self.path} to ask {asked}, got {line['arch']}.")
        score = _from_json(line["score"])
        return Outcome(observed(score, line["cost"], line["seed"]), score, line["failure"])

    def query(self, query: Query, key: jax.Array) -> Observation:
        """Returns the observation of `answer`."""
        return self.answer(query, key).observation

    def fresh_score(self, arch: Choices, number: int) -> np.float32:
        """Returns the journal's score of evaluation `number`, or else the benchmark's."""
        choices = np.asarray(arch).tolist()
        name = (*choices, number)
        if name in self._fresh:
            return _from_json(self._fresh[name])
        score = self.bench.fresh_score(arch, number)
        self._append({"fresh": number, "arch": choices, "score": _to_json(score)})
        return score

    def description(self) -> dict:
        """Returns what answers depend on, as JSON values."""
        return self.bench.description()

    def _append(self, line: dict) -> None:
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


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


def _to_json(score: np.float32) -> float | None:
    return None if np.isnan(score) else float(score)


def _from_json(score: float | None) -> np.float32:
    return np.float32(np.nan if score is None else score)
