"""Copies of values for other processes, with the code of functions from scripts, notebooks and user files."""

import sys
from typing import Any

import cloudpickle

from jaxnas.catalog import USER_FILE
from jaxnas.checks import first_line


def copied(value: Any) -> bytes:
    """Returns a value for `pickle.loads` in another process, which needs jaxnas and the modules that the value names.

    Definitions of a script, a notebook or a `file.py:NAME` travel by their code.

    Raises ValueError if there is something in it that only one process can hold.
    """
    modules = [module for name, module in sys.modules.items() if name.startswith(USER_FILE)]
    for module in modules:  # which no other process can import
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(value)
    except Exception as error:
        raise ValueError(
            f"Expected what is trained or called to fit into other processes, got: {first_line(error)}; leave out what "
            "only one process can hold, such as a lock, or use one process."
        ) from None
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
