"""The conversation with a searcher from outside: requests and answers as JSON values, without a benchmark."""

import functools
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.checks import checked_number, checked_size, first_line, unknown_name
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import value_names
from jaxnas.strategies.base import Observation

REPEATS = ("paid", "free")
MAX_TRIALS = 100_000
MAX_TEXT = 20_000
_MAX_ERROR = 500
_NUM_EXAMPLES = 3
SCORE = "a larger score is better; a score of null means that the evaluation failed"
REQUESTS = {
    "describe": "this description",
    "evaluate": "the score of the architecture in `text`",
    "neighbors": "the architectures one step away from the one in `text`, at no cost",
    "history": "the evaluations so far",
    "finish": "ends the session; the architecture in `text` is its result",
}


@dataclass(frozen=True)
class Rules:
    """The rules of a session.

    Attributes:
        num_trials: the budget, in evaluations.
        invalid_share: the cost of a text that is no architecture, as a share of an evaluation.
        repeats: `"paid"`: an architecture that was evaluated before costs another evaluation, and any of its runs
            answers; `"free"`: the earlier answer is repeated at no cost.

    Raises ValueError on numbers out of range, or other repeats.
    """

    num_trials: int = 100
    invalid_share: float = 0.1
    repeats: str = REPEATS[0]

    def __post_init__(self) -> None:
        checked_size("num_trials", self.num_trials, 1, MAX_TRIALS)
        checked_number("invalid_share", self.invalid_share, at_least=0, at_most=1)
        if self.repeats not in REPEATS:
            raise unknown_name("repeats", self.repeats, REPEATS)

    def description(self) -> dict[str, Any]:
        """Returns the rules as JSON values."""
        return asdict(self)


class Evaluation(NamedTuple):
    """An evaluation: the architecture, the number of the trial that it is, and the outcome."""

    arch: np.ndarray
    trial: int
    observation: Observation


class Dialogue:
    """The answers to a searcher's requests, and what it has spent.

    `asked` answers a request. It returns None when an architecture has to be evaluated first; then `waiting` is that
    architecture, and `told` takes the outcome and returns the answer. Mistakes are answers with an `error`. Only a text
    that is no architecture costs something.

    Args:
        space: of the architectures in texts.
        score: a sentence on the score.
        name_of: the identity of an architecture, by which repeats are known; by default its choices.
    """

    def __init__(
        self, space: Space, rules: Rules, score: str = SCORE, name_of: Callable[[np.ndarray], Hashable] | None = None
    ):
        self.space, self.rules, self._score = space, rules, score
        self._name_of = name_of or (lambda arch: tuple(arch.tolist()))
        self.evaluations: list[Evaluation] = []
        self._earlier: dict[Hashable, Evaluation] = {}
        self.num_invalid = self.num_repeats = self.num_tokens = 0
        self.waiting: np.ndarray | None = None
        self.end: np.ndarray | None = None

    @property
    def num_spent(self) -> int:
        """Returns how many evaluations of the budget are spent; shares count when they add up to one."""
        return len(self.evaluations) + int(self.rules.invalid_share * self.num_invalid + 1e-9)

    @property
    def left(self) -> int:
        """Returns how many evaluations are left."""
        return max(self.rules.num_trials - self.num_spent, 0)

    @property
    def counts(self) -> tuple[int, ...]:
        """Returns numbers of which one changes whenever a request has an effect."""
        return (len(self.evaluations), self.num_invalid, self.num_repeats, self.num_tokens, int(self.end is not None))

    def asked(self, request: object) -> dict[str, Any] | None:
        """Returns the answer to a request, or None if the architecture `waiting` has to be evaluated first."""
        try:
            kind, tokens = _checked(request)
            if self.end is not None and kind not in ("describe", "history"):
                raise ValueError("The session is finished.")
            self.num_tokens += tokens
            return getattr(self, f"_{kind}")(request)
        except ValueError as error:
            return {"error": f"{first_line(error)[:_MAX_ERROR].rstrip('.')}.", "left": self.left}

    def told(self, observation: Observation) -> dict[str, Any]:
        """Returns the answer with the outcome of the evaluation of `waiting`."""
        assert self.waiting is not None
        evaluation, self.waiting = Evaluation(self.waiting, self.num_spent, observation), None
        name = self._name_of(evaluation.arch)
        is_repeat = name in self._earlier
        self.num_repeats += is_repeat
        self._earlier.setdefault(name, evaluation)
        self.evaluations.append(evaluation)
        return self._scored(evaluation, is_repeat)

    def _scored(self, evaluation: Evaluation, is_repeat: bool) -> dict[str, Any]:
        return {**self._shown(evaluation), "left": self.left, "repeat": is_repeat}

    def _shown(self, evaluation: Evaluation) -> dict[str, Any]:
        score = float(evaluation.observation.score)
        return {"text": self.space.to_str(evaluation.arch), "score": None if np.isnan(score) else score}

    def _arch(self, request: dict[str, Any]) -> np.ndarray:
        """Returns the architecture of a text. A text that is none has its cost."""
        text = request.get("text")
        if not isinstance(text, str) or len(text) > MAX_TEXT:
            shown = f"a text of {len(text):,} characters" if isinstance(text, str) else repr(text)[:40]
            raise ValueError(f"Expected `text` with an architecture, got {shown}.")
        try:
            return np.asarray(self.space.from_str(text), np.int32)
        except Exception as error:  # texts are of anybody
            self.num_invalid += 1
            raise error if isinstance(error, ValueError) else self.space.malformed(text[:60]) from None

    def _evaluate(self, request: dict[str, Any]) -> dict[str, Any] | None:
        arch = self._arch(request)
        earlier = self._earlier.get(self._name_of(arch))
        if earlier is not None and self.rules.repeats == "free":
            self.num_repeats += 1
            return self._scored(earlier, True)
        if not self.left:
            raise ValueError(f"The budget of {self.rules.num_trials:,} evaluations is spent: finish with your result.")
        self.waiting = arch
        return None

    def _finish(self, request: dict[str, Any]) -> dict[str, Any]:
        self.end = self._arch(request)
        return {"finished": self.space.to_str(self.end), "left": self.left}

    def _neighbors(self, request: dict[str, Any]) -> dict[str, Any]:
        arch = self._arch(request)
        found = np.unique(np.asarray(self._neighbors_of(arch)), axis=0)
        return {"neighbors": sorted(self.space.to_str(each) for each in found if (each != arch).any())}

    @functools.cached_property
    def _neighbors_of(self) -> Callable[[np.ndarray], jax.Array]:
        return jax.jit(self.space.neighbors)

    def _history(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"history": [self._shown(each) for each in self.evaluations], "left": self.left}

    def _describe(self, request: dict[str, Any]) -> dict[str, Any]:
        rules, keys = self.rules, jax.random.split(jax.random.key(0), _NUM_EXAMPLES)
        another = "another run answers" if rules.repeats == "paid" else "the same answer"
        return {
            "task": "Find the architecture with the best expected score within the budget, then finish with it.",
            "space": f"{self.space.name}: {self.space.num_architectures:,} architectures, "
            f"each a choice for each of {len(self.space.decisions)} decisions",
            "decisions": {decision.name: value_names(decision) for decision in self.space.decisions},
            "grammar": self.space.grammar,
            "examples": [self.space.to_str(np.asarray(self.space.sample(key))) for key in keys],
            "score": self._score,
            "budget": rules.num_trials,
            "left": self.left,
            "costs": f"an evaluation costs 1; a text that is no architecture {rules.invalid_share:g}; evaluating an "
            f"architecture again is {rules.repeats}: {another}",
            "requests": REQUESTS,
            "messages": 'JSON, such as {"request": "evaluate", "text": TEXT}; `tokens`, a number, may report what a '
            "language model used",
        }


def _checked(request: object) -> tuple[str, int]:
    """Returns the kind of a request and its number of tokens. Raises ValueError if it is no request."""
    if not isinstance(request, dict):
        raise ValueError(f'Expected a request such as {{"request": "describe"}}, got {repr(request)[:40]}.')
    kind, tokens = request.get("request"), request.get("tokens", 0)
    if not isinstance(kind, str) or kind not in REQUESTS:
        raise unknown_name("a request", str(kind)[:40], REQUESTS)
    if type(tokens) is not int or not 0 <= tokens < 2**40:
        raise ValueError(f"Expected `tokens` of 0 or more, got {repr(tokens)[:40]}.")
    return kind, tokens
