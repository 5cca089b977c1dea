"""The page of commands, from their parser."""

import argparse
from pathlib import Path

from _site.text import save, table
from jaxnas.cli.parser import make_parser

HEAD = """# Command line
Made from the parser of `jaxnas`. `python -m jaxnas` is the same program. See also
[commands by example](../../guides/commands.md).

Exit codes: 0 done; 1 a check or a run failed; 2 wrong usage or unreadable input.

"""


def write(folder: Path) -> None:
    """Writes the page."""
    parser = make_parser()
    (actions,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    parts = [_section(name, each) for name, each in actions.choices.items()]
    save(folder / "reference" / "commands.md", HEAD + "\n".join(parts))


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    """Returns the section of a command: its purpose, arguments and options."""
    rows = [(f"`{_call(each)}`", _help(each, parser)) for each in parser._actions if each.dest != "help"]
    required = [f"{_call(each)}" for each in parser._actions if each.required]
    usage = " ".join(["jaxnas", name, *required, "[OPTIONS]"])
    arguments = table(["argument", "meaning"], rows) if rows else ""
    return f"## `{name}`\n{parser.description}\n\n```text\n{usage}\n```\n\n{arguments}"


def _call(action: argparse.Action) -> str:
    """Returns how an argument is given."""
    if not action.option_strings:
        return str(action.metavar or action.dest)
    if action.nargs == 0:
        return action.option_strings[-1]
    value = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    return f"{action.option_strings[-1]} {f'[{value}]' if action.nargs == '?' else value}"


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """Returns the help of an argument; stars and pipes are no Markdown."""
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    return text.replace("*", r"\*").replace("<", r"\<")
