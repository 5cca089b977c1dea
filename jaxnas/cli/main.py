"""The command line: `jaxnas COMMAND ...`. Each command has a module of this room, which loads only when it runs."""

import functools
import importlib
import shlex
import sys
import warnings

from jaxnas.cli.interruption import end_on_interrupts, stopped
from jaxnas.cli.parser import make_parser

_MODULES = {"list": "listing", "import": "importing", "fit-surrogate": "fit_surrogate"}  # not valid module names


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns the exit code.

    0: done; 1: a check or a run failed; 2: wrong usage or unreadable input.
    """
    is_program, arguments = arguments is None, sys.argv[1:] if arguments is None else arguments
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.version:
        from jaxnas import __version__

        print(f"jaxnas {__version__}")
        return 0
    if options.command is None:
        parser.print_help()
        return 2
    if is_program:
        end_on_interrupts(options.command)
    options.command_line = shlex.join(["jaxnas", *arguments])
    try:
        with warnings.catch_warnings():
            warnings.showwarning = functools.partial(_show_warning, options.command)
            return importlib.import_module(f"jaxnas.cli.{_MODULES.get(options.command, options.command)}").run(options)
    except (ValueError, OSError) as error:
        return _fail(options.command, error, 2)
    except RuntimeError as error:
        return _fail(options.command, error, 1)
    except KeyboardInterrupt:
        return _fail(options.command, stopped(options.command), 130)


def _show_warning(command: str, message: Warning | str, *where: object, **more: object) -> None:
    """Prints a warning in one line, without the place in the code."""
    print(f"jaxnas {command}: warning: {str(message).splitlines()[0]}", file=sys.stderr)


def _fail(command: str, error: Exception | str, code: int) -> int:
    lines = str(error).splitlines() or [type(error).__name__]
    print(f"jaxnas {command}: {lines[0]}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
