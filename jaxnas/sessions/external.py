"""A program that speaks JSON lines as a strategy."""

import contextlib
import json
import os
import shlex
import subprocess
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnas.sessions.dialogue import SCORE, Dialogue, Rules
from jaxnas.sessions.lines import MAX_LINE, request_of
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import Observation, Query, Strategy

SEED_VARIABLE, _PATIENCE = "JAXNAS_SEED", 5


def external(command: str | Sequence[str | os.PathLike], *, name: str = "") -> Callable[[Space], Strategy]:
    """Returns a factory of the strategy that asks for the architectures which a program asks for.

    The program is started for each run. It writes requests to its standard output and reads the answers from its
    standard input, as of `jaxnas serve --stdio`. The environment variable `JAXNAS_SEED` is the seed of the run. A trial
    that is lost to invalid strings, or that comes after `finish`, repeats the last evaluation.

    Args:
        command: the program with its arguments, which no shell reads.
        name: for reports, by default the stem of the program's file.

    Raises ValueError on an empty command. A run raises RuntimeError if the program fails.
    """
    arguments = shlex.split(command) if isinstance(command, str) else [os.fspath(part) for part in command]
    if not arguments:
        raise ValueError("Expected a command, got an empty one.")
    name = name or Path(arguments[min(1, len(arguments) - 1)]).stem

    def factory(space: Space) -> Strategy:
        return Strategy(
            name,
            lambda key, num_trials: _Program(arguments, space, num_trials, int(jax.random.bits(key, (), np.uint32))),
            lambda program, t, key: program.ask(int(t), key),
            lambda program, t, query, observation: program.told(observation),
            hyperparameters=(("command", shlex.join(arguments)),),
            jittable=False,
        )

    factory.__name__ = name
    return factory


class _Program:
    """A running program: the state of the strategy."""

    def __init__(self, arguments: list[str], space: Space, num_trials: int, seed: int):
        self._dialogue = Dialogue(space, Rules(num_trials), SCORE, lambda arch: tuple(arch.tolist()), seed)
        self._command, environment = shlex.join(arguments), os.environ | {SEED_VARIABLE: str(seed)}
        try:
            self._process: Any = subprocess.Popen(
                arguments, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            raise ValueError(f"Expected a program, got {self._command}: {error.strerror}.") from None
        weakref.finalize(self, _end, self._process)

    def ask(self, trial: int, key: jax.Array) -> Query:
        """Returns the query of the next architecture that the program asks to evaluate."""
        of = self._dialogue
        while of.num_spent <= trial and of.end is None and (line := self._line()):
            answer = of.asked(request_of(line))
            if answer is None:
                return Query(of.waiting)  # type: ignore[arg-type]
            self._send(answer)
        if not of.evaluations:
            return Query(of.space.sample(key))
        last: Any = of.evaluations[-1]
        return Query(last.arch, seed=np.int32(last.observation.seed))  # type: ignore[arg-type]

    def told(self, observation: Observation) -> "_Program":
        """Returns the program itself, after answering it if it waits for the outcome."""
        if self._dialogue.waiting is not None:
            self._send(self._dialogue.told(observation))
        if not self._dialogue.left:
            _end(self._process)
        return self

    def _line(self) -> bytes:
        """Returns the next request, empty at the end of the program. Raises RuntimeError if that is a failure."""
        line = self._process.stdout.readline(MAX_LINE)
        if not line and (code := self._process.wait()):
            raise RuntimeError(f"{self._command} failed with exit code {code}; its messages are above.")
        return line

    def _send(self, answer: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # the next line tells whether the program failed
            self._process.stdin.write(json.dumps(answer).encode() + b"\n")
            self._process.stdin.flush()


def _end(process: Any) -> None:
    """Closes the input of a program, which ends it, or else kills it."""
    with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
        process.stdin.close()
        process.wait(_PATIENCE)
    process.kill()
    process.wait()
