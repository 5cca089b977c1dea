"""Sessions over HTTP, several at once: `POST /sessions/3` with a request as JSON."""

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
_PATH, _SIZE = re.compile(r"/sessions/([0-9]{1,3})"), re.compile(r"[0-9]{1,6}")


class SessionServer(http.server.ThreadingHTTPServer):
    """A server of sessions, each of another number, which begin with their first requests; see `serve_forever`.

    Attributes:
        url: of the server.
        token: a client sends it in the header `Authorization: Bearer TOKEN`.
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
        """Returns the session of a number."""
        with self._lock:
            if number not in self._sessions:
                self._sessions[number] = self._make_session(number)
            return self._sessions[number]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Does nothing: a client that breaks off harms no other."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: SessionServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds that a client may take to send a request

    def do_POST(self) -> None:
        path, size = _PATH.fullmatch(self.path), self.headers.get("Content-Length", "")
        given = self.headers.get("Authorization", "").encode(errors="replace")
        if not secrets.compare_digest(given, f"Bearer {self.server.token}".encode()):
            self._refuse(401, "Expected the header Authorization: Bearer TOKEN, with the token of the server.")
        elif path is None:
            self._refuse(404, "Expected a path such as /sessions/0.")
        elif not _SIZE.fullmatch(size) or int(size) > MAX_LINE:
            self._refuse(413, f"Expected a body of at most {MAX_LINE:,} bytes, and its length in the headers.")
        else:
            request = request_of(self.rfile.read(int(size)))
            try:
                found = self.server.session(int(path[1])).answer(request)
            except (ValueError, OSError) as error:
                return self._refuse(409, first_line(error))
            self._send(400 if "error" in found else 200, found)

    def _refuse(self, status: int, text: str) -> None:
        self._send(status, {"error": text})
        self.close_connection = True  # its body was not read

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        data = json.dumps(answer, allow_nan=False).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(data)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing."""
