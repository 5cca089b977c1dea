"""JSON lines, HTTP and MCP: the same session behind each, whatever clients send."""

import asyncio
import io
import json
import random
import threading
import urllib.error
import urllib.request

import pytest

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.sessions.lines import serve_lines
from jaxnas.sessions.mcp_server import mcp_server

TABLE = "recurrent-3-digits-rows-v1"
TEXT = "0.tanh-1.relu-2.tanh"


@pytest.fixture(scope="module")
def bench():
    return jn.load(TABLE)


def malformed(count: int) -> list[bytes]:
    """Returns lines that are no request, among them ones that are nearly."""
    draw, good = random.Random(0), json.dumps({"request": "evaluate", "text": TEXT}).encode()
    found = [
        b"\xff\xfe",
        b"[" * 5000,
        b'{"request": NaN}',
        b'{"request": 1e999}',
        b'"\\ud800"',
        b"null",
        b"{}",
        b"0" * 9999,
    ]
    while len(found) < count:
        at = draw.randrange(len(good))
        found.append(good[:at] + bytes([draw.randrange(256)]) * draw.randrange(3) + good[at + draw.randrange(1, 5) :])
    return [line.replace(b"\n", b" ").replace(b"\r", b" ") for line in found]


def test_malformed_lines_get_an_answer_each_and_the_session_goes_on(bench):
    session, lines = jn.Session(bench), [line for line in malformed(300) if line.strip()]
    answers = io.BytesIO()
    good = json.dumps({"request": "evaluate", "text": TEXT}).encode()
    serve_lines(session.answer, io.BytesIO(b"\n".join([*lines, good])), answers)
    found = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert len(found) == len(lines) + 1
    assert sum("error" in answer for answer in found[:-1]) > 200
    assert found[-1]["text"] == TEXT


class Client:
    """A client of the HTTP server."""

    def __init__(self, server, number=0, token=None):
        self.url = f"{server.url}/sessions/{number}"
        self.headers = {"Authorization": f"Bearer {token or server.token}"}

    def send(self, body: bytes) -> tuple[int, dict]:
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, body, self.headers), timeout=30) as found:
                return found.status, json.load(found)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def ask(self, **request) -> tuple[int, dict]:
        return self.send(json.dumps(request).encode())


@pytest.fixture
def server(bench):
    with jn.sessions.SessionServer(lambda number: jn.Session(bench, number=number)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_http_answers_with_the_token_only(server):
    assert server.url.startswith("http://127.0.0.1:")
    status, answer = Client(server).ask(request="evaluate", text=TEXT)
    assert (status, answer["text"]) == (200, TEXT)
    assert Client(server, token="guessed").ask(request="history")[0] == 401
    assert Client(server, number="0/../1").ask(request="history")[0] == 404


def test_http_refuses_what_is_malformed_and_goes_on(server):
    client = Client(server)
    statuses = {client.send(line)[0] for line in malformed(60)}
    assert statuses <= {200, 400}
    assert client.send(b"x" * 300_000)[0] == 413
    assert client.ask(request="evaluate", text=TEXT)[0] == 200


def test_two_clients_at_once_do_not_mix(server, bench):
    texts = {
        number: [bench.space.to_str(bench.space.arch_at(10 * number + row)) for row in range(8)] for number in (1, 2)
    }
    answers = {number: [] for number in texts}

    def search(number):
        for text in texts[number]:
            answers[number].append(Client(server, number).ask(request="evaluate", text=text)[1])

    threads = [threading.Thread(target=search, args=(number,)) for number in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, asked in texts.items():
        alone = jn.Session(bench, number=number)
        assert answers[number] == [alone.answer({"request": "evaluate", "text": text}) for text in asked]


def test_an_mcp_client_has_a_tool_for_each_request(bench):
    pytest.importorskip("mcp")
    from mcp.client import Client as McpClient

    session = jn.Session(bench)

    async def search():
        async with McpClient(mcp_server(session.answer)) as client:
            tools = await client.list_tools()
            found = await client.call_tool("evaluate", {"text": TEXT})
            wrong = await client.call_tool("evaluate", {"text": "nothing"})
            about = (await client.call_tool("describe", {})).structured_content
            return [tool.name for tool in tools.tools], found.structured_content, wrong.structured_content, about

    tools, found, wrong, about = asyncio.run(search())
    assert about["left"] == 99
    assert tools == ["describe", "evaluate", "neighbors", "history", "finish"]
    assert found == jn.Session(bench).answer({"request": "evaluate", "text": TEXT})
    assert wrong["error"].startswith("Expected an architecture such as")


def test_serve_over_standard_input(tmp_path, monkeypatch, capfdbinary):
    request = json.dumps({"request": "finish", "text": TEXT}).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"nothing\n" + request + b"\n")))
    assert main(["serve", TABLE, "--blind", "7", "--out", str(tmp_path)]) == 0
    out, err = capfdbinary.readouterr()
    first, second = (json.loads(line) for line in out.splitlines())
    assert "error" in first
    assert second["error"].startswith("Expected an architecture such as 'v")
    assert b"session-0-blind-7.jsonl" in err
    assert main(["serve", TABLE, "--http", "0", "--token", "short", "--out", str(tmp_path)]) == 2
