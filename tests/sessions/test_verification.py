"""Logs of sessions, replayed: an honest one passes, and no changed one does."""

import json
import random

import pytest

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.search.loop.chained_lines import JournalFile
from jaxnas.sessions.verification import is_log

TABLE = "recurrent-3-digits-rows-v1"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("session") / "session-0.jsonl"
    session = jn.Session(TABLE, jn.sessions.Rules(num_trials=6), blind=3, log=path)
    texts = session.answer({"request": "describe"})["examples"]
    for text in (*texts, "bad", texts[0]):
        session.answer({"request": "evaluate", "text": text, "tokens": 9})
    session.answer({"request": "neighbors", "text": texts[0]})
    session.answer({"request": "finish", "text": texts[1]})
    session.close()
    return path


def test_a_log_passes(log, capsys):
    assert is_log(log)
    (check,) = jn.sessions.verify_session(log)
    assert check.passed
    assert "4 evaluations, 1 invalid, 1 repeats, 45 tokens; finished" in check.text
    assert main(["verify", str(log)]) == 0
    assert capsys.readouterr().out.startswith("passed: session-0.jsonl: every answer is the same again")


def test_a_changed_byte_anywhere_is_refused(log, tmp_path):
    data, draw = log.read_bytes(), random.Random(0)
    for number in range(40):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(7)
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(changed)
        assert not jn.sessions.verify_session(path)[0].passed


@pytest.mark.parametrize("part", ["score", "left", "text"])
def test_a_forged_answer_with_new_checksums_is_refused(log, tmp_path, part):
    header, *lines = [json.loads(line) for line in log.read_text().splitlines()]
    file = JournalFile(tmp_path / "forged.jsonl", {key: value for key, value in header.items() if key != "check"})
    for line in lines:
        del line["check"]
        answer = line.get("answer", {})
        if part in answer and line is lines[1]:
            answer[part] = {"score": 0.99, "left": 6, "text": "a0-a0-b0-b0-c0"}[part]
        file.append(line)
    file.close()
    (check,) = jn.sessions.verify_session(tmp_path / "forged.jsonl")
    assert not check.passed
    assert check.text.startswith("Line 3 of ")


@pytest.mark.parametrize("line", [{}, {"request": None}, {"request": {"request": []}}, {"request": 3, "answer": {}}])
def test_a_line_that_is_none_of_a_session_is_refused(log, tmp_path, line):
    header = json.loads(log.read_text().splitlines()[0])
    file = JournalFile(tmp_path / "forged.jsonl", {key: value for key, value in header.items() if key != "check"})
    file.append(line)
    file.close()
    assert not jn.sessions.verify_session(tmp_path / "forged.jsonl")[0].passed


def test_a_log_of_another_benchmark_is_refused(log):
    (check,) = jn.sessions.verify_session(log, "recurrent-3-words-language-v1")
    assert check.text == f"Expected {log} of this session, got one with another benchmark, content_hash"
