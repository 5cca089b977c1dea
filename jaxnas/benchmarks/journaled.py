"""The journal of a search: a file from which it goes on after an interruption."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnas.strategies.base import Observation, Query
from jaxnas.tables.files import replace_file

JOURNAL_FILE = "journal.jsonl"


class Outcome(NamedTuple):
    """How a trial ended: what was observed, and why it failed, empty where it did not.

    The score is as it was measured, before an objective takes a weighted size off it.
    """

    observation: Observation
    failure: str = ""


class Journal:
    """A file with a line for what the search is, and a line for each trial and for each score of a finalist.

    A line is on disk when the call that appends it returns, so that killing the process loses one evaluation at most.

    Args:
        folder: where the file lies; it is made if need be. None: nothing is written.
        header: what the trajectory of the search depends on, as JSON values.

    Raises:
        ValueError: where the file is of another search.
    """

    def __init__(self, folder: str | os.PathLike | None, header: dict):
        self.path, self._trials, self._fresh = None, [], {}
        if folder is not None:
            self._open(folder, header)

    def _open(self, folder: str | os.PathLike, header: dict) -> None:
        header = json.loads(json.dumps(header))
        self.path = Path(folder) / JOURNAL_FILE
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
        if not self.path.exists():
            return []
        lines = []
        for text in self.path.read_text().splitlines(keepends=True):
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                break
        return lines

    def trial(self, number: int, query: Query, evaluate: Callable[[], Outcome]) -> Outcome:
        """Returns the outcome of a trial: the one that the journal has, or else what `evaluate` returns.

        Raises ValueError where the journal's query was another one.
        """
        if number >= len(self._trials):
            outcome = evaluate()
            self._append(_line_of(number, query, outcome))
            return outcome
        line = self._trials[number]
        if line["arch"] != query.arch.tolist() or line["fidelity"] != int(query.fidelity):
            asked = query.arch.tolist()
            raise ValueError(f"Expected trial {number} of {self.path} to ask {asked}, got {line['arch']}.")
        observation = Observation(_from_json(line["score"]), np.float32(line["cost"]), np.int32(line["seed"]))
        return Outcome(observation, line["failure"])

    def fresh_score(self, arch: np.ndarray, number: int, evaluate: Callable[[], np.float32]) -> np.float32:
        """Returns the score of evaluation `number` of a finalist: the journal's, or else what `evaluate` returns."""
        name = (*arch.tolist(), number)
        if name in self._fresh:
            return _from_json(self._fresh[name])
        score = evaluate()
        self._append({"fresh": number, "arch": arch.tolist(), "score": _to_json(score)})
        return score

    def _append(self, line: dict) -> None:
        if self.path is None:
            return
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _line_of(number: int, query: Query, outcome: Outcome) -> dict:
    score, cost, seed = outcome.observation
    return {
        "trial": number,
        "arch": query.arch.tolist(),
        "fidelity": int(query.fidelity),
        "score": _to_json(score),
        "cost": float(cost),
        "seed": int(seed),
        "failure": outcome.failure,
    }


def _to_json(score: np.float32) -> float | None:
    return None if np.isnan(score) else float(score)


def _from_json(score: float | None) -> np.float32:
    return np.float32(np.nan if score is None else score)
