"""Sessions over HTTP, a number of them at once: `POST /sessions/3` with a request as JSON."""

import http.server
import json
import re
import secrets
import threading
from collections.abc import Callable
from typing import Any

from jaxnas.checks import first_line
from jaxnas.sessions.lines import MAX_LINE, request_of
from jaxnas.sessions.session import Session

LOCAL = "127.0.0.1"
MAX_SESSIONS = 1000
_PATH = re.compile(r"/sessions/([0-9]{1,9})/?")
_PATIENCE = 60
"""Seconds that a client may take to send a request."""


class SessionServer(http.server.ThreadingHTTPServer):
    """A server of sessions; run it by `serve_forever`.

    A client sends the token in the header `Authorization: Bearer TOKEN`. Clients with different numbers have different
    sessions; a session begins with its first request.

    Attributes:
        url: of the server.
        token: without which no request is answered.
    """

    daemon_threads = True

    def __init__(
        self, make_session: Callable[[int], Session], *, port: int = 0, host: str = LOCAL, token: str | None = None
    ):
        self.token = token or secrets.token_urlsafe(16)
        self._make_session, self._sessions, self._lock = make_session, dict[int, Session](), threading.Lock()
        super().__init__((host, port), _Handler)
        self.url = f"http://{host}:{self.server_address[1]}"

    def session(self, number: int) -> Session:
        """Returns the session of a number. Raises ValueError if there are too many."""
        with self._lock:
            if number not in self._sessions:
                if len(self._sessions) >= MAX_SESSIONS:
                    raise ValueError(f"Expected at most {MAX_SESSIONS:,} sessions, got another one, {number}.")
                self._sessions[number] = self._make_session(number)
            return self._sessions[number]

    def server_close(self) -> None:
        super().server_close()
        for session in self._sessions.values():
            session.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Does nothing: a client that breaks off harms no other."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: SessionServer
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    server_version = "jaxnas"

    def do_POST(self) -> None:
        path = _PATH.fullmatch(self.path)
        given = self.headers.get("Authorization", "").encode(errors="replace")
        size = self.headers.get("Content-Length", "")
        if not secrets.compare_digest(given, f"Bearer {self.server.token}".encode()):
            self._refuse(401, "Expected the header Authorization: Bearer TOKEN, with the token of the server.")
        elif path is None:
            self._refuse(404, "Expected a path such as /sessions/0.")
        elif not re.fullmatch(r"[0-9]{1,9}", size) or int(size) > MAX_LINE:
            self._refuse(413, f"Expected a body of at most {MAX_LINE:,} bytes, and its length in the headers.")
        else:
            self._answer(int(path[1]), request_of(self.rfile.read(int(size))))

    def _answer(self, number: int, request: object) -> None:
        try:
            found = self.server.session(number).answer(request)
        except (ValueError, OSError) as error:
            return self._refuse(409, first_line(error))
        self._send(400 if "error" in found else 200, found)

    def _refuse(self, status: int, text: str) -> None:
        self.close_connection = True  # its body was not read
        self._send(status, {"error": text})

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        data = json.dumps(answer, allow_nan=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing."""
