"""A session as a server of the Model Context Protocol, by the official SDK."""

from collections.abc import Callable
from typing import Any

from jaxnas.sessions.dialogue import REQUESTS

INSTRUCTIONS = "Search for a neural network architecture within a budget of evaluations. Call describe first."


def mcp_server(answer: Callable[[object], dict[str, Any]]) -> Any:
    """Returns an `mcp.server.MCPServer` with a tool for each request; `run("stdio")` serves.

    Args:
        answer: of a request, such as `Session.answer`.

    Raises ValueError if the package mcp is missing.
    """
    try:
        from mcp.server import MCPServer
    except ImportError:
        raise ValueError("Expected the package mcp, got none: pip install 'jaxnas[mcp]'.") from None

    def describe() -> dict[str, Any]:
        return answer({"request": "describe"})

    def evaluate(text: str, tokens: int = 0) -> dict[str, Any]:
        return answer({"request": "evaluate", "text": text, "tokens": tokens})

    def neighbors(text: str) -> dict[str, Any]:
        return answer({"request": "neighbors", "text": text})

    def history() -> dict[str, Any]:
        return answer({"request": "history"})

    def finish(text: str, tokens: int = 0) -> dict[str, Any]:
        return answer({"request": "finish", "text": text, "tokens": tokens})

    server = MCPServer("jaxnas", instructions=INSTRUCTIONS, log_level="ERROR")
    for tool in (describe, evaluate, neighbors, history, finish):
        server.add_tool(tool, description=f"Returns {REQUESTS[tool.__name__]}.")
    return server
