"""Options of `search` and `oneshot`."""

import argparse

from jaxnas import catalog
from jaxnas.cli.options import types
from jaxnas.cli.options.shared import add_epochs, add_ray, add_space_and_task


def add_search(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas search`."""
    add_space_and_task(parser)
    parser.add_argument(
        "--strategy",
        default=catalog.DEFAULT_STRATEGY,
        metavar="X",
        help=f"a name, or file.py:NAME (default {catalog.DEFAULT_STRATEGY})",
    )
    parser.add_argument("--trials", type=types.count, required=True, metavar="N", help="architectures to train")
    parser.add_argument(
        "--objective",
        metavar="O",
        help="default: the metric of the task; accuracy-1e-6*parameters or accuracy-1e-6*flops: less a weighted size",
    )
    add_epochs(parser)
    parser.add_argument(
        "--workers",
        type=types.count,
        default=1,
        metavar="K",
        help="architectures to train at a time, each in a separate process, by a strategy that allows it (default 1)",
    )
    parser.add_argument(
        "--timeout", type=types.amount, metavar="SECONDS", help="with workers: a trial that takes longer has failed"
    )
    add_ray(parser)
    parser.add_argument("--seed", type=types.natural, default=0, metavar="N", help="default 0")
    parser.add_argument("--quiet", action="store_true", help="print only where the results are")
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-out/search-SPACE-TASK-STRATEGY")


def add_oneshot(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas oneshot`."""
    add_space_and_task(parser)
    parser.add_argument("--method", default="rsps", metavar="M", help="a name, or file.py:NAME (default rsps)")
    parser.add_argument("--steps", type=types.count, default=2000, metavar="N", help="steps of a search (default 2000)")
    parser.add_argument(
        "--seeds", type=types.count, default=1, metavar="K", help="searches, of one seed each (default 1)"
    )
    parser.add_argument("--seed", type=types.natural, default=0, metavar="N", help="the first seed (default 0)")
    parser.add_argument(
        "--table", metavar="TABLE", help="to score the result by (default: the one that ships for space and task)"
    )
    add_ray(parser)
    parser.add_argument("--pack", action="store_true", help="score the whole space by the supernets into a column pack")
    add_epochs(parser)
    parser.add_argument("--quiet", action="store_true", help="print only where the results are")
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-out/oneshot-SPACE-TASK-METHOD-N")
