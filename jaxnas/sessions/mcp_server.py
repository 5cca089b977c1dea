"""A session as a server of the Model Context Protocol, by the official SDK."""

from collections.abc import Callable
from typing import Any

from jaxnas.sessions.dialogue import REQUESTS

INSTRUCTIONS = "Search for a neural network architecture within a budget of evaluations. Call describe first."


def mcp_server(answer: Callable[[object], dict[str, Any]]) -> Any:
    """Returns an `mcp.server.MCPServer` with a tool for each request, answered by a function such as `Session.answer`.

    Raises ValueError if the package mcp is missing.
    """
    try:
        from mcp.server import MCPServer
    except ImportError:
        raise ValueError("Expected the package mcp, got none: pip install 'jaxnas[mcp]'.") from None

    def plain(name: str) -> Callable[[], dict[str, Any]]:
        def ask() -> dict[str, Any]:  # by whose type the SDK knows that answers have a structure
            return answer({"request": name})

        return ask

    def with_text(name: str) -> Callable[[str, int], dict[str, Any]]:
        def ask(text: str, tokens: int = 0) -> dict[str, Any]:
            return answer({"request": name, "text": text, "tokens": tokens})

        return ask

    server = MCPServer("jaxnas", instructions=INSTRUCTIONS, log_level="ERROR")
    for name, what in REQUESTS.items():
        tool = plain(name) if name in ("describe", "history") else with_text(name)
        server.add_tool(tool, name=name, description=f"Returns {what}." if name != "finish" else f"It {what}.")
    return server
