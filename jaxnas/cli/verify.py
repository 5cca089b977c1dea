"""`jaxnas verify`: a table against its hashes, and a sample of it trained again; or the log of a session, replayed."""

import argparse
import sys

from jaxnas.evidence.verification import verify
from jaxnas.sessions.verification import is_log, verify_session


def run(options: argparse.Namespace) -> int:
    """Checks the files of a table and retrains a sample of it, or replays a session. Returns the exit code."""
    if is_log(options.table):
        checks = verify_session(options.table, options.table_of)
    else:
        checks = verify(options.table, sample=options.sample, space=options.space, task=options.task)
    for check in checks:
        if check.passed:
            print(f"passed: {check.text}")
        else:
            print(f"jaxnas verify: FAILED: {check.text}", file=sys.stderr)
    return 0 if all(check.passed for check in checks) else 1
