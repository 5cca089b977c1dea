"""`python -m jaxnas` is the command `jaxnas`."""

import sys

from jaxnas.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
