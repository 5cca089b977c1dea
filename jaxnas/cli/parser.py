"""The options of the command line, without anything heavy, so that `jaxnas --help` is quick."""

import argparse
import math
from typing import NoReturn

from jaxnas import catalog
from jaxnas.checks import NUM_SEEDS, is_file_name

MAX_COUNT = 2**31 - 1
MAX_DIGITS = 100


class _Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message[0].upper()}{message[1:]} (see {self.prog} --help)\n")


def _count(text: str) -> int:
    if not text.isdecimal() or text.strip("0") == "":
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return _bounded(text, MAX_COUNT)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of 0 or more, got {text!r}")
    return _bounded(text, NUM_SEEDS - 1)


def _bounded(text: str, largest: int) -> int:
    if len(text) > MAX_DIGITS or int(text) > largest:  # Python refuses to read very many digits
        raise argparse.ArgumentTypeError(f"expected a whole number of at most {largest:,}, got {text:.30}")
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    digits = number.isdecimal() and count.isdecimal() and len(text) <= MAX_DIGITS
    if not (digits and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"expected i/N with i from 1 to N, got {text!r}")
    return int(number), int(count)


def _pair(text: str) -> tuple[int, int]:
    first, _, second = text.partition(",")
    if not (first.isdecimal() and second.isdecimal() and int(first) and int(second)):
        raise argparse.ArgumentTypeError(f"expected M,K, two whole numbers of 1 or more, got {text!r}")
    return int(first), int(second)


def _counts(text: str) -> list[int]:
    return [_count(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def _table_id(text: str) -> str:
    if not is_file_name(text):
        raise argparse.ArgumentTypeError(f"expected an identifier of letters, digits, dots and dashes, got {text!r}")
    return text


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of `jaxnas`, with a parser for each command."""
    parser = _Parser(prog="jaxnas", description="A research benchmark suite for neural architecture search in JAX.")
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for name, (text, add_options) in _COMMANDS.items():
        add_options(commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}."))
    return parser


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--benchmark",
        metavar="ID,ID,..",
        help="identifiers or folders of tables, or file.py:NAME (default: nb201-cifar10-v1)",
    )
    parser.add_argument(
        "--protocol", metavar="P", help="of the tables: what is told, reported and paid (default: the table's own)"
    )
    parser.add_argument(
        "--strategies",
        metavar="a,b,file.py:mine",
        help="names, functions in files, or all (default: the fast ones for the objective)",
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
        metavar="ID,ID,..",
        help="tables of the same space on other tasks: each strategy also begun with and guided by what is best there, "
        "beside the sources' best without search; the target itself is left out",
    )
    parser.add_argument(
        "--runs", type=_count, default=1000, metavar="N", help="independent runs of each strategy (default 1000)"
    )
    parser.add_argument("--trials", type=_count, metavar="N", help="trials of a run (default 300)")
    parser.add_argument(
        "--budget",
        type=_amount,
        metavar="B",
        help="in place of --trials: what a run may cost, in the table's unit, such as seconds or epochs",
    )
    parser.add_argument(
        "--confirm",
        type=_pair,
        metavar="M,K",
        help="evaluate the best M architectures of a run K times more, at their cost, and return the best of these",
    )
    parser.add_argument(
        "--until-decided",
        action="store_true",
        help="add runs of each strategy, up to --runs, only until it is separated from all others",
    )
    parser.add_argument("--seed", type=_natural, default=0, metavar="N", help="default 0")
    parser.add_argument("--pdf", action="store_true", help="write figures as PDF, too")
    parser.add_argument("--json", action="store_true", help="print summary.json in place of tables")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--out", default="jaxnas-results", metavar="DIR", help="default jaxnas-results")


def _add_search(parser: argparse.ArgumentParser) -> None:
    _add_space_and_task(parser)
    parser.add_argument(
        "--strategy",
        default=catalog.DEFAULT_STRATEGY,
        metavar="X",
        help=f"a name, or file.py:NAME (default {catalog.DEFAULT_STRATEGY})",
    )
    parser.add_argument("--trials", type=_count, required=True, metavar="N", help="architectures to train")
    parser.add_argument(
        "--objective",
        metavar="O",
        help="default: the metric of the task; accuracy-1e-6*parameters or accuracy-1e-6*flops: less a weighted size",
    )
    _add_epochs(parser)
    parser.add_argument(
        "--workers",
        type=_count,
        default=1,
        metavar="K",
        help="architectures to train at a time, each in a process of its own, by a strategy that allows it (default 1)",
    )
    _add_executor(parser)
    parser.add_argument("--seed", type=_natural, default=0, metavar="N", help="default 0")
    parser.add_argument("--quiet", action="store_true", help="print only where the results are")
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-searches/SPACE-TASK-STRATEGY-N")


def _add_oneshot(parser: argparse.ArgumentParser) -> None:
    _add_space_and_task(parser)
    parser.add_argument("--method", default="rsps", metavar="M", help="a name, or file.py:NAME (default rsps)")
    parser.add_argument("--steps", type=_count, default=2000, metavar="N", help="steps of a search (default 2000)")
    parser.add_argument("--seeds", type=_count, default=1, metavar="K", help="searches, of one seed each (default 1)")
    parser.add_argument("--seed", type=_natural, default=0, metavar="N", help="the first seed (default 0)")
    parser.add_argument(
        "--table", metavar="ID", help="says how good what was found is (default: the one that ships for space and task)"
    )
    _add_executor(parser)
    parser.add_argument("--pack", action="store_true", help="score the whole space by the supernets into a column pack")
    _add_epochs(parser)
    parser.add_argument("--quiet", action="store_true", help="print only where the results are")
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-searches/SPACE-TASK-METHOD-N")


def _add_build(parser: argparse.ArgumentParser) -> None:
    _add_space_and_task(parser)
    parser.add_argument(
        "--limit", type=_count, metavar="N", help="train only a random sample of N classes of architectures"
    )
    parser.add_argument(
        "--seeds", type=_count, default=1, metavar="K", help="trainings of each architecture (default 1)"
    )
    parser.add_argument(
        "--epochs", type=_counts, default=(), metavar="N,..", help="of a training (default: that of the space's kind)"
    )
    parser.add_argument(
        "--widths", type=_counts, default=(), metavar="W,..", help="channels, or units, of the networks"
    )
    parser.add_argument("--resolutions", type=_counts, default=(), metavar="R,..", help="heights of images, in pixels")
    parser.add_argument(
        "--order",
        type=_names,
        metavar="F,..",
        help="of several widths, resolutions or epochs: fidelities such as w2-e3,w4-e9 that may be asked, the lowest "
        "first (default: one training after another, each fidelity dearer than those before)",
    )
    parser.add_argument(
        "--test", choices=("last", "all"), default="last", help="epochs after which the test split is evaluated"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of the factors of matrix products and convolutions (default float32)",
    )
    parser.add_argument("--processes", type=_count, metavar="P", help="worker processes (default: one per core)")
    _add_executor(parser)
    parser.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="i/N", help="train the i-th of N parts, on one of N machines"
    )
    parser.add_argument(
        "--id", type=_table_id, metavar="ID", help="the name of the table (default SPACE-TASK-v0, a preview)"
    )
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-tables/ID")
    parser.add_argument(
        "--replace", action="store_true", help="write over another or a larger table, or other files of its names"
    )


def _add_proxies(parser: argparse.ArgumentParser) -> None:
    _add_space_and_task(parser)
    parser.add_argument(
        "--names", default="all", metavar="a,b", help="proxies (see jaxnas list), or file.py:NAME (default: all)"
    )
    parser.add_argument(
        "--inits", type=_count, default=4, metavar="I", help="initializations of each architecture (default 4)"
    )
    parser.add_argument(
        "--batch-size", type=_count, metavar="B", help="training examples (default 64, or all where fewer)"
    )
    parser.add_argument("--seed", type=_natural, default=0, metavar="N", help="default 0")
    _add_executor(parser)
    parser.add_argument(
        "--id", type=_table_id, metavar="ID", help="the name of the pack (default SPACE-TASK-proxies-v1)"
    )
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-tables/ID")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of an importer (see jaxnas list), or file.py:NAME")
    parser.add_argument("path", metavar="PATH", help="the benchmark's own file or folder")
    parser.add_argument("--out", default="jaxnas-tables", metavar="DIR", help="default jaxnas-tables")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="an identifier or a folder")
    parser.add_argument(
        "--predictors", metavar="a,b,file.py:mine", help="names, functions in files, or all (default: all that fit)"
    )
    parser.add_argument("--protocol", metavar="P", help="of the table (default: the table's own)")
    parser.add_argument(
        "--columns", metavar="PACK,..", help="identifiers or folders of column packs that predictors may read"
    )
    parser.add_argument(
        "--train", type=_counts, metavar="N,..", help="numbers of training architectures (default 10,30,100,300)"
    )
    parser.add_argument("--test", type=_count, metavar="M", help="test architectures (default 200, or a third)")
    parser.add_argument(
        "--epochs", type=_counts, metavar="E,..", help="how many epochs of a curve are read (default: half)"
    )
    parser.add_argument(
        "--isomorphs", action="store_true", help="let equal networks be on both sides, as most papers do"
    )
    parser.add_argument("--repetitions", type=_count, default=10, metavar="R", help="draws of both (default 10)")
    parser.add_argument("--seed", type=_natural, default=0, metavar="N", help="default 0")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--out", metavar="DIR", help="write the result and figures there")


def _add_fit_surrogate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="an identifier or a folder; it may be a partial table")
    parser.add_argument(
        "--fraction", type=_amount, default=1.0, metavar="F", help="share of its classes to fit to (default 1)"
    )
    parser.add_argument("--predictor", default="gp_wl", metavar="X", help="a name, or file.py:NAME (default gp_wl)")
    parser.add_argument("--protocol", metavar="P", help="of the table (default: the table's own)")
    parser.add_argument("--space", metavar="S", help="that the table lists a part of: a name, or file.py:NAME")
    parser.add_argument(
        "--runs", type=_natural, default=200, metavar="N", help="searches on both for the report (default 200; 0: none)"
    )
    parser.add_argument("--id", type=_table_id, metavar="ID", help="default SPACE-TASK-surrogate-v1")
    parser.add_argument("--seed", type=_natural, default=0, metavar="N", help="default 0")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--out", metavar="DIR", help="default jaxnas-surrogates/ID")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="an identifier or a folder")
    parser.add_argument(
        "--sample", type=_natural, default=0, metavar="N", help="classes to train again (default 0: hashes only)"
    )
    parser.add_argument(
        "--space", metavar="S", help="of the table, where the catalog has none of its name: file.py:NAME"
    )
    parser.add_argument("--task", metavar="T", help="likewise: file.py:NAME, or file.npz with X, y")


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arch", metavar="ARCH", help="a string as the space writes it, or its row number")
    parser.add_argument("--space", required=True, metavar="S", help="a name, or file.py:NAME")
    parser.add_argument(
        "--task",
        metavar="T",
        help="the task of the network (default shifted-digits, or digits-rows for networks of sequences)",
    )
    parser.add_argument("--out", metavar="FILE.svg", help="where to draw it")


def _add_explore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="an identifier or a folder")
    parser.add_argument("--out", metavar="FILE.html", help="default ID.html")


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="what `jaxnas compare --out DIR` wrote")
    parser.add_argument("--pdf", action="store_true", help="write figures as PDF, too")


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", default="list", metavar="NAME", help="a published result, list (default) or all"
    )
    parser.add_argument("--table", default="", metavar="DIR,DIR", help="folders of imported tables")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, too")
    parser.add_argument("--out", default="jaxnas-reproduction", metavar="DIR", help="default jaxnas-reproduction")


def _add_executor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--executor",
        choices=("processes", "ray"),
        default="processes",
        help="where the work is done: by processes of this machine (default), or on a Ray cluster",
    )
    parser.add_argument(
        "--address", metavar="A", help="of the Ray cluster, host:port or auto (default: this machine alone)"
    )


def _add_epochs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--epochs", type=_count, metavar="N", help="epochs of a training (default: that of the space's kind)"
    )


def _add_space_and_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--space", required=True, metavar="S", help="a name, or file.py:NAME")
    parser.add_argument(
        "--task",
        required=True,
        metavar="T",
        help="a name, file.py:NAME, file.npz with X, y, or file.csv or file.parquet with the label in the last column",
    )
    parser.add_argument("--label", metavar="NAME", help="the label's column of a file.csv or file.parquet")


_COMMANDS = {
    "list": ("list spaces, tasks, strategies, proxies, predictors, one-shot methods, importers and tables", _add_list),
    "compare": ("compare strategies on tables; writes a report", _add_compare),
    "search": ("search by training networks; resumes when run again", _add_search),
    "oneshot": ("search by one network that all architectures share; resumes when run again", _add_oneshot),
    "build": ("train a whole space on a task into a table; resumes when run again", _add_build),
    "proxies": ("score a space without training into a column pack; resumes when run again", _add_proxies),
    "import": ("read a published benchmark's own file into tables; resumes when run again", _add_import),
    "predict": ("evaluate predictors of scores on a table", _add_predict),
    "fit-surrogate": ("fit a model of a table's scores that answers as a benchmark", _add_fit_surrogate),
    "verify": ("check a table against its hashes, and a sample of it by retraining", _add_verify),
    "show": ("describe an architecture and draw it", _add_show),
    "reproduce": ("compute published results again, beside the published figures", _add_reproduce),
    "explore": ("write a page to explore a table with", _add_explore),
    "report": ("write the page of a comparison again", _add_report),
}
