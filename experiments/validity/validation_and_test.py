"""Measures how well validation scores choose architectures by test, on every table that ships.

Claim: over all classes of a table validation and test rank alike; within the top 5 % by validation they often do not.
Command: python experiments/validity/validation_and_test.py [--cards]
Run time: 5 seconds.
Output: a row for each table: floor of the test regret, and Spearman's correlation over all classes and within the top
5 % by validation; with --cards the sentence of each table's card is written there. Last line: a JSON object.
Page: docs/statistics.md
"""

import argparse
import json

import numpy as np

import jaxnas as jn
from jaxnas.analysis.optima import optimum
from jaxnas.analysis.selection import selection
from jaxnas.ranks import spearman
from jaxnas.tables.format import manifest_bytes, manifest_hash, read_manifest, sha256
from jaxnas.tables.selection import selection_text
from jaxnas.tables.shipped import shipped_folder, shipped_ids

HEADING = "## Limits\n"


def measured(name: str) -> dict[str, float | int | None]:
    """Returns the numbers of a table's row."""
    bench = jn.load(name)
    rows = np.asarray(bench.table.representatives, np.int64)[:, None]
    best = optimum(bench)
    found = selection(bench, best)
    every = spearman(bench.validation_scores(rows), bench.held_out.scores(rows))
    return {**found._asdict(), "standard_error": best.standard_error, "spearman": every}


def write_card(name: str) -> None:
    """Writes the sentence of a table into its card, and the card's hash into the manifest, if it is not there yet."""
    card, manifest = (shipped_folder() / name / file for file in ("README.md", "manifest.json"))
    text, before = selection_text(jn.load(name).table), card.read_text(encoding="utf-8")
    if not text or text in before:
        return
    after = before.replace(HEADING, f"{HEADING}{text}\n\n", 1).encode()
    known = read_manifest(card.parent)
    known["files"]["README.md"] = sha256(after)
    known["manifest_hash"] = manifest_hash(known)
    card.write_bytes(after)
    manifest.write_bytes(manifest_bytes(known))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", action="store_true")
    options = parser.parse_args()
    found = {name: measured(name) for name in shipped_ids()}
    for name, each in found.items():
        error = "" if each["standard_error"] is None else f" ± {100 * each['standard_error']:.2f}"
        top = "" if each["top_spearman"] is None else f"{each['top_spearman']:.2f} ({each['num_top']})"
        print(f"| `{name}` | {100 * each['floor']:.2f}{error} | {each['spearman']:.2f} | {top} |")
        if options.cards:
            write_card(name)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
