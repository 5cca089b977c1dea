"""`jaxnas verify`: the files of a table against its hashes, and a sample of it trained again."""

import argparse
import sys

from jaxnas.evidence.verification import verify


def run(options: argparse.Namespace) -> int:
    """Checks the files of a table, and retrains a sample of it. Returns the exit code."""
    checks = verify(options.table, sample=options.sample, space=options.space, task=options.task)
    for check in checks:
        if check.passed:
            print(f"passed: {check.text}")
        else:
            print(f"jaxnas verify: FAILED: {check.text}", file=sys.stderr)
    return 0 if all(check.passed for check in checks) else 1
