"""One worker process: `python -P worker.py [--core C]`.

It reads pickled messages from its standard input, each with a number: first the module path with a copy of a function
and its first argument, then the other arguments of one call after another. It writes how each ended to its standard
output, pickled, with the number of the call. It ends with the process that started it, even if that is killed.
"""

import argparse
import ctypes
import os
import pickle
import queue
import signal
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported after the core and the number of threads are set
    from jaxnas.execution.base import Ended


def main(arguments: list[str] | None = None) -> None:
    """Answers calls until there are no more."""
    parser = argparse.ArgumentParser(prog="worker.py", description=__doc__)
    parser.add_argument("--core", type=int, help="the core to keep to, with one thread")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    replies = _own_channel(1, 2)  # prints of a called function go to standard error
    messages: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
    source = _own_channel(0, os.open(os.devnull, os.O_RDONLY))
    threading.Thread(target=_read, args=(source, messages), daemon=True).start()
    if options.core is not None:  # before JAX starts its threads
        os.sched_setaffinity(0, {options.core})
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    _answer(messages, replies)


def _answer(messages: "queue.SimpleQueue[tuple[int, bytes]]", replies: IO[bytes]) -> None:
    process = os.getpid()
    number, message = messages.get()
    path, copy = pickle.loads(message)
    sys.path[:] = path
    from jaxnas.execution.base import called

    def reply(number: int, ended: "Ended") -> None:
        if os.getpid() != process:  # a child that the function started
            os._exit(0)
        sys.stdout.flush()
        pickle.dump((number, ended), replies)
        replies.flush()
        _release_unused_memory()

    start = called(_loaded, copy)
    reply(number, start._replace(value=None))
    while True:
        number, message = messages.get()
        reply(number, called(lambda message=message: start.value[0](start.value[1], *pickle.loads(message))))


def _own_channel(number: int, instead: int) -> IO[bytes]:
    """Returns the file behind a descriptor, which stands for another one from now on."""
    file = os.fdopen(os.dup(number), "rb" if number == 0 else "wb")
    os.dup2(instead, number)
    return file


def _read(source: IO[bytes], messages: "queue.SimpleQueue[tuple[int, bytes]]") -> None:
    """Passes messages on; ends this process with the one that sends them, even if it is busy."""
    while True:
        try:
            messages.put(pickle.load(source))
        except Exception:
            if os.name == "posix" and os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)  # with all that it started
            os._exit(1)


def _loaded(copy: bytes) -> tuple[Any, Any]:
    """Returns the function and its first argument."""
    from jaxnas.training.compilation import configure_compilation

    configure_compilation()
    return pickle.loads(copy)


def _release_unused_memory() -> None:
    """Gives freed memory back to the system if the C library can: compiling needs twice as much as training."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim:
        trim(0)


if __name__ == "__main__":
    main()
