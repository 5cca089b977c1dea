"""Measures queries of a surrogate, and fits of the predictors, in processor time of one core.

Claim: a surrogate answers a million queries a second or more on one core, in batches and in simulated searches.
Command: python experiments/speed/predictors.py (`--surrogate FOLDER or ID`, `--number N` queries of a batch).
Run time: a minute.
Output: a line for each measurement; the last line is a JSON object.
Page: docs/predictors.md
"""

import os

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()

import argparse
import json
import time
from collections.abc import Callable

import jax
import numpy as np

import jaxnas as jn
from jaxnas import prng
from jaxnas.predictors.base import Aux
from jaxnas.predictors.named import predictor_named

DEFAULT = "nb201x5-shifted-digits-surrogate-v1"
NUM_TRAIN, NUM_ASKED = 100, 1000
PREDICTORS = ("blr", "knn", "gp_hamming", "gp_wl", "mlp", "gcn")
REPEATS = 3


def one_core() -> None:
    """Keeps this process to one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def seconds_of(call: Callable[[], object]) -> float:
    """Returns the least processor time of a few calls, after a first one that compiles."""
    call()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def queries_a_second(bench: jn.benchmarks.SurrogateBenchmark, number: int) -> dict[str, float]:
    """Returns queries a second of one core: of a batch of random architectures, and of simulated random searches."""
    archs = jax.jit(jax.vmap(bench.space.sample))(jax.random.split(jax.random.key(0), number))
    keys = jax.vmap(lambda seed: prng.make_key(seed, "hash"))(np.arange(number))
    asked = jax.jit(
        lambda query, archs, keys: jax.vmap(lambda arch, key: query(jn.Query(arch), key).score)(archs, keys)
    )
    batch = number / seconds_of(lambda: jax.block_until_ready(asked(bench.query, archs, keys)))
    runs, trials = 2000, 300
    search = runs * trials / seconds_of(lambda: jn.run(jn.random_search, bench, num_trials=trials, num_runs=runs))
    return {"batch": batch, "random_search": search}


def milliseconds(name: str) -> tuple[float, float]:
    """Returns the times to fit a predictor to 100 architectures and to ask it about 1,000."""
    space = jn.NB201
    predictor = predictor_named(name)(space)
    archs = jax.jit(jax.vmap(space.sample))(jax.random.split(jax.random.key(0), NUM_TRAIN + NUM_ASKED))
    features = jax.jit(jax.vmap(predictor.encoding))(archs)
    y = np.asarray((archs[:NUM_TRAIN] == 3).mean(1), np.float32)
    fit, predict = jax.jit(predictor.fit), jax.jit(predictor.predict)
    state = fit(jax.random.key(1), features[:NUM_TRAIN], y, Aux())
    fitting = seconds_of(lambda: jax.block_until_ready(fit(jax.random.key(1), features[:NUM_TRAIN], y, Aux())))
    asking = seconds_of(lambda: jax.block_until_ready(predict(state, features[NUM_TRAIN:], Aux())))
    return 1000 * fitting, 1000 * asking


def run() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surrogate", default=DEFAULT)
    parser.add_argument("--number", type=int, default=2**18)
    options = parser.parse_args()
    one_core()
    found = queries_a_second(jn.benchmarks.SurrogateBenchmark.read(options.surrogate), options.number)
    for name, rate in found.items():
        print(f"{name}: {rate / 1e6:.2f} million queries a second")
    times = {name: milliseconds(name) for name in PREDICTORS}
    for name, (fitting, asking) in times.items():
        print(f"{name}: {fitting:.1f} ms to fit to {NUM_TRAIN}, {asking:.1f} ms to ask about {NUM_ASKED:,}")
    print(json.dumps({"queries_a_second": found, "milliseconds": times}))


if __name__ == "__main__":
    run()
