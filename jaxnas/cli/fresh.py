"""`jaxnas fresh`: a table that was never published."""

import argparse
import os
import secrets

from jaxnas.files import OUT
from jaxnas.progress import COMPILING, progress_bars
from jaxnas.sessions.fresh_tables import SEAL_FILE, fresh, reliability_of


def run(options: argparse.Namespace) -> int:
    """Builds and seals a fresh table. Returns the exit code."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # this process may not fill a GPU of its workers
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    folder = options.out or OUT / f"fresh-{seed}"
    print(f"Keep the seed secret. To resume: --seed {seed}.", flush=True)
    with progress_bars() as bars:
        bar = bars.add_task(COMPILING, total=None)
        table = fresh(
            folder,
            seed,
            minutes=options.minutes,
            num_processes=options.processes,
            progress=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    print(f"{len(table.representatives):,} classes, {table.num_seeds} seeds, reliability {reliability_of(table):.3f}.")
    print(f"Table: {folder}, sealed by {SEAL_FILE}: content hash {table.manifest['content_hash']}")
    return 0
