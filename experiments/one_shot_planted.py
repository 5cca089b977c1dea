"""Checks one-shot methods on a supernet whose loss grows with a known cost of the choices, and with nothing else.

Claim: every method but `gdas_reference` ends with the cheapest architecture in 10 of 10 seeds. The rule of
`gdas_reference` counts an operation that does not run as a number added to the output, and ends elsewhere in some
(2026-11-26: 7 of 10 find it).
Command: python experiments/one_shot_planted.py [--methods a,b]
Run time: about three seconds a method.
Output: how many seeds of ten find the optimum, by method. Last line: a JSON object. Exit code 1 where the claim fails.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import jaxnas as jn
from jaxnas import catalog

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from planted import BEST, PLANTED, planted_task

BIASED = ("gdas_reference",)
NUM_STEPS, NUM_SEEDS = 300, 10


def main() -> None:
    """Prints how many seeds find the optimum."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--methods", default=",".join(catalog.ONE_SHOT))
    found = {}
    for name in parser.parse_args().methods.split(","):
        search = jn.OneShot(PLANTED, planted_task(), name, table=False, progress=False)
        runs = search.search(NUM_STEPS, num_seeds=NUM_SEEDS).runs
        found[name] = sum(bool(np.array_equal(run.arch, BEST)) for run in runs)
        print(f"{name:20} {found[name]} of {NUM_SEEDS}", flush=True)
    print(json.dumps(found))
    sys.exit(any(count < NUM_SEEDS for name, count in found.items() if name not in BIASED))


if __name__ == "__main__":
    main()
