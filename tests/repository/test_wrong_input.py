"""Wrong command lines and wrong calls: each ends in the message that a file of `wrong` holds, none in a traceback.

`python tests/repository/test_wrong_input.py` (from the repository's root) writes the messages of `commands.txt` and
`calls.txt` again. Read them as someone who has never seen jaxnas: is the cause first, and is there a hint?
"""

import contextlib
import io
import os
import runpy
import shlex
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnas as jn
from jaxnas.cli.main import main
from jaxnas.files import MANIFEST_FILE

WRONG = Path(__file__).parent / "wrong"
PACKAGE = str(Path(jn.__file__).parent)
COMMAND, CALL = "$ jaxnas ", ">>> "
ATTEMPTS = {"commands.txt": COMMAND, "calls.txt": CALL}


def make_files(folder: Path) -> None:
    """Writes the files that wrong input names: own code, data, folders that are no tables, and a damaged one."""
    shutil.copy(WRONG / "mine.py", folder)
    (folder / "broken.py").write_text(
        "import jaxnas as jn\n\ndef strategy(space)\n    return jn.random_search(space)\n"
    )
    (folder / "notes.txt").write_text("no table")
    (folder / "photos").mkdir()
    (folder / "photos" / "cat.png").write_bytes(b"\x89PNG")
    (folder / "damaged").mkdir()
    (folder / "damaged" / MANIFEST_FILE).write_text('{"id": "damaged-v1",')
    (folder / "semicolons.csv").write_text("a;b;label\n" + "1;2;x\n2;1;y\n" * 50)
    (folder / "headless.csv").write_text("1,2,0\n2,1,1\n" * 50)
    (folder / "words.csv").write_text("a,color,label\n" + "1,red,x\n2,blue,y\n" * 50)
    (folder / "gaps.csv").write_text("a,b,label\n" + "1,,x\n2,3,y\n" * 50)
    (folder / "empty.csv").write_text("")
    (folder / "garbage.npz").write_bytes(b"PK\x03\x04 garbage")
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    np.savez(folder / "channels_first.npz", X=random.random((60, 3, 32, 32), np.float32), y=labels)
    np.savez(folder / "without_y.npz", X=random.random((60, 8, 8)))
    np.savez(folder / "short_y.npz", X=random.random((60, 8, 8)), y=labels[:50])


def message_of_command(text: str, folder: Path) -> str:
    """Returns what a command prints on standard error, and fails where it does more or less than that."""
    printed, failed = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(failed):
        try:
            code = main(shlex.split(text))
        except SystemExit as stopped:
            code = stopped.code
    lines = failed.getvalue().splitlines()
    assert code == 2, f"{code} and {lines}"
    assert not printed.getvalue(), printed.getvalue()
    assert len(lines) == 1, lines
    return lines[0]


def message_of_call(text: str, names: dict) -> str:
    """Returns the kind and the message of the error of a call, which jaxnas itself must raise."""
    with pytest.raises((ValueError, TypeError, KeyError, RuntimeError, OSError)) as failed:
        exec(text, dict(names))
    place = traceback.extract_tb(failed.value.__traceback__)[-1].filename
    assert place.startswith(PACKAGE), f"raised in {place}: {failed.value!r}"
    assert len(str(failed.value).splitlines()) == 1
    return f"{failed.typename}: {failed.value}"


def attempts(name: str) -> Iterator[tuple[str, str]]:
    """Yields the input and the message of a file of `wrong`."""
    start = ATTEMPTS[name]
    lines = [line for line in (WRONG / name).read_text().splitlines() if line and not line.startswith("#")]
    for number, line in enumerate(lines):
        if line.startswith(start):
            following = lines[number + 1] if number + 1 < len(lines) else ""
            yield line.removeprefix(start), "" if following.startswith(start) else following


def found_in(name: str, folder: Path) -> Callable[[str], str]:
    """Returns the function from an input of a file of `wrong` to its message, without the name of the folder."""
    names = {"jn": jn, "np": np, "jnp": jnp, "jax": jax} | runpy.run_path("mine.py")

    def found(text: str) -> str:
        message = message_of_command(text, folder) if name == "commands.txt" else message_of_call(text, names)
        return message.replace(f"{folder}{os.sep}", "")

    return found


@pytest.mark.parametrize("name", ATTEMPTS)
def test_wrong_input_gives_its_message(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_files(tmp_path)
    found = found_in(name, tmp_path.resolve())
    expected = list(attempts(name))
    assert len({text for text, _ in expected}) == len(expected) >= 100
    wrong = []
    for text, message in expected:
        try:
            assert found(text) == message
        except (Exception, pytest.fail.Exception) as error:
            wrong.append(f"{text}\n{type(error).__name__}: {error}\n")
    assert not wrong, "\n".join(wrong)


def write_again(name: str) -> None:
    """Writes a file of `wrong` with the messages that are given now; what gives none is marked."""
    found, lines = found_in(name, Path.cwd()), []
    start = ATTEMPTS[name]
    kept = (line for line in (WRONG / name).read_text().splitlines() if line.startswith((start, "#")))
    for line in kept:
        if line.startswith("#"):
            lines += ["", line]
            continue
        try:
            message = found(line.removeprefix(start))
        except (Exception, pytest.fail.Exception) as error:
            message = f"MEND: {type(error).__name__}: {' '.join(str(error).split())}"
            print(line, message, sep="\n")
        lines += [line, message]
    (WRONG / name).write_text("\n".join(lines).lstrip() + "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, contextlib.chdir(made):
        make_files(Path.cwd())
        for each in sys.argv[1:] or ATTEMPTS:
            write_again(each)
