"""What the attacks share: mutations of bytes and of JSON values, and a tally of what became of them."""

import collections
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

KINDS = ("refused", "equal", "different", "crashed")


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """Returns bytes with one change: bits, a byte, a part lost, doubled, moved, added, zeroed, or the end cut off."""
    changed = bytearray(data)
    place = int(random.integers(max(len(data), 1)))
    length = int(random.integers(1, 65))
    kind = random.integers(8)
    if kind == 0:
        for each in random.integers(len(data), size=random.integers(1, 4)):
            changed[each] ^= 1 << random.integers(8)
    elif kind == 1:
        changed[place] = random.integers(256)
    elif kind == 2:
        del changed[place : place + length]
    elif kind == 3:
        changed[place:place] = changed[place : place + length]
    elif kind == 4:
        part = changed[place : place + length]
        del changed[place : place + length]
        changed[(target := int(random.integers(len(changed) + 1))) : target] = part
    elif kind == 5:
        changed[place:place] = random.bytes(length)
    elif kind == 6:
        changed[place : place + length] = bytes(min(length, len(data) - place))
    else:
        del changed[place:]
    return bytes(changed)


_VALUES = (
    None,
    True,
    -1,
    0,
    2**31,
    10**400,
    1e300,
    math.nan,
    "",
    "x" * 300,
    "../../x",
    "\x00\n",
    [],
    [[]],
    {},
    {"a": {}},
)


def with_other_value(value: Any, random: np.random.Generator) -> Any:
    """Returns a JSON value in which one part, at any depth, is lost or of another type."""
    places = list(_places(value))
    path = places[random.integers(len(places))]
    changed = json.loads(json.dumps(value))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    if random.integers(5) == 0:
        del inner[path[-1]]
    else:
        inner[path[-1]] = _VALUES[random.integers(len(_VALUES))]
    return changed


def _places(value: Any, path: tuple = ()) -> Any:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _places(child, (*path, key))


class Tally:
    """Counts of what became of mutated files.

    `refused`: a ValueError of one line; `equal`: accepted, with the same contents; `different`: accepted with other
    contents; `crashed`: any other exception.
    """

    def __init__(self, name: str):
        self.name = name
        self.counts: collections.Counter[str] = collections.Counter()
        self.examples: dict[str, str] = {}

    def attempt(self, read: Callable[[], Any], is_equal: Callable[[Any], bool]) -> None:
        """Reads what was mutated, and counts the outcome."""
        try:
            kind = "equal" if is_equal(read()) else "different"
        except ValueError as error:
            kind = "refused" if "\n" not in str(error) and "Expected " in str(error) else "crashed"
            if kind == "crashed":
                self.examples[f"{type(error).__name__}: {str(error)[:150]}"] = self.name
        except Exception as error:
            kind = "crashed"
            self.examples[f"{type(error).__name__}: {str(error)[:150]}"] = self.name
        self.counts[kind] += 1

    def row(self) -> dict[str, int | str]:
        """Returns the counts by kind, `tried` first."""
        return {"attack": self.name, "tried": sum(self.counts.values()), **{kind: self.counts[kind] for kind in KINDS}}

    def show(self) -> None:
        """Prints the counts, and examples of crashes."""
        print("  ".join(f"{name} {value}" for name, value in self.row().items()), flush=True)
        for example in list(self.examples)[:5]:
            print(f"    {example}", flush=True)


Attack = Callable[[Path, int, np.random.Generator], Tally]
"""Returns what became of so many mutated files, which are made in a folder."""
