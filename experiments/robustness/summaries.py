"""Attacks on summaries of comparisons, searches and one-shot searches, which `jaxnas report` reads."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np

import jaxnas as jn
from experiments.robustness.kills import MINE
from experiments.robustness.mutations import Attack, Tally, mutated, with_other_value
from jaxnas.cli.main import main
from jaxnas.report.comparison_files import CHECKSUM, SUMMARY_FILE, checksum, read_summary, write_again
from jaxnas.report.result_folder import ONE_SHOT, SEARCH


def attack_summary(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Bytes of a summary.json changed; what `jaxnas report` reads."""
    tally, original = Tally("summary.json"), _summary(folder)
    expected = {name: value for name, value in json.loads(original).items() if name != CHECKSUM}
    for _ in range(number):
        (folder / SUMMARY_FILE).write_bytes(mutated(original, random))
        tally.attempt(lambda: read_summary(folder), lambda found: found == expected)
    return tally


def _summary(folder: Path) -> bytes:
    bench = jn.load("mlp-small-shifted-digits-v1")
    jn.compare(["random_search", "local_search"], bench, num_trials=5, num_runs=4).write(folder)
    return (folder / SUMMARY_FILE).read_bytes()


def attack_report(folder: Path, number: int, random: np.random.Generator) -> Tally:
    """Parts of a summary.json changed, its checksum made right again; the page is written again."""
    tally, original = Tally("summary.json with an honest checksum"), json.loads(_summary(folder))
    for _ in range(max(number // 200, 1)):  # a page takes seconds
        changed = with_other_value(original, random)
        changed[CHECKSUM] = checksum(changed)
        (folder / SUMMARY_FILE).write_text(json.dumps(changed))
        tally.attempt(lambda: write_again(folder), lambda found: True)
    return tally


def _searched(kind: str, folder: Path) -> tuple[Path, bytes]:
    """Returns the folder of a search or a one-shot search of the command line, and its summary."""
    (folder / "mine.py").write_text(MINE)
    places = [f"--{part}={folder / 'mine.py'}:{name}" for part, name in (("space", "SPACE"), ("task", "task"))]
    length = {"search": "--trials=6", "oneshot": "--steps=4"}[kind]
    with contextlib.redirect_stdout(io.StringIO()):
        main([kind, *places, length, "--epochs=1", "--quiet", f"--out={folder / 'out'}"])
    return folder / "out", (folder / "out" / SUMMARY_FILE).read_bytes()


def attack_search(kind: str) -> Attack:
    """Returns the attack on bytes of the summary of a search or a one-shot search."""

    def attack(folder: Path, number: int, random: np.random.Generator) -> Tally:
        out, original = _searched(kind, folder)
        named = {"search": SEARCH, "oneshot": ONE_SHOT}[kind]
        tally, expected = Tally(f"summary.json of a {named}"), read_summary(out, named)
        for _ in range(number):
            (out / SUMMARY_FILE).write_bytes(mutated(original, random))
            tally.attempt(lambda: read_summary(out, named), lambda found: found == expected)
        return tally

    return attack


def attack_search_report(kind: str) -> Attack:
    """Returns the attack on parts of such a summary, with an honest checksum; the page is written again."""

    def attack(folder: Path, number: int, random: np.random.Generator) -> Tally:
        out, original = _searched(kind, folder)
        tally = Tally(f"summary.json of {kind} with an honest checksum")
        for _ in range(number):
            changed = with_other_value(json.loads(original), random)
            changed[CHECKSUM] = checksum(changed)
            (out / SUMMARY_FILE).write_text(json.dumps(changed))
            tally.attempt(lambda: write_again(out), lambda found: (out / SUMMARY_FILE).read_bytes() == original)
        return tally

    return attack


ATTACKS: dict[str, Attack] = {
    "summary": attack_summary,
    "report": attack_report,
    **{f"{kind}.summary": attack_search(kind) for kind in ("search", "oneshot")},
    **{f"{kind}.report": attack_search_report(kind) for kind in ("search", "oneshot")},
}
