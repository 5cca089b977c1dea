"""The command line: `jaxnas COMMAND ...`. Commands are in `jaxnas.cli`, which loads only when one runs."""

import importlib
import sys

from jaxnas.cli.parser import _parser


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns the exit code.

    0: done; 1: a check or a run failed; 2: wrong usage or unreadable input.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.version:
        from jaxnas import __version__

        print(f"jaxnas {__version__}")
        return 0
    if options.command is None:
        parser.print_help()
        return 2
    commands = importlib.import_module("jaxnas.cli.commands")
    run = getattr(commands, "list_all" if options.command == "list" else options.command)
    try:
        return run(options)
    except (ValueError, OSError) as error:
        return _fail(options.command, error, 2)
    except RuntimeError as error:
        return _fail(options.command, error, 1)
    except KeyboardInterrupt:
        return _fail(options.command, "stopped; the same command goes on from here", 130)


def _fail(command: str, error, code: int) -> int:
    lines = str(error).splitlines() or [type(error).__name__]
    print(f"jaxnas {command}: {lines[0]}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
