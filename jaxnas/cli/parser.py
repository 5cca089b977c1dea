"""The parser of the command line, without anything heavy, so `jaxnas --help` is quick."""

import argparse
from typing import Any, NoReturn

from jaxnas.checks import unknown_name
from jaxnas.cli.options import comparing, scoring, searching, serving, tables


class _Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage in one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Returns the values of the options; anything else is an error, which names the command and has a hint."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and unknown[0].startswith("-"):
            self.error(str(unknown_name("an option", unknown[0].partition("=")[0], self._option_string_actions)))
        if unknown:
            self.error(f"unexpected {unknown[0]!r}: join names by commas without spaces, a,b; options begin with --")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: str) -> None:
        if action.choices is not None and value not in action.choices:
            kind = f"a {action.metavar or action.dest}".lower()
            raise argparse.ArgumentError(None, str(unknown_name(kind, value, action.choices)))

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message[0].upper()}{message[1:]} (see {self.prog} --help)\n")


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of `jaxnas`, with a parser for each command."""
    parser = _Parser(prog="jaxnas", description="A research benchmark suite for neural architecture search in JAX.")
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for name, (text, add_options) in COMMANDS.items():
        add_options(commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}."))
    return parser


COMMANDS = {
    "list": (
        "list spaces, tasks, strategies, proxies, predictors, one-shot methods, importers and tables",
        tables.add_list,
    ),
    "compare": ("compare strategies on tables; writes a report", comparing.add_compare),
    "reproduce": ("compute published results again, next to the published figures", comparing.add_reproduce),
    "search": ("search by training networks; resumes when run again", searching.add_search),
    "oneshot": ("search by one network that all architectures share; resumes when run again", searching.add_oneshot),
    "build": ("train a whole space on a task into a table; resumes when run again", tables.add_build),
    "proxies": ("score a space without training into a column pack; resumes when run again", scoring.add_proxies),
    "predict": ("evaluate predictors of scores on a table", scoring.add_predict),
    "fit-surrogate": ("fit a model of a table's scores that answers as a benchmark", scoring.add_fit_surrogate),
    "import": ("read a published benchmark's own file into tables; resumes when run again", tables.add_import),
    "fresh": ("build a table that was never published, by a seed; resumes when run again", serving.add_fresh),
    "serve": ("let a searcher from outside search a table: a language model, or a program", serving.add_serve),
    "verify": (
        "check a table against its hashes, and a sample by retraining; or replay a session's log",
        tables.add_verify,
    ),
    "show": ("describe an architecture and draw it", tables.add_show),
    "explore": ("write a page with every architecture of a table, to filter and browse", tables.add_explore),
    "report": (
        "write the page of a comparison or a search again, from the results in its folder",
        comparing.add_report,
    ),
}
