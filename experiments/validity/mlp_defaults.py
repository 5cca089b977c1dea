"""How many random networks of a space of perceptrons learn nothing: draws of `MLPSpace` with its defaults, and with the
defaults of version 0.1.0, trained on `digits`.

Claim: fewer draws with today's defaults learn nothing than with the defaults of version 0.1.0.
Command: python experiments/validity/mlp_defaults.py --draws 60 --epochs 20
Run time: two minutes.
Output: a line for each space. Last line: a JSON object.
Page: none

A draw is at chance, and has learned nothing, if its validation accuracy is below 1.5 times the accuracy of a guess.
"""

import argparse
import json

import jax
import numpy as np

import jaxnas as jn

BEFORE = {
    "activations": ("relu", "sigmoid"),
    "initializers": ("random_normal", "lecun_normal"),
    "dropout_rates": (0.0, 0.25, 0.5, 0.75),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    task, found = jn.task("digits"), {}
    for name, space in (("0.1.0", jn.MLPSpace(**BEFORE)), ("defaults", jn.MLPSpace())):
        trainer = jn.Trainer(space, task, num_epochs=options.epochs)
        archs = np.asarray(jax.vmap(space.sample)(jax.random.split(jax.random.key(options.seed), options.draws)))
        counts = np.asarray(trainer.curves(archs, [0]).validation)[:, 0, -1]
        accuracy = counts / task.validation.num_examples
        found[name] = {
            "at_chance": float((accuracy < 1.5 / task.num_classes).mean()),
            "median": float(np.median(accuracy)),
            "best": float(accuracy.max()),
        }
        print(name, {key: round(value, 3) for key, value in found[name].items()}, flush=True)
    print(json.dumps({"draws": options.draws, "epochs": options.epochs, **found}))


if __name__ == "__main__":
    main()
