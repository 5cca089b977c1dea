"""The recipes of docs/sessions.md, run as they are printed."""

import http.server
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import jaxnas as jn

PAGE = Path(__file__).parents[2] / "docs" / "sessions.md"
TABLE = "recurrent-3-digits-rows-v1"
TEXTS = ("0.tanh-1.relu-2.tanh", "no architecture", "0.relu-0.relu-0.relu")


def recipe(heading: str) -> str:
    """Returns the code of the recipe below a heading."""
    part = PAGE.read_text().split(f"### {heading}\n")[1]
    return re.search(r"^```\w+\n(.*?)^```", part, re.DOTALL | re.MULTILINE)[1]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_program_as_a_strategy_by_a_shell_script():
    Path("search.sh").write_text(recipe("A shell script"))
    names = {}
    exec(recipe("A program as a strategy").replace("num_runs=3", "num_runs=2"), names)
    trials = names["comparison"].trials["search"]
    assert trials.query.arch[0].tolist() == [[n, 1, n, 0, 0] for n in range(4)]


def test_a_c_program():
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    Path("search.c").write_text(recipe("A C program"))
    subprocess.run([compiler, "-o", "search", "search.c"], check=True)
    trials = jn.run(jn.external([os.path.abspath("search")]), jn.load(TABLE), num_trials=4, num_runs=1)
    assert len({tuple(arch) for arch in trials.query.arch[0].tolist()}) > 1


class Stub(http.server.BaseHTTPRequestHandler):
    """A chat model that answers with a few texts in turn."""

    asked = 0

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert request["messages"][-1]["role"] == "user"
        text = TEXTS[Stub.asked % len(TEXTS)]
        Stub.asked += 1
        answer = {"choices": [{"message": {"content": f" {text}\n"}}], "usage": {"total_tokens": 20}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format, *args):
        """Prints nothing."""


def test_a_chat_model(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        for name, value in (
            ("MODEL", "stub"),
            ("API_KEY", "k"),
            ("BASE_URL", f"http://127.0.0.1:{server.server_port}"),
        ):
            monkeypatch.setenv(name, value)
        names = {}
        exec(recipe("A chat model with an OpenAI-compatible interface"), names)
        server.shutdown()
    session = names["session"]
    session.close()
    assert session.is_finished
    assert session.counts["num_tokens"] == 20 * Stub.asked
    assert session.counts["num_invalid"] > 3
    assert jn.sessions.verify_session("out/session-0.jsonl")[0].passed


@pytest.mark.nightly
@pytest.mark.skipif(importlib.util.find_spec("mcp") is None, reason="needs mcp")
def test_an_mcp_client(tmp_path):
    code = recipe("A client of the Model Context Protocol").replace('"out"', repr(str(tmp_path)))
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PAGE.parents[1]
    )
    assert "finished" in found.stdout


def test_an_evaluator_of_a_coding_agent():
    Path("program.py").write_text("def propose(history, about):\n    return about['examples'][len(history) % 3]\n")
    names = {}
    exec(recipe("An evolutionary coding agent"), names)
    metrics = names["evaluate"]("program.py")
    assert 0 < metrics["combined_score"] < 1
    assert metrics["invalid"] == 0


def test_optuna_asks_and_tells():
    names = {}
    exec(recipe("Optuna"), names)
    assert len(names["study"].trials) == 10
    assert names["session"].counts["num_evaluations"] == 10
