"""Measures how well supernets rank the classes of a table, beside sizes, a proxy, short trainings and a full one.

Claim: three supernets of single paths of 6,400 steps rank the classes of nb201-shifted-digits-v1 as one full training
of each does, and so do three of `fairnas` of 1,600; of 1,600 of single paths no better than the number of parameters.
Figures: docs/one_shot.md.
Command: python experiments/studies/one_shot_correlation.py [--table ID] [--methods a,b] [--steps N] [--supernets K]
Run time: one to two and a half minutes a method.
Output: a Markdown table of Kendall's tau-b over 500 classes, all of them and the better half and fifth, with 95 %
intervals, and for each method the supernets' median score and the seconds of processor time. Last line: JSON.
Page: docs/one_shot.md
"""

import argparse
import json
import time

import jaxnas as jn
from jaxnas.training.compilation import configure_compilation

OWN = ("supernet", "ranks")


def main() -> None:
    """Prints the table and all figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--table", default="nb201-shifted-digits-v1")
    parser.add_argument("--methods", default="rsps,fairnas")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--supernets", type=int, default=3)
    options = parser.parse_args()
    configure_compilation()
    table, found = jn.Table.read(options.table), {}
    space, task = (table.manifest[part]["name"] for part in ("space", "task"))
    for method in options.methods.split(","):
        begun = time.process_time()
        result = jn.OneShot(space, task, method, table=False, progress=False).search(
            options.steps, num_seeds=options.supernets
        )
        found[method] = jn.oneshot.rank_correlation(result.supernets, table)
        found[method]["seconds"] = time.process_time() - begun
    print("| predictor | all | top half | top fifth |\n|---|---|---|---|")
    for number, (method, each) in enumerate(found.items()):
        for name, strata in each["predictors"].items():
            if name in OWN or not number:
                label = f"`{method}`, {'one supernet' if name == 'supernet' else 'mean rank'}" if name in OWN else name
                cells = [f"{cell['tau']:.3f} ({cell['low']:.3f} to {cell['high']:.3f})" for cell in strata.values()]
                print(f"| {label} | {' | '.join(cells)} |")
    for method, each in found.items():
        scores = ", ".join(f"{score:.3f}" for score in each["median_score"])
        print(f"{method}: median score of the supernets {scores}; {each['seconds']:.0f} s")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
