"""Measures the commands of the README's table "I want to ...", as a new user types them.

Claim: each command of the table ends without an error, most in less than a minute.
Command: python experiments/speed/commands.py [--only WORD]
Run time: 15 minutes on a 2-core Intel Xeon (KVM).
Output: for each row the command, its exit status, seconds of wall clock and minutes of processor time, children
included; files that commands name (mine.py, images.npz, wine.csv) are written first, mine.py from the documentation.
Compiled programs are not kept between commands. Last line: a JSON object with minutes by command.
Page: README.md

Rows whose command is no whole one, or needs a space of the user's own, are skipped.
"""

import argparse
import json
import os
import re
import resource
import shlex
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, load_wine

ROOT = Path(__file__).parents[2]
OWN = {"README.md": "def hill_climber", "docs/proxies.md": "STEEP = ", "docs/predictors.md": "def ridge"}
"""The pages of which mine.py has a block, each with a word of it."""
SKIPPED = ("SPACE",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="rows whose command has this word")
    options = parser.parse_args()
    minutes = {}
    for command in commands():
        if options.only in command:
            with tempfile.TemporaryDirectory() as folder:
                write_files(Path(folder))
                status, wall, processor = measured(command, Path(folder))
            minutes[command] = round(processor / 60, 2)
            print(f"{status} {wall:6.1f} s {processor / 60:6.2f} min  {command}", flush=True)
    print(json.dumps(minutes))


def commands() -> list[str]:
    """Returns the commands of the README's table; one that begins with an ellipsis continues the one before it."""
    rows = re.findall(r"^\| [^|]+ \| `([^|`]+)` \|", (ROOT / "README.md").read_text(), re.M)
    found: list[str] = []
    for row in rows:
        if not any(word in row for word in SKIPPED):
            found.append(row.replace("...", found[-1]) if row.startswith("...") else row)
    return found


def write_files(folder: Path) -> None:
    """Writes the files that commands name into the folder that they run in."""
    (folder / "mine.py").write_text("\n\n".join(definitions(ROOT / page, word) for page, word in OWN.items()))
    images, labels = load_digits(return_X_y=True)
    np.savez(folder / "images.npz", X=images.reshape(-1, 8, 8), y=labels)
    wine = load_wine(as_frame=True).frame
    wine.to_csv(folder / "wine.csv", index=False)


def definitions(page: Path, word: str) -> str:
    """Returns the imports and definitions of the Python block of a page that has a word, without its calls."""
    (found,) = [text for text in re.findall(r"```python\n(.*?)```", page.read_text(), re.S) if word in text]
    called = re.compile(r"^(bench|strategies|comparison|trials) = .*\n|^print.*\n", re.M)
    return called.sub("", found)


def measured(command: str, folder: Path) -> tuple[int, float, float]:
    """Returns the exit status of a command, and seconds of wall clock and of processor time."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(done.stderr[-500:])
    return done.returncode, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
