"""Measures how long searches take by the number of their workers.

Claim: two workers on two cores take at most 0.65 of the time of one, start of the processes included, in searches of
minutes. Measured on two idle cores of an AMD EPYC, 2026-11-26, 400 trials: 37.5 s against 64.1 s, 0.59 of the time.
Command: python experiments/speed/workers.py [--trials 400] [--repeats 2] [--workers 1,2]
Run time: 4 minutes on two idle cores.
Output: the seconds of each search, in alternation, and in brackets those of the processor, of `random_search` on the
space `nb201` and the task `shifted-digits`, without evaluations after it, with programs compiled before; and the shares
of the time of one worker. Last line: a JSON object with the figures.
Page: docs/parallel.md
"""

import argparse
import json
import resource
import statistics
import time

import jaxnas as jn
from jaxnas.training.compilation import configure_compilation


def processor_seconds() -> float:
    """Returns the seconds of the processor of this process and of those that it has waited for."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def seconds_of(num_workers: int, num_trials: int, num_epochs: int) -> tuple[float, float]:
    """Returns the seconds of a search, and those of the processor."""
    strategy, task = "random_search", "shifted-digits"
    nas = jn.NAS("nb201", task, strategy=strategy, num_epochs=num_epochs, progress=False, num_workers=num_workers)
    started, used = time.perf_counter(), processor_seconds()
    nas.search(num_trials, num_finalists=0)
    return time.perf_counter() - started, processor_seconds() - used


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--workers", default="1,2")
    options = parser.parse_args()
    configure_compilation()
    counts = [int(count) for count in options.workers.split(",")]
    for count in counts:
        seconds_of(count, count, options.epochs)  # compiles, for workers with flags of their own
    seconds: dict[int, list[tuple[float, float]]] = {count: [] for count in counts}
    for _ in range(options.repeats):
        for count in counts:
            seconds[count].append(seconds_of(count, options.trials, options.epochs))
            wall, used = seconds[count][-1]
            print(f"{count} workers  {options.trials} trials  {wall:6.1f} s  ({used:6.1f} s)", flush=True)
    medians, processor = (
        {count: statistics.median(each[part] for each in values) for count, values in seconds.items()}
        for part in (0, 1)
    )
    figures = {
        "trials": options.trials,
        "seconds": medians,
        "processor_seconds": processor,
        "share_of_one_worker": {count: round(value / medians[counts[0]], 3) for count, value in medians.items()},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
