"""One process that answers for a benchmark: `python -m jaxnas.search.loop.worker [--core C]`.

It reads pickled messages from its standard input, first a copy of the benchmark and then one call after another, and
writes a pickled reply to each on its standard output: what the call returned, and in one line why it failed. It ends
with the process that started it, also where that is killed.
"""

import argparse
import os
import pickle
import queue
import signal
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxnas.search.loop.shareable import Shareable


def main(arguments: list[str] | None = None) -> None:
    """Answers calls until there are no more."""
    parser = argparse.ArgumentParser(prog="python -m jaxnas.search.loop.worker", description=__doc__)
    parser.add_argument("--core", type=int, help="the core to keep to")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    replies = _own_channel(1, 2)  # what an evaluator prints goes to standard error
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    source = _own_channel(0, os.open(os.devnull, os.O_RDONLY))
    threading.Thread(target=_read, args=(source, messages), daemon=True).start()
    if options.core is not None:  # before JAX starts its threads
        os.sched_setaffinity(0, {options.core})
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    bench = None
    while True:
        message = messages.get()
        reply: tuple[Any, str] = None, ""
        try:
            if bench is None:
                bench = loaded(message)
            else:
                reply = replied(bench, *pickle.loads(message))
        except BaseException as error:
            reply = None, _in_one_line(error)
        pickle.dump(reply, replies)
        replies.flush()


def _own_channel(number: int, instead: int) -> IO[bytes]:
    """Returns the file behind a descriptor, which stands for another one from now on."""
    file = os.fdopen(os.dup(number), "rb" if number == 0 else "wb")
    os.dup2(instead, number)
    return file


def _read(source: IO[bytes], messages: "queue.SimpleQueue[bytes]") -> None:
    """Passes messages on; ends the process with the one that sends them, whatever it does then."""
    while True:
        try:
            messages.put(pickle.load(source))
        except Exception:
            os._exit(1)


def loaded(message: bytes) -> "Shareable":
    """Returns the benchmark of the first message, which holds the module path and a pickled copy."""
    path, copy = pickle.loads(message)
    sys.path[:] = path
    from jaxnas.training.compilation import configure_compilation

    configure_compilation()
    return pickle.loads(copy)


def replied(bench: "Shareable", kind: str, *arguments: Any) -> tuple[Any, str]:
    """Returns what `answered` returns, or None and in one line why it fails."""
    try:
        return answered(bench, kind, *arguments), ""
    except BaseException as error:  # SystemExit, too: an evaluator may not end the worker
        return None, _in_one_line(error)


def answered(bench: "Shareable", kind: str, *arguments: Any) -> Any:
    """Returns the answer to a query, and what other copies of the benchmark may learn of it, or a fresh score."""
    import jax

    if kind == "fresh":
        return bench.fresh_score(*arguments)
    (query,) = arguments
    outcome = bench.answer(query, jax.random.key(0))  # the query names its run, so that nothing is drawn
    return outcome, bench.learned(query)


def _in_one_line(error: BaseException) -> str:
    lines = str(error).splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0]}"


if __name__ == "__main__":
    main()
