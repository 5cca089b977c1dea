"""A program that speaks JSON lines as a strategy: it asks, and the answers are those of the runs of `compare`."""

import contextlib
import json
import os
import shlex
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import jax
import numpy as np

from jaxnas.sessions.dialogue import Dialogue, Rules
from jaxnas.sessions.lines import MAX_LINE, request_of
from jaxnas.spaces.base import Space
from jaxnas.strategies.base import ANY, LAST, Observation, Query, Strategy

SEED_VARIABLE = "JAXNAS_SEED"
_PATIENCE = 5
"""Seconds that a program may take to end after its last answer."""


def external(command: str | Sequence[str], *, name: str = "") -> Callable[[Space], Strategy]:
    """Returns a factory of the strategy that asks for the architectures which a program asks for.

    The program is started for each run. It writes requests to its standard output and reads the answers from its
    standard input, as of `jaxnas serve --stdio`. The environment variable `JAXNAS_SEED` is the seed of the run. A trial
    that is lost to texts which are no architecture, or that comes after `finish`, repeats an earlier evaluation.

    Args:
        command: the program with its arguments, which no shell reads.
        name: for reports, by default that of the program.

    Raises ValueError on an empty command. A run raises RuntimeError if the program fails.
    """
    arguments = shlex.split(command) if isinstance(command, str) else [os.fspath(part) for part in command]
    if not arguments:
        raise ValueError("Expected a command, got an empty one.")
    name = name or Path(arguments[-1] if len(arguments) > 1 else arguments[0]).stem

    def factory(space: Space) -> Strategy:
        def init(key: jax.Array, num_trials: int) -> _Program:
            return _Program(arguments, space, num_trials, int(jax.random.bits(key, (), np.uint32)))

        def ask(program: _Program, t: jax.Array, key: jax.Array) -> Query:
            return program.ask(int(t), key)

        def tell(program: _Program, t: jax.Array, query: Query, observation: Observation) -> "_Program":
            program.tell(observation)
            return program

        options = (("command", shlex.join(arguments)),)
        return Strategy(name, init, ask, tell, hyperparameters=options, jittable=False)

    factory.__name__ = name
    return factory


class _Program:
    """A running program: the state of the strategy."""

    def __init__(self, arguments: list[str], space: Space, num_trials: int, seed: int):
        self._dialogue, self._space, self._num_trials = Dialogue(space, Rules(num_trials)), space, num_trials
        self._command = shlex.join(arguments)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, it stays open
        environment = os.environ | {SEED_VARIABLE: str(seed)}
        try:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment
            )
        except OSError as error:
            raise ValueError(f"Expected a program, got {self._command}: {error.strerror}.") from None
        weakref.finalize(self, _end, self._process)

    def ask(self, trial: int, key: jax.Array) -> Query:
        """Returns the query of the next architecture that the program asks to evaluate."""
        of = self._dialogue
        while of.num_spent <= trial and of.end is None and (request := self._request()) is not None:
            answer = of.asked(request)
            if answer is None and of.waiting is not None:
                return Query(of.waiting, LAST, ANY)  # type: ignore[arg-type]
            self._send(answer)
        if not of.evaluations:
            return Query(self._space.sample(key))
        last = of.evaluations[-1]
        return Query(last.arch, LAST, np.int32(last.observation.seed))  # type: ignore[arg-type]

    def tell(self, observation: Observation) -> None:
        """Answers the program, if it waits for the outcome."""
        if self._dialogue.waiting is not None:
            self._send(self._dialogue.told(observation))
        if not self._dialogue.left:
            _end(self._process)

    def _request(self) -> object | None:
        """Returns the next request; None at the end of the program. Raises RuntimeError if that is a failure."""
        output: Any = self._process.stdout
        if line := output.readline(MAX_LINE):
            return request_of(line)
        if self._process.wait():
            raise RuntimeError(
                f"{self._command} failed with exit code {self._process.returncode}: {self._last_error()}"
            )
        return None

    def _send(self, answer: dict[str, Any] | None) -> None:
        stream: IO[bytes] | Any = self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # the next request tells whether it failed
            stream.write(json.dumps(answer).encode() + b"\n")
            stream.flush()

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it wrote no message"


def _end(process: subprocess.Popen) -> None:
    """Closes the pipes of a program, which ends it, or else kills it."""
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(BrokenPipeError):
            if stream is not None:
                stream.close()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
