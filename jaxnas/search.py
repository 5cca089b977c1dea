"""Searches that really train, with a journal on disk from which they go on after an interruption."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxnas.analysis.trajectory import incumbents
from jaxnas.benchmark import TrainingBenchmark, price_list
from jaxnas.network.size import Size, network_size
from jaxnas.simulation import AskTell, Trials, paid_costs, run_key
from jaxnas.strategies.base import Observation, Strategy
from jaxnas.table import replace_file

JOURNAL_FILE = "journal.jsonl"


class Found(NamedTuple):
    """What a search ends with: the incumbent, its accuracies, its size, and all trials ([1, T]).

    The test accuracy is read once, here; it is NaN where the task has no test images.
    """

    arch: np.ndarray
    validation: float
    test: float
    size: Size
    trials: Trials


def search(
    strategy: Strategy,
    bench: TrainingBenchmark,
    *,
    num_trials: int,
    folder: str | os.PathLike | None = None,
    seed: int = 0,
    prng: str = "hash",
    progress: Callable[[int, float], None] | None = None,
) -> Found:
    """Returns what one run of a strategy found by training.

    Its trials are those of `run` with `num_runs=1` and the same arguments.

    Args:
        folder: where the journal lies; a search of the same arguments goes on from it. None: no journal.
        progress: called after each trial with the number of finished trials and the best validation score so far.

    Raises:
        ValueError: on wrong arguments, or where the journal is of another search.
    """
    loop = AskTell(strategy, num_trials=num_trials, key=run_key(seed, 0, prng), num_fidelities=len(bench.fidelities))
    header = _describe(strategy, bench, num_trials, seed, prng)
    journal = _Journal(folder, header) if folder is not None else None
    best = -np.inf
    while loop.num_told < num_trials:
        query = loop.ask()
        recorded = journal.recorded(loop.num_told, query) if journal else None
        observation = recorded or bench.query(query, loop.query_key())
        if journal and not recorded:
            journal.append(query, observation)
        loop.tell(observation)
        best = np.fmax(best, observation.score)
        if progress:
            progress(loop.num_told, float(best))
    return _found(loop.trials(), bench)


def _found(trials: Trials, bench: TrainingBenchmark) -> Found:
    trials = jax.tree.map(lambda values: values[None], trials)
    trials = trials._replace(observation=trials.observation._replace(cost=paid_costs(trials, price_list(bench))))
    best = int(incumbents(trials)[0, -1])
    if best < 0:
        raise RuntimeError("Expected a trial that succeeds, got losses that are not finite in all of them.")
    arch = trials.query.arch[0, best]
    curves = bench.curves(arch, int(trials.observation.seed[0, best]))
    task, config = bench.task, bench.config
    size = network_size(bench.space, config.skeleton, task.image_shape, task.num_classes, arch)
    accuracies = (
        float(getattr(curves, split)[-1] / (getattr(task, split).num_images or np.nan))
        for split in ("validation", "test")
    )
    return Found(arch, *accuracies, size, trials)


def _describe(strategy: Strategy, bench: TrainingBenchmark, num_trials: int, seed: int, prng: str) -> dict:
    """Returns what the trajectory of a search depends on, as JSON values."""
    description = {
        "space": bench.space.name,
        "decisions": [[decision.name, [str(value) for value in decision.values]] for decision in bench.space.decisions],
        "task": bench.task.sha256,
        "config": asdict(bench.config),
        "num_seeds": bench.num_seeds,
        "strategy": strategy.name,
        "hyperparameters": [[name, repr(value)] for name, value in strategy.hyperparameters],
        "num_trials": num_trials,
        "seed": seed,
        "prng": prng,
    }
    return json.loads(json.dumps(description))


class _Journal:
    """A file with a line for what the search is and a line for each trial.

    The line of a trial is written and flushed when the trial has ended.
    """

    def __init__(self, folder: str | os.PathLike, header: dict):
        self.path = Path(folder) / JOURNAL_FILE
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._read()
        if lines and lines[0] != header:
            changed = next(key for key in (*header, *lines[0]) if lines[0].get(key) != header.get(key))
            raise ValueError(f"Expected the journal of this search, got one with another {changed} in {self.path}.")
        self._trials = lines[1:]
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

    def recorded(self, number: int, query) -> Observation | None:
        """Returns the outcome of a trial that the journal has, or None.

        Raises ValueError where its query was another one.
        """
        if number >= len(self._trials):
            return None
        line = self._trials[number]
        if line["arch"] != query.arch.tolist() or line["fidelity"] != int(query.fidelity):
            asked = query.arch.tolist()
            raise ValueError(f"Expected trial {number} of {self.path} to ask {asked}, got {line['arch']}.")
        score = np.nan if line["score"] is None else line["score"]
        return Observation(np.float32(score), np.float32(line["cost"]), np.int32(line["seed"]))

    def append(self, query, observation: Observation) -> None:
        """Writes a finished trial."""
        score, cost, seed = (value.item() for value in map(np.asarray, observation))
        line = {
            "arch": query.arch.tolist(),
            "fidelity": int(query.fidelity),
            "score": None if np.isnan(score) else score,
            "cost": cost,
            "seed": seed,
        }
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
