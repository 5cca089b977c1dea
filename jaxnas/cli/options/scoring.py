"""Options of `proxies`, `predict` and `fit-surrogate`."""

import argparse

from jaxnas.cli.options import types
from jaxnas.cli.options.shared import add_ray, add_space_and_task


def add_proxies(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas proxies`."""
    add_space_and_task(parser)
    parser.add_argument(
        "--names", default="all", metavar="a,b", help="proxies (see jaxnas list), or file.py:NAME (default: all)"
    )
    parser.add_argument(
        "--inits", type=types.count, default=4, metavar="I", help="initializations of each architecture (default 4)"
    )
    parser.add_argument(
        "--batch-size", type=types.count, metavar="B", help="training examples (default 64, or all where fewer)"
    )
    parser.add_argument("--seed", type=types.natural, default=0, metavar="N", help="default 0")
    add_ray(parser)
    parser.add_argument(
        "--id", type=types.table_id, metavar="ID", help="the name of the pack (default SPACE-TASK-proxies-v2)"
    )
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-out/proxies-ID")


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas predict`."""
    parser.add_argument("table", metavar="TABLE", help="an identifier or a folder")
    parser.add_argument(
        "--predictors", metavar="a,b,file.py:mine", help="names, functions in files, or all (default: all that fit)"
    )
    parser.add_argument("--protocol", metavar="P", help="of the table (default: the table's own)")
    parser.add_argument(
        "--columns", metavar="PACK,..", help="identifiers or folders of column packs that predictors may read"
    )
    parser.add_argument(
        "--train", type=types.counts, metavar="N,..", help="numbers of training architectures (default 10,30,100,300)"
    )
    parser.add_argument("--test", type=types.count, metavar="M", help="test architectures (default 200, or a third)")
    parser.add_argument(
        "--epochs", type=types.counts, metavar="E,..", help="how many epochs of a curve are read (default: half)"
    )
    parser.add_argument(
        "--isomorphs", action="store_true", help="let equal networks be on both sides, as most papers do"
    )
    parser.add_argument("--repetitions", type=types.count, default=10, metavar="R", help="draws of both (default 10)")
    parser.add_argument("--seed", type=types.natural, default=0, metavar="N", help="default 0")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--out", metavar="DIR", help="write the result and figures there")


def add_fit_surrogate(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas fit-surrogate`."""
    parser.add_argument("table", metavar="TABLE", help="an identifier or a folder; it may be a partial table")
    parser.add_argument(
        "--fraction", type=types.amount, default=1.0, metavar="F", help="share of its classes to fit to (default 1)"
    )
    parser.add_argument("--predictor", default="gp_wl", metavar="X", help="a name, or file.py:NAME (default gp_wl)")
    parser.add_argument("--protocol", metavar="P", help="of the table (default: the table's own)")
    parser.add_argument("--space", metavar="S", help="that the table lists a part of: a name, or file.py:NAME")
    parser.add_argument(
        "--runs",
        type=types.natural,
        default=200,
        metavar="N",
        help="searches on both for the report (default 200; 0: none)",
    )
    parser.add_argument("--id", type=types.table_id, metavar="ID", help="default SPACE-TASK-surrogate-v1")
    parser.add_argument("--seed", type=types.natural, default=0, metavar="N", help="default 0")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-out/fit-surrogate-ID")
