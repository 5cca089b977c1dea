"""Options of `compare` and `report`, and of `reproduce`."""

import argparse

from jaxnas.cli.options import types


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas compare`."""
    parser.add_argument(
        "--benchmark",
        metavar="TABLE,..",
        help="identifiers or folders of tables or surrogates, or file.py:NAME (default: nb201-cifar10-v1)",
    )
    parser.add_argument(
        "--protocol",
        metavar="P",
        help="evaluation protocol: what searches observe, what is reported, how cost is counted (default: the table's)",
    )
    parser.add_argument(
        "--strategies",
        metavar="a,b,file.py:mine",
        help="names, functions in files, all, or default: the fast ones for the objective (default)",
    )
    parser.add_argument(
        "--objective",
        metavar="O",
        help="default: the metric; accuracy,flops or accuracy,log-flops: two objectives; accuracy,flops<=1e6: within a "
        "limit; accuracy-1e-6*flops: less a weighted size",
    )
    parser.add_argument(
        "--columns", metavar="PACK,..", help="identifiers or folders of column packs, whose columns are further sizes"
    )
    parser.add_argument(
        "--sources",
        metavar="TABLE,..",
        help="tables of the same space on other tasks: adds warm-started and prior-guided variants of each strategy, "
        "and the sources' best without search; the target itself is excluded",
    )
    parser.add_argument(
        "--runs", type=types.count, default=1000, metavar="N", help="independent runs of each strategy (default 1000)"
    )
    parser.add_argument("--trials", type=types.count, metavar="N", help="trials of a run (default 300)")
    parser.add_argument(
        "--budget",
        type=types.amount,
        metavar="B",
        help="instead of --trials: the maximum cost of a run, in the table's unit, such as seconds or epochs",
    )
    parser.add_argument(
        "--confirm",
        type=types.pair,
        metavar="M,K",
        help="evaluate the best M architectures of a run K times more, at their cost, and return the best of these",
    )
    parser.add_argument(
        "--until-decided",
        action="store_true",
        help="add runs of each strategy, up to --runs, only until it is separated from all others",
    )
    parser.add_argument("--seed", type=types.natural, default=0, metavar="N", help="default 0")
    parser.add_argument("--pdf", action="store_true", help="write figures as PDF, too")
    parser.add_argument("--json", action="store_true", help="print summary.json instead of tables")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-out/compare-TABLE")


def add_report(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas report`."""
    parser.add_argument(
        "folder", metavar="DIR", help="the folder that `jaxnas compare`, `search`, `oneshot` or `serve` wrote to"
    )
    parser.add_argument("--table", metavar="DIR", help="of sessions: the table's folder, unless it ships")
    parser.add_argument("--pdf", action="store_true", help="write figures as PDF, too")


def add_reproduce(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas reproduce`."""
    parser.add_argument(
        "name", nargs="?", default="list", metavar="NAME", help="a published result, list (default) or all"
    )
    parser.add_argument(
        "--table", default="", metavar="TABLE,..", help="folders of imported tables (default: those in jaxnas-out)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, too")
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-out/reproduce-NAME")
