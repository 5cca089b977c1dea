"""Compares 100 trainings of multilayer perceptrons with a loop over scikit-learn's MLPClassifier in two processes.

Claim: jaxnas trains 100 random perceptrons of up to 10 layers of up to 128 units faster than the loop, compilation
included. Measured on two cores of an AMD EPYC, 2026-11-26: 21.3 s against 58.4 s (2.7 times; 3.3 compiled before), mean
test accuracy 65.7 % against 65.2 %. The goal was four times; compilation takes 3 s.
Command: python experiments/speed/mlp.py [--num-archs 10] [--num-epochs 100]
Run time: about 2 minutes on two quiet cores.
Output: the figures of both sides. Last line: a JSON object with `ratio` (time of the loop divided by time of jaxnas,
compilation included), `warm_ratio` (already compiled), `cpu_ratio` and `warm_cpu_ratio` (the same in processor time,
which a busy machine changes less), and mean and best test accuracies.
Page: docs/speed.md

Both sides train the same architectures on digits by SGD with Nesterov momentum, in batches of 32, with an l2 penalty of
the same strength, without dropout or early stopping, in one thread a training and two trainings at a time. The learning
rate is one at which deep networks of both sides learn and none diverges. Imports and the start of processes do not
count. They differ so: jaxnas also evaluates the test split after each epoch and lowers the learning rate by a cosine,
scikit-learn keeps it; scikit-learn draws initial biases and narrower kernels for the logistic function.
"""

import argparse
import json
import multiprocessing
import os
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # read when a process starts
    os.environ[variable] = "1"

NUM_PROCESSES = 2
ACTIVATIONS = {"relu": "relu", "sigmoid": "logistic"}


@dataclass(frozen=True)
class Config:
    """What is trained, and how."""

    num_archs: int = 100
    num_epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 0.01
    momentum: float = 0.9
    max_layers: int = 10
    max_units: int = 128
    task: str = "digits"
    seed: int = 0


CONFIG = Config()


def _vectors(task, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = getattr(task, split)
    return images[0].reshape(len(labels), -1), labels


def fit_classifier(config: Config, decoded: dict, number: int) -> tuple[float, float]:
    """Returns test accuracy and processor time of one MLPClassifier. Runs in a process of the pool."""
    from sklearn.neural_network import MLPClassifier

    from jaxnas.spaces.perceptrons.space import STRENGTH
    from jaxnas.tasks.named import task_named

    task = task_named(config.task)
    warnings.simplefilter("ignore")  # of epochs that do not suffice
    classifier = MLPClassifier(
        decoded["layers"],
        activation=ACTIVATIONS[decoded["activation"]],
        solver="sgd",
        alpha=2 * STRENGTH * config.batch_size,  # it divides by the samples of a batch and by two
        batch_size=config.batch_size,
        learning_rate_init=config.learning_rate,
        momentum=config.momentum,
        max_iter=config.num_epochs,
        n_iter_no_change=config.num_epochs + 1,
        random_state=number,
    )
    started = time.process_time()
    classifier.fit(*_vectors(task, "train"))
    seconds = time.process_time() - started
    return classifier.score(*_vectors(task, "test")), seconds


def time_classifiers(config: Config, decoded: list[dict]) -> dict:
    """Returns the accuracies, the wall time and the processor time of the loop over MLPClassifiers."""
    with multiprocessing.get_context("spawn").Pool(NUM_PROCESSES) as pool:
        quick = replace(config, num_epochs=1)
        pool.starmap(fit_classifier, [(quick, decoded[0], 0)] * 2 * NUM_PROCESSES, chunksize=1)  # imports
        started = time.perf_counter()
        jobs = [(config, values, number) for number, values in enumerate(decoded)]
        found = np.asarray(pool.starmap(fit_classifier, jobs, chunksize=1))
        return {"accuracy": found[:, 0], "wall": time.perf_counter() - started, "cpu": found[:, 1].sum()}


def time_jaxnas(config: Config, space, archs: np.ndarray) -> dict:
    """Returns the accuracies, the wall time and the processor time of `Trainer.curves`, compilation included or not."""
    from jaxnas.tasks.base import Split
    from jaxnas.tasks.named import task_named
    from jaxnas.training.trainer import Trainer, default_config

    task = task_named(config.task)
    nothing = Split(task.validation.inputs[:, :0], task.validation.labels[:0])  # the loop does not look at it either
    task = replace(task, validation=nothing)
    names = ("num_epochs", "batch_size", "learning_rate", "momentum")
    training = replace(default_config(space, task), **{name: getattr(config, name) for name in names})
    started, cpu_started = time.perf_counter(), time.process_time()
    curves = Trainer(space, task, training).curves(archs, [config.seed])
    seconds = {"wall": time.perf_counter() - started, "cpu": time.process_time() - cpu_started}
    return {"accuracy": curves.test[:, 0, -1] / task.test.num_examples, **seconds}


def main(config: Config = CONFIG) -> None:
    """Prints the figures."""
    import jax

    from jaxnas.spaces.perceptrons.space import MLPSpace

    space = MLPSpace(
        config.max_layers,
        config.max_units,
        activations=tuple(ACTIVATIONS),
        initializers=("glorot_uniform",),
        regularizers=("l2",),
        dropout_rates=(0.0,),
    )
    archs = np.asarray(jax.vmap(space.sample)(jax.random.split(jax.random.key(config.seed), config.num_archs)))
    sides = {
        "jaxnas": time_jaxnas(config, space, archs),
        "jaxnas, compiled": time_jaxnas(config, space, archs),
        "MLPClassifier": time_classifiers(config, [space.decode(arch) for arch in archs]),
    }
    num_steps = config.num_archs * config.num_epochs * (1024 // config.batch_size)
    for name, side in sides.items():
        step = 1e6 * side["cpu"] / num_steps
        accuracy = 100 * side["accuracy"].mean()
        print(f"{name:18} {side['wall']:7.1f} s  {step:6.1f} us of CPU a step  mean test accuracy {accuracy:.2f} %")
    cold, warm, other = sides.values()
    figures = {
        "ratio": other["wall"] / cold["wall"],
        "warm_ratio": other["wall"] / warm["wall"],
        "cpu_ratio": other["cpu"] / cold["cpu"],
        "warm_cpu_ratio": other["cpu"] / warm["cpu"],
        "test_accuracy_jaxnas": float(cold["accuracy"].mean()),
        "test_accuracy_classifier": float(other["accuracy"].mean()),
        "best_test_accuracy_jaxnas": float(cold["accuracy"].max()),
        "best_test_accuracy_classifier": float(other["accuracy"].max()),
        "num_archs": config.num_archs,
        "num_epochs": config.num_epochs,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num-archs", type=int, default=CONFIG.num_archs)
    parser.add_argument("--num-epochs", type=int, default=CONFIG.num_epochs)
    options = parser.parse_args()
    main(replace(CONFIG, num_archs=options.num_archs, num_epochs=options.num_epochs))
