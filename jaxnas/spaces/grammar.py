"""The strings of a search space as a grammar, found by comparing the strings of architectures."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from jaxnas.spaces.decisions import Choices, Decision, value_names

Writer = Callable[[Choices], str]
_NUM_CHECKED = 8


def grammar_of(to_str: Writer, decisions: Sequence[Decision], num_present: Callable[[np.ndarray], int]) -> str:
    """Returns the strings of a space in EBNF: a rule a line, with quoted strings and `|` between alternatives.

    Each decision has its place in the strings. If the first one decides how many others count, as `num_present`
    returns, there is a form for each of its values. Other strings are shown by an example in a comment.
    """
    kinds: dict[tuple[str, ...], str] = {}
    zeros = np.zeros(len(decisions), np.int32)
    forms = [_form(to_str, decisions, zeros, range(len(decisions)), kinds)]
    if forms[0] is None:
        kinds.clear()
        starts = [np.append(np.int32(number), zeros[1:]) for number in range(len(decisions[0].values))]
        forms = [_form(to_str, decisions, each, range(1, num_present(each)), kinds) for each in starts]
    if None in forms:
        return f"(* such as {to_str(zeros)} *)"
    named = {f"form_{number}": form for number, form in enumerate(forms) if len(forms) > 1}
    rules = {"architecture": " | ".join(named) or forms[0], **named}
    rules |= {name: one_of(options) for options, name in kinds.items()}
    return "\n".join(f"{name} = {right} ;" for name, right in rules.items())


def one_of(values: Iterable[object]) -> str:
    """Returns the alternatives of some strings."""
    return " | ".join(f'"{value}"' for value in values)


def _form(
    to_str: Writer,
    decisions: Sequence[Decision],
    base: np.ndarray,
    free: Iterable[int],
    kinds: dict[tuple[str, ...], str],
) -> str | None:
    """Returns the right side for architectures that differ from a base in free decisions; None if there is none."""
    text, parts, values, done = to_str(base), [], [], 0
    free = [place for place in free if len(decisions[place].values) > 1]
    for start, end, place, options in sorted(_choice(to_str, decisions[place], base, place) for place in free):
        if start < done:
            return None
        parts += [f'"{text[done:start]}"'] * (start > done) + [kinds.setdefault(options, f"choice_{len(kinds) + 1}")]
        values.append((text[done:start], place, options))
        done = len(text) - end
    random = np.random.default_rng(0)
    for _ in range(_NUM_CHECKED):
        arch = base.copy()
        arch[free] = [random.integers(len(decisions[place].values)) for place in free]
        found = "".join(f"{before}{options[arch[place]]}" for before, place, options in values)
        if to_str(arch) != found + text[done:]:
            return None
    return " ".join([*parts, *[f'"{text[done:]}"'] * (done < len(text))])


def _choice(to_str: Writer, decision: Decision, base: np.ndarray, place: int) -> tuple[int, int, int, tuple[str, ...]]:
    """Returns how much of a string is before a choice and after it, its place, and the strings of its values."""
    archs = np.where(np.arange(len(base)) == place, np.arange(len(decision.values))[:, None], base)
    texts, names = [to_str(arch) for arch in archs], value_names(decision)
    start = _num_equal(texts)
    for before in range(start, -1, -1):  # whole names rather than the part of them that differs
        pairs = [(text[before:], name) for text, name in zip(texts, names, strict=False)]
        rests = {text.removeprefix(name) for text, name in pairs}
        if len(rests) == 1 and all(text.startswith(name) for text, name in pairs):
            return before, len(rests.pop()), place, tuple(names)
    end = _num_equal([text[start:][::-1] for text in texts])
    return start, end, place, tuple(text[start : len(text) - end] for text in texts)


def _num_equal(texts: Sequence[str]) -> int:
    """Returns how many characters all strings begin with."""
    places = enumerate(zip(*texts, strict=False))
    return next((place for place, letters in places if len(set(letters)) > 1), min(map(len, texts)))
