"""Ends a command on Ctrl-C: within two seconds, and at once on a second one."""

import os
import select
import signal
import socket
import sys
import threading

_PATIENCE = 1.5
"""Seconds that a command has to end by itself."""
_RESUMED = ("search", "build", "proxies", "oneshot", "import", "serve", "fresh")


def end_on_interrupts(command: str) -> None:
    """Starts a thread that ends this process soon after a first Ctrl-C, and at once on a second one.

    Python handles a signal between two instructions of the main thread. A compilation delays that, and an exception
    that is raised while garbage is collected is lost. The thread reads a socket that the system's handler writes to.
    """
    receiving, sending = socket.socketpair()
    sending.setblocking(False)
    signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(receiving, sending, command), daemon=True).start()


def _watch(receiving: socket.socket, sending: socket.socket, command: str) -> None:
    """Waits for interrupts. It holds the sending end, which would be closed without a reference."""
    while receiving.recv(1)[0] != signal.SIGINT:
        pass
    select.select([receiving], [], [], _PATIENCE)
    print(f"jaxnas {command}: {stopped(command)}", file=sys.stderr, flush=True)
    os._exit(130)


def stopped(command: str) -> str:
    """Returns the message of a command that was interrupted, and how to continue it if it can."""
    return "stopped; run the same command again to continue" if command in _RESUMED else "stopped"
