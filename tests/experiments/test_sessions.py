"""The experiments on sessions, in small: the memory test, and attacks on servers."""

import argparse
import random

import pytest

import jaxnas as jn
from experiments.robustness import sessions as attacks
from experiments.validity import memory_test


def test_a_client_that_has_memorized_the_table_is_exposed_and_an_honest_one_is_not():
    bench = jn.load(memory_test.TABLE)
    options = argparse.Namespace(tests=1, pairs=10, trials=15)
    assert memory_test.simulated(bench, memory_test.memorized(bench), options)["accused_001"] == 1
    assert memory_test.simulated(bench, [], options)["accused_001"] == 0


@pytest.mark.nightly
@pytest.mark.parametrize("transport", sorted(attacks.ATTACKS))
def test_malformed_messages_lose_no_session(transport, tmp_path):
    if transport == "mcp":
        pytest.importorskip("mcp")
    attack, good = attacks.ATTACKS[transport]
    draw = random.Random(0)
    found = attack(tmp_path, [attacks.malformed(draw, str(good).encode()) for _ in range(200)])
    assert found["lost"] == 0
    assert "Traceback" not in (tmp_path / "stderr.txt").read_text()


@pytest.mark.nightly
def test_a_killed_server_resumes_and_clients_at_once_do_not_mix(tmp_path):
    (tmp_path / "killed").mkdir()
    found = attacks.killed(tmp_path / "killed", 3, random.Random(0))
    assert (found["differing"], found["not_replayed"]) == (0, 0)
    assert attacks.at_once(tmp_path, 10, random.Random(0))["differing"] == 0
