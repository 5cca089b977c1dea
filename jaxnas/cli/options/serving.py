"""Options of `serve` and `fresh`."""

import argparse

from jaxnas.cli.options import types


def add_serve(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas serve`."""
    parser.add_argument("table", metavar="TABLE", help="an identifier or a folder")
    parser.add_argument("--trials", type=types.count, default=100, metavar="N", help="evaluations (default 100)")
    parser.add_argument(
        "--blind", type=types.natural, metavar="SEED", help="rename and permute operations and decisions by a seed"
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--stdio", action="store_true", help="JSON lines on standard input and output (default)")
    way.add_argument("--http", type=types.natural, metavar="PORT", help="POST /sessions/K with a request as JSON")
    way.add_argument("--mcp", action="store_true", help="Model Context Protocol on standard input and output")
    parser.add_argument("--host", default="127.0.0.1", help="address of --http (default 127.0.0.1: this machine only)")
    parser.add_argument("--token", help="of --http, at least 8 characters (default: a random one, which is printed)")
    parser.add_argument("--invalid", type=float, default=0.1, metavar="S", help="cost of a wrong string (default 0.1)")
    parser.add_argument("--repeats", choices=("paid", "free"), default="paid", help="evaluating again (default paid)")
    parser.add_argument("--seed", type=types.natural, default=0, metavar="N", help="of the noise (default 0)")
    parser.add_argument("--session", type=types.natural, default=0, metavar="K", help="its number (default 0)")
    parser.add_argument("--out", metavar="DIR", help="holds the logs (default jaxnas-out/serve-TABLE)")


def add_fresh(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas fresh`."""
    parser.add_argument(
        "--minutes", type=types.amount, default=30, metavar="M", help="of two cores, about (default 30)"
    )
    parser.add_argument("--seed", type=types.natural, metavar="N", help="of space, task and recipe (default: random)")
    parser.add_argument("--processes", type=types.count, metavar="P", help="worker processes (default: one per core)")
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-out/fresh-SEED")
