"""Words of nine languages, letter by letter, as the package pyspellchecker holds them (extra `text`). No download."""

import functools
import gzip
import heapq
import json

import numpy as np

from jaxnas.tasks.base import SPLITS, Split, Task, token_task
from jaxnas.tasks.packages import read_file
from jaxnas.tasks.sequences import characters_of, encoded

LANGUAGES = ("de", "en", "es", "eu", "fr", "it", "lv", "nl", "pt")
"""German, English, Spanish, Basque, French, Italian, Latvian, Dutch and Portuguese: those written in Latin letters."""
FROM_A_LANGUAGE, LENGTHS, STEM = 2_000, range(4, 11), 4
"""Words of each language, the numbers of their letters, and how many letters at the beginning keep words together."""

_MOST_FREQUENT = 20_000
_SEED = 20210
_SHA256 = {
    "de": "79cacd2a28fa6de9089f12ffaf11c5356353ea08a1f95f078218f1e5947a9414",
    "en": "2474a48af86fd81dccea9edd0bba6cd36dd2ecedc0ae217cefcb233bba28613c",
    "es": "60d27fd15ee2a99e679f6da511d8a141941f270537dee34448d1c51279175171",
    "eu": "3a9ff1f14f0e6f4f0115c60f98918a9cd6ed5ac8c01213f8ca5338aac5ddf2c1",
    "fr": "04c256f6d06c4cadef640b63002e0e390008265e38d3def97172c292d09a141d",
    "it": "4c6e24595e59b4f802efa2d2e1d244c3d9ce645ae1b2622d4dc98b75ed30fe61",
    "lv": "9eb96db172e5663e536bd0c55d966f20ae70bca5e5513217ebd05f18a0af8282",
    "nl": "ba1441ef417b4c0a5e77d1a320866e796924cd9d8439a40851185e5812a2b6c5",
    "pt": "6ee41cf1c071be1d055642b1721493e624ee40d532c77274b881420a76a2a294",
}
"""Of the dictionaries."""
_CARD = f"""# words-language: words of nine languages, letter by letter; which language

Source: the dictionaries of the package pyspellchecker 0.9.1 (MIT): words and how often they occur, which it says are
made from texts such as OpenSubtitles (P. Lison and J. Tiedemann, "OpenSubtitles2016", LREC 2016). They are read from
the package, which has to be installed, and do not ship with jaxnas.
Of each language written in Latin letters ({", ".join(LANGUAGES)}) the {FROM_A_LANGUAGE:,} most frequent words of
{LENGTHS[0]} to {LENGTHS[-1]} small letters that are in none of the other eight dictionaries.
Splits: words that begin with the same {STEM} letters, in whatever language, are in one split, so that most forms of a
word are; which one was drawn once (seed {_SEED}): {{sizes}} words. Dictionaries are no running text.
"""


@functools.cache
def words_language() -> Task:
    """Returns 18,000 words of nine languages, one of which is to be recognized; split by their first four letters.

    Raises ValueError if the package pyspellchecker is missing.
    """
    words = chosen_words([_dictionary(language) for language in LANGUAGES])
    texts = [word for each in words for word in each]
    labels = np.repeat(np.arange(len(words), dtype=np.int32), [len(each) for each in words])
    split, vocabulary = _split(texts), characters_of(texts)
    tokens = encoded(texts, vocabulary)
    splits = {part: Split(tokens[split == n][None], labels[split == n]) for n, part in enumerate(SPLITS)}
    sizes = ", ".join(f"{(split == n).sum():,} {part}" for n, part in enumerate(("training", *SPLITS[1:])))
    given = (len(LANGUAGES), _CARD.format(sizes=sizes), "MIT", LANGUAGES)
    return token_task("words-language", splits, len(vocabulary), *given, vocabulary=vocabulary)


def _dictionary(language: str) -> dict[str, int]:
    """Returns the words of a language, and how often they occur."""
    given = ("spellchecker", "pyspellchecker==0.9.1", f"resources/{language}.json.gz", _SHA256[language])
    return json.loads(gzip.decompress(read_file("words-language", *given)))


def chosen_words(dictionaries: list[dict[str, int]]) -> list[list[str]]:
    """Returns of each dictionary the most frequent words of small letters that are in no other."""
    found = []
    for own in dictionaries:
        others = [each for each in dictionaries if each is not own]
        frequent = heapq.nlargest(_MOST_FREQUENT, own, key=own.__getitem__)
        words = [word for word in frequent if len(word) in LENGTHS and word.isalpha() and word == word.lower()]
        found.append([word for word in words if not any(word in each for each in others)][:FROM_A_LANGUAGE])
    return found


def _split(words: list[str]) -> np.ndarray:
    """Returns the number of each word's split: 60, 20 and 20 % of the beginnings that there are."""
    stems, own = np.unique([word[:STEM] for word in words], return_inverse=True)
    shares = np.searchsorted([0.6, 0.8], np.random.RandomState(_SEED).rand(len(stems)), side="right")
    return shares[own]
