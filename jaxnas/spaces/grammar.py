"""The strings of search spaces as grammars, in EBNF: a rule a line, quoted texts, `|`, `[optional]`, `{repeated}`."""

from collections.abc import Iterable, Mapping

from jaxnas.spaces.decisions import Decision, value_names

START = "architecture"


def one_of(values: Iterable[object]) -> str:
    """Returns the alternatives of some texts."""
    return " | ".join(f'"{value}"' for value in values)


def joined(parts: Iterable[str], separator: str) -> str:
    """Returns parts of a right side in order, with a text between them."""
    return (f' "{separator}" ' if separator else " ").join(parts)


def rules(found: Mapping[str, str], note: str = "") -> str:
    """Returns a grammar, from the right side of each rule by the name on its left, with a comment at its end."""
    return "\n".join([*(f"{name} = {right} ;" for name, right in found.items()), *([f"(* {note} *)"] if note else [])])


def of_decisions(decisions: Iterable[Decision], separator: str, named: bool = True) -> str:
    """Returns the grammar of strings of all choices in order, with a separator between them.

    `named` is whether a choice is written as its value, or else as its number.
    """
    kinds: dict[tuple[str, ...], str] = {}
    parts = []
    for decision in decisions:
        options = value_names(decision) if named else [str(number) for number in range(len(decision.values))]
        parts.append(kinds.setdefault(tuple(options), f"choice_{len(kinds) + 1}"))
    return rules({START: joined(parts, separator)} | {name: one_of(options) for options, name in kinds.items()})


def several(item: str, most: int, separator: str) -> str:
    """Returns one to `most` of an item, with a separator between them."""
    return item if most == 1 else f'{item} ["{separator}" {several(item, most - 1, separator)}]'
