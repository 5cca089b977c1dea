"""The grammar of every space: it has all strings of the space's architectures, and no obviously other ones."""

import re

import jax
import numpy as np
import pytest

import jaxnas as jn
from jaxnas import catalog

TOKEN = re.compile(r'\s*(?:"([^"]*)"|([a-z_0-9]+)|([|\[\]{}]))')


def pattern_of(grammar: str) -> str:
    """Returns a grammar without recursion as a regular expression."""
    rules = dict(line.rstrip(" ;").split(" = ", 1) for line in grammar.splitlines() if not line.startswith("(*"))

    def expanded(right: str) -> str:
        found = []
        for text, name, sign in TOKEN.findall(right):
            found.append(
                f"(?:{expanded(rules[name])})" if name else {"[": "(?:", "]": ")?"}.get(sign, sign or re.escape(text))
            )
        return "".join(found)

    return expanded(rules["architecture"])


@pytest.mark.parametrize("name", sorted(set(catalog.SPACES) - {"darts"}))
def test_every_string_of_a_space_is_in_its_grammar(name):
    space = jn.space(name)
    pattern = re.compile(pattern_of(space.grammar))
    sample = getattr(space, "sample_bits", space.sample)  # without the list of all graphs of nb101
    archs = [sample(key) for key in jax.random.split(jax.random.key(0), 5)]
    if space.num_present(archs[0]) is not None:  # what absent layers would be follows a plus
        archs = [space.canonical(arch) for arch in archs]
    texts = [space.to_str(np.asarray(arch)) for arch in archs]
    assert [text for text in texts if not pattern.fullmatch(text)] == []
    assert [text for text in texts if pattern.fullmatch(text[1:]) or pattern.fullmatch(f"{text}?")] == []


def test_a_space_of_plain_decisions_is_written_by_numbers():
    space = jn.SearchSpace("plain", (jn.Decision("width", (16, 32)), jn.Decision("kind", ("a", "b", "c"))))
    assert space.grammar.splitlines() == [
        'architecture = choice_1 "-" choice_2 ;',
        'choice_1 = "0" | "1" ;',
        'choice_2 = "0" | "1" | "2" ;',
    ]
