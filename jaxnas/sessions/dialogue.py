"""The conversation with a searcher from outside: requests and answers as JSON values, without a benchmark."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.checks import checked_number, checked_size, first_line, unknown_name
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import value_names
from jaxnas.strategies.base import Observation

REPEATS = ("paid", "free")
MAX_TEXT, _MAX_ERROR, _MAX_TRIALS = 20_000, 500, 100_000
SCORE = "larger is better; null: the evaluation failed"
REQUESTS = {
    "describe": "this description",
    "evaluate": "the score of the architecture in `text`",
    "neighbors": "the architectures one step away from the one in `text`, at no cost",
    "history": "the evaluations so far",
    "finish": "ends the session with the architecture in `text` as its result",
}


@dataclass(frozen=True)
class Rules:
    """The rules of a session. Raises ValueError on numbers out of range, or other repeats.

    Attributes:
        num_trials: the budget, in evaluations.
        invalid_share: the cost of a string that is no architecture, as a share of an evaluation.
        repeats: `"paid"`: evaluating an architecture again costs another evaluation, and any of its runs answers;
            `"free"`: the earlier answer is repeated at no cost.
    """

    num_trials: int = 100
    invalid_share: float = 0.1
    repeats: str = REPEATS[0]

    def __post_init__(self) -> None:
        checked_size("num_trials", self.num_trials, 1, _MAX_TRIALS)
        checked_number("invalid_share", self.invalid_share, at_least=0, at_most=1)
        if self.repeats not in REPEATS:
            raise unknown_name("repeats", self.repeats, REPEATS)


class Evaluation(NamedTuple):
    """An architecture, the number of its trial, and the outcome."""

    arch: np.ndarray
    trial: int
    observation: Observation


class Dialogue:
    """The answers to a searcher's requests, and its budget. Mistakes are answers with an `error`.

    `asked` returns None if an architecture has to be evaluated first: `waiting`, whose outcome `told` takes. `name_of`
    identifies architectures, by which repeats are known; `seed` draws the examples.
    """

    def __init__(self, space: Space, rules: Rules, score: str, name_of: Callable[[np.ndarray], Hashable], seed: int):
        self.space, self.rules, self._score, self._name_of, self._seed = space, rules, score, name_of, seed
        self.evaluations: list[Evaluation] = []
        self.counts = dict.fromkeys(("num_evaluations", "num_invalid", "num_repeats", "num_tokens"), 0)
        self.waiting: np.ndarray | None = None
        self.end: np.ndarray | None = None
        self._earlier: dict[Hashable, Evaluation] = {}
        self._neighbors_of = jax.jit(space.neighbors)

    @property
    def num_spent(self) -> int:
        """Returns how many evaluations are spent; shares count when they add up to one."""
        return len(self.evaluations) + int(self.rules.invalid_share * self.counts["num_invalid"] + 1e-9)

    @property
    def left(self) -> int:
        """Returns how many evaluations are left."""
        return max(self.rules.num_trials - self.num_spent, 0)

    def asked(self, request: object) -> dict[str, Any] | None:
        """Returns the answer to a request, or None if the architecture `waiting` has to be evaluated first."""
        try:
            known = _checked(request)
            if self.end is not None and known["request"] not in ("describe", "history"):
                raise ValueError("The session is finished.")
            self.counts["num_tokens"] += known.get("tokens", 0)
            return getattr(self, f"_{known['request']}")(known)
        except ValueError as error:
            return {"error": f"{first_line(error)[:_MAX_ERROR].rstrip('.')}.", "left": self.left}

    def told(self, observation: Observation) -> dict[str, Any]:
        """Returns the answer with the outcome of the evaluation of `waiting`."""
        assert self.waiting is not None
        found, self.waiting = Evaluation(self.waiting, self.num_spent, observation), None
        self.counts["num_evaluations"] += 1
        self.evaluations.append(found)
        return self._answered(found, self._earlier.setdefault(self._name_of(found.arch), found) is not found)

    def _answered(self, evaluation: Evaluation, is_repeat: bool) -> dict[str, Any]:
        self.counts["num_repeats"] += is_repeat
        return {**self._shown(evaluation), "left": self.left, "repeat": is_repeat}

    def _shown(self, evaluation: Evaluation) -> dict[str, Any]:
        score = float(evaluation.observation.score)
        return {"text": self.space.to_str(evaluation.arch), "score": None if np.isnan(score) else score}

    def _arch(self, known: dict[str, Any]) -> np.ndarray:
        """Returns the architecture of a string, whose cost is counted if it is none."""
        text = known.get("text")
        if not isinstance(text, str) or len(text) > MAX_TEXT:
            raise ValueError(f"Expected `text` with an architecture, got {repr(text)[:40]}.")
        try:
            return np.asarray(self.space.from_str(text), np.int32)
        except Exception as error:  # anybody writes these strings
            self.counts["num_invalid"] += 1
            raise error if isinstance(error, ValueError) else self.space.malformed(text[:60]) from None

    def _evaluate(self, known: dict[str, Any]) -> dict[str, Any] | None:
        arch = self._arch(known)
        earlier = self._earlier.get(self._name_of(arch))
        if earlier is not None and self.rules.repeats == "free":
            return self._answered(earlier, True)
        if not self.left:
            raise ValueError(f"The budget of {self.rules.num_trials:,} evaluations is spent: finish with your result.")
        self.waiting = arch
        return None

    def _finish(self, known: dict[str, Any]) -> dict[str, Any]:
        self.end = self._arch(known)
        return {"finished": self.space.to_str(self.end), "left": self.left}

    def _neighbors(self, known: dict[str, Any]) -> dict[str, Any]:
        arch = self._arch(known)
        found = np.unique(np.asarray(self._neighbors_of(arch)), axis=0)
        return {"neighbors": sorted(self.space.to_str(each) for each in found if (each != arch).any())}

    def _history(self, known: dict[str, Any]) -> dict[str, Any]:
        return {"history": [self._shown(each) for each in self.evaluations], "left": self.left}

    def _describe(self, known: dict[str, Any]) -> dict[str, Any]:
        space, rules = self.space, self.rules
        number = f"{space.num_architectures:,} architectures, a choice for each of {len(space.decisions)} decisions"
        return {
            "task": "Find the architecture with the best expected score, then finish with it.",
            "space": f"{space.name}: {number}",
            "decisions": {decision.name: value_names(decision) for decision in space.decisions},
            "grammar": space.grammar,
            "examples": [
                space.to_str(np.asarray(space.sample(key))) for key in jax.random.split(jax.random.key(self._seed), 3)
            ],
            "score": self._score,
            "budget": rules.num_trials,
            "left": self.left,
            "costs": f"evaluation 1, text without architecture {rules.invalid_share:g}, repeats {rules.repeats}",
            "requests": REQUESTS,
            "form": 'JSON: {"request": "evaluate", "text": TEXT}, also with `tokens`, the number a language model used',
        }


def _checked(request: object) -> dict[str, Any]:
    """Returns the known parts of a request. Raises ValueError if it is none."""
    if not isinstance(request, dict):
        raise ValueError(f'Expected a request such as {{"request": "describe"}}, got {repr(request)[:40]}.')
    kind, tokens = request.get("request"), request.get("tokens", 0)
    if not isinstance(kind, str) or kind not in REQUESTS:
        raise unknown_name("a request", str(kind)[:40], REQUESTS)
    if type(tokens) is not int or not 0 <= tokens < 2**40:
        raise ValueError(f"Expected `tokens` of 0 or more, got {repr(tokens)[:40]}.")
    return request
