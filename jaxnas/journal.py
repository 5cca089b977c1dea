"""The journal of a search: a file from which it goes on after an interruption."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnas.strategies.base import Observation, Query
from jaxnas.table import replace_file

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
        folder: where the file lies; it is made if need be.
        header: what the trajectory of the search depends on, as JSON values.

    Raises:
        ValueError: where the file is of another search.
    """

    def __init__(self, folder: str | os.PathLike, header: dict):
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

    def trial(self, number: int, query: Query) -> Outcome | None:
        """Returns the outcome of a trial that the journal has, or None.

        Raises ValueError where its query was another one.
        """
        if number >= len(self._trials):
            return None
        line = self._trials[number]
        if line["arch"] != query.arch.tolist() or line["fidelity"] != int(query.fidelity):
            asked = query.arch.tolist()
            raise ValueError(f"Expected trial {number} of {self.path} to ask {asked}, got {line['arch']}.")
        observation = Observation(_score(line), np.float32(line["cost"]), np.int32(line["seed"]))
        return Outcome(observation, line["failure"])

    def append_trial(self, number: int, query: Query, outcome: Outcome) -> None:
        """Writes a finished trial."""
        score, cost, seed = (value.item() for value in map(np.asarray, outcome.observation))
        line = {
            "trial": number,
            "arch": query.arch.tolist(),
            "fidelity": int(query.fidelity),
            "score": None if np.isnan(score) else score,
            "cost": cost,
            "seed": seed,
            "failure": outcome.failure,
        }
        self._append(line)

    def fresh_score(self, arch: np.ndarray, number: int) -> np.float32 | None:
        """Returns the score of an architecture's evaluation `number` after the search, or None where it has none."""
        name = (*arch.tolist(), number)
        return _score({"score": self._fresh[name]}) if name in self._fresh else None

    def append_fresh_score(self, arch: np.ndarray, number: int, score: np.float32) -> None:
        """Writes the score of an architecture's evaluation `number` after the search."""
        self._append({"fresh": number, "arch": arch.tolist(), "score": None if np.isnan(score) else float(score)})

    def _append(self, line: dict) -> None:
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _score(line: dict) -> np.float32:
    return np.float32(np.nan if line["score"] is None else line["score"])
