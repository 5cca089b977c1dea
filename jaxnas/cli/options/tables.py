"""Options of `build`, `import`, `verify`, `explore`, `show` and `list`."""

import argparse

from jaxnas.cli.options import types
from jaxnas.cli.options.shared import add_ray, add_space_and_task


def add_build(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas build`."""
    add_space_and_task(parser)
    parser.add_argument(
        "--limit", type=types.count, metavar="N", help="train only a random sample of N classes of architectures"
    )
    parser.add_argument(
        "--seeds", type=types.count, default=1, metavar="K", help="trainings of each architecture (default 1)"
    )
    parser.add_argument(
        "--epochs",
        type=types.counts,
        default=(),
        metavar="N,..",
        help="of a training (default: by the kind of space)",
    )
    parser.add_argument(
        "--widths", type=types.counts, default=(), metavar="W,..", help="channels, or units, of the networks"
    )
    parser.add_argument(
        "--resolutions", type=types.counts, default=(), metavar="R,..", help="heights of images, in pixels"
    )
    parser.add_argument(
        "--order",
        type=types.names,
        metavar="F,..",
        help="of several widths, resolutions or epochs: fidelities such as w2-e3,w4-e9 that may be asked, the lowest "
        "first (default: one training after another, each fidelity dearer than those before)",
    )
    parser.add_argument(
        "--test", choices=("last", "all"), default="last", help="epochs after which the test split is evaluated"
    )
    parser.add_argument("--processes", type=types.count, metavar="P", help="worker processes (default: one per core)")
    add_ray(parser)
    parser.add_argument(
        "--shard",
        type=types.shard,
        default=(1, 1),
        metavar="i/N",
        help="train the i-th of N parts, on one of N machines",
    )
    parser.add_argument(
        "--id", type=types.table_id, metavar="ID", help="the name of the table (default SPACE-TASK-v0, a preview)"
    )
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-out/build-ID")
    parser.add_argument(
        "--replace", action="store_true", help="write over another or a larger table, or other files of its names"
    )


def add_import(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas import`."""
    parser.add_argument("name", metavar="NAME", help="of an importer (see jaxnas list), or file.py:NAME")
    parser.add_argument("path", metavar="PATH", help="the benchmark's own file or folder")
    parser.add_argument(
        "--out", metavar="DIR", help="holds a folder per table (default: jaxnas-out/import-ID for each table)"
    )


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas verify`."""
    parser.add_argument("table", metavar="TABLE", help="an identifier or a folder, or the log of a session")
    parser.add_argument(
        "--table", dest="table_of", metavar="DIR", help="of a session's log: the table's folder, unless it ships"
    )
    parser.add_argument(
        "--sample", type=types.natural, default=0, metavar="N", help="classes to train again (default 0: hashes only)"
    )
    parser.add_argument("--space", metavar="S", help="of the table, if the catalog has none of its name: file.py:NAME")
    parser.add_argument("--task", metavar="T", help="likewise: file.py:NAME, or file.npz with X, y")


def add_explore(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas explore`."""
    parser.add_argument("table", metavar="TABLE", help="an identifier or a folder")
    parser.add_argument("--out", metavar="FILE.html", help="default jaxnas-out/explore-ID.html")


def add_show(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas show`."""
    parser.add_argument("arch", metavar="ARCH", help="a string as the space writes it, or its row number")
    parser.add_argument("--space", required=True, metavar="S", help="a name, or file.py:NAME")
    parser.add_argument(
        "--task",
        metavar="T",
        help="the task of the network (default shifted-digits, or digits-rows for networks of sequences)",
    )
    parser.add_argument("--out", metavar="FILE.svg", help="where to draw it")


def add_list(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `jaxnas list`."""
    parser.add_argument("--json", action="store_true", help="as JSON")
