import signal
import subprocess
import sys

import pytest

STRATEGY = """
import os, signal, time

def random_search(space):
    # lost, as an exception that is raised while garbage is collected
    signal.signal(signal.SIGINT, lambda *_: os.write(1, b"lost\\n"))
    print("begun", flush=True)
    while True:
        time.sleep(0.1)
"""

PROGRAM = """
import signal, sys
from jaxnas.cli import interruption, main

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has jobs in the background ignore it
interruption._PATIENCE = float(sys.argv.pop(1))
main.main()
"""


@pytest.mark.parametrize(("num_interrupts", "patience"), [(1, 0.1), (2, 3600)])
def test_an_interrupt_ends_a_command_though_its_exception_is_lost(tmp_path, num_interrupts, patience):
    (tmp_path / "mine.py").write_text(STRATEGY)
    command = [sys.executable, "-c", PROGRAM, str(patience), "compare", "--strategies", "mine.py:random_search"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    for _ in range(num_interrupts):
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() in ("lost\n", "")
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, "jaxnas compare: stopped\n")


def test_a_command_that_can_continue_says_so(monkeypatch, capsys):
    from jaxnas.cli import listing, search
    from jaxnas.cli.main import main

    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(search, "run", interrupted)
    monkeypatch.setattr(listing, "run", interrupted)
    assert main(["search", "--space", "nb201", "--task", "digits", "--trials", "2"]) == main(["list"]) == 130
    assert capsys.readouterr().err.splitlines() == [
        "jaxnas search: stopped; run the same command again to continue",
        "jaxnas list: stopped",
    ]
