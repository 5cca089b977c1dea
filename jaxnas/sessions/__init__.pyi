"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.sessions.blinding import Blinded
from jaxnas.sessions.dialogue import Rules
from jaxnas.sessions.fresh_tables import fresh
from jaxnas.sessions.http_server import SessionServer
from jaxnas.sessions.memory import memory_test
from jaxnas.sessions.summary import report_sessions
from jaxnas.sessions.verification import verify_session

__all__ = [
    "Blinded",
    "Rules",
    "SessionServer",
    "fresh",
    "memory_test",
    "report_sessions",
    "verify_session",
]
