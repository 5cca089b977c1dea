"""How far the reported regret is from the true one: tables drawn around known expected scores, on the shipped tables.

A drawn table has expected scores that are known, and runs around them: each run is a pair of residuals, of validation
and of test, of a stored run of a class of similar score, so that noise is as large, as skewed and as correlated as
measured. Expected scores are the table's, in two versions: every class's mean shrunk towards the mean of all by the
share of its variance that is noise (`shrunk`), and drawn given the means as `jaxnas.analysis.crossfit` models them
(`drawn`).
On some tables the optimum is estimated; on others strategies are run, and the scores that are reported are compared
with the true ones. The error of a regret is the sum of both. How often the true optimum lies within 1.96 standard
errors of its estimate is counted, with the noise as measured (`drawn`) and with heavy tails: residuals divided by the
root of a chi-squared number of three degrees of freedom, of the same variance (`heavy`).

Claim: the reported regret is correct on average over tables, within a tenth of a point unless noise is extreme.
Command: python experiments/validity/regret_truth.py [--tables ID,ID,..] [--optima 400] [--searches 12], 0 for none
Run time: about 25 minutes on one core.
Output: for each table and kind of truth pairs of a mean error, in points of accuracy, and its standard error: by how
much the largest mean (`maximum`), plain cross-fitting of the best architecture (`plain`) and the estimate that reports
use (`optimum`) lie above the true optimum, and the same of the regret of strategies by both definitions; the mean
standard error of the last estimate, and the share of tables that it holds in. Last line: a JSON object of the figures.
Page: docs/statistics.md
"""

import argparse
import json
from collections.abc import Iterator

import numpy as np

import jaxnas as jn
from jaxnas.analysis import crossfit
from jaxnas.analysis.incumbent import incumbent_scores
from jaxnas.analysis.optima import optimum
from jaxnas.benchmarks.tabular import classes_of
from jaxnas.simulation.trials import Trials

TABLES = ("nb201-shifted-digits-v1", "nb201-mnist5k-v1", "mlp-small-shifted-digits-v1")
TRUTHS = ("shrunk", "drawn", "heavy")
ESTIMATES = ("maximum", "plain", "optimum")
STRATEGIES = ("random_search", "regularized_evolution", "local_search")
NUM_TRIALS, NUM_RUNS = 300, 200
NUM_REDRAWN = 40  # enough where the mean over many tables counts


class Truth:
    """The expected scores of a table's classes, and how tables are drawn around them."""

    def __init__(self, bench: jn.TableBenchmark, kind: str, seed: int):
        self.bench, self.kind, self.random = bench, kind, np.random.default_rng(seed)
        validation, test = (bench.table.scores(name)[..., -1].astype(np.float64) for name in ("validation", "test"))
        order = np.argsort(test.mean(1), kind="stable")
        self.order = order
        self.validation, self.test = validation[order], test[order]
        num_runs = test.shape[1]
        both = np.stack([self.validation, self.test], axis=-1)
        self.residuals = (both - both.mean(1, keepdims=True)) * np.sqrt(num_runs / (num_runs - 1))

    def expected(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns expected validation and test scores of the classes in order of their mean test score."""
        means = self.test.mean(1)
        if self.kind == "shrunk":
            test = shrunk(self.test)
        else:
            errors = crossfit._standard_errors(self.test)
            near = means >= means[-1] - 12 * errors[-1]
            test = shrunk(self.test)
            test[near] = crossfit._distribution(means[near], errors[near])(self.random)
        return test + shrunk(self.validation - self.test), test

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the expected test scores of the classes, float[G], and runs of both splits, float[G, S, 2]."""
        validation, test = self.expected()
        places = np.searchsorted(self.test.mean(1), test)
        noise = self._noise(places)
        runs = np.stack([validation, test], axis=-1)[:, None] + noise
        back = np.argsort(self.order)
        return test[back], runs[back]

    def _noise(self, places: np.ndarray) -> np.ndarray:
        size, num_runs = self.residuals.shape[:2]
        start = np.clip(places - 50, 0, size - 101)
        rows = start[:, None] + self.random.integers(0, 101, (size, num_runs))
        noise = self.residuals[rows, self.random.integers(0, num_runs, (size, num_runs))]
        if self.kind == "heavy":  # Student's with three degrees of freedom where residuals are normal
            noise /= np.sqrt(self.random.chisquare(3, (size, num_runs, 1)))
        return noise


def shrunk(runs: np.ndarray) -> np.ndarray:
    """Returns the means of runs [G, S], drawn towards the mean of all by the share of their variance that is noise."""
    means = runs.mean(1)
    noise = runs.var(1, ddof=1).mean() / runs.shape[1]
    return means.mean() + (means - means.mean()) * max(1 - noise / means.var(ddof=1), 0)


def drawn_bench(bench: jn.TableBenchmark, runs: np.ndarray) -> jn.TableBenchmark:
    """Returns the benchmark of a table with other runs, [G, S, 2], at its last fidelity."""
    last = (bench.table.column_fidelities("test")[-1].name,)
    columns = {
        split: jn.benchmarks.Column(
            runs[:, :, [number]].astype(np.float32), ("class", "run", "fidelity"), "proportion", 1, fidelities=last
        )
        for number, split in enumerate(("validation", "test"))
    }
    return jn.TableBenchmark(bench.table.with_columns(columns), space=bench.space)


def final_classes(trials: Trials, bench: jn.TableBenchmark) -> np.ndarray:
    """Returns the class of the last incumbent of each run, int[runs]."""
    last = jn.analysis.incumbents(trials)[:, -1]
    return classes_of(bench, trials.query.arch[np.arange(len(last)), last])


def errors_of_optima(truth: Truth, number: int) -> Iterator[list[float]]:
    """Yields for each drawn table by how much three estimates lie above the true optimum, and the error of the last."""
    for _ in range(number):
        expected, runs = truth.draw()
        test = runs[..., 1]
        sums = test.sum(1)
        plain = np.mean([run[np.argmax(sums - run)] for run in test.T])
        found = crossfit.crossfit(test, num_redrawn=NUM_REDRAWN)
        errors = [each - expected.max() for each in (test.mean(1).max(), plain, found.value)]
        yield [*errors, found.standard_error]


def errors_of_scores(truth: Truth, number: int) -> Iterator[dict[str, list[float]]]:
    """Yields for each drawn table, by strategy, by how much reported scores of incumbents lie below the true ones.

    They are means over all runs, and over those that the search was not told.
    """
    space = truth.bench.space.enumerated()
    for seed in range(number):
        expected, runs = truth.draw()
        bench = drawn_bench(truth.bench, runs)
        found = {}
        for name in STRATEGIES:
            trials = jn.run(jn.strategy(name)(space), bench, num_trials=NUM_TRIALS, num_runs=NUM_RUNS, seed=seed)
            found[name] = []
            for optimum_from in ("maximum", "crossfit"):
                scores = incumbent_scores(trials, bench, optimum_from=optimum_from)[:, -1]
                found[name].append(float((expected[final_classes(trials, bench)] - scores).mean()))
        yield found


def bias(*errors: np.ndarray) -> list[float]:
    """Returns the mean of sums of independent errors [n], and its standard error."""
    squares = [each.var(ddof=1) / len(each) for each in errors]
    return [round(float(value), 3) for value in (sum(each.mean() for each in errors), np.sqrt(sum(squares)))]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="The reported regret against the true one.")
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--optima", type=int, default=400)
    parser.add_argument("--searches", type=int, default=12)
    options = parser.parse_args()
    result = {}
    for table in options.tables.split(","):
        bench = jn.load(table)
        best = optimum(bench)
        print(f"{table}: largest mean {100 * bench.held_out.optimum:.2f}, estimated optimum {100 * best.value:.2f} "
              f"with a standard error of {100 * best.standard_error:.2f}", flush=True)  # fmt: skip
        for kind in TRUTHS:
            optima = 100 * np.asarray(list(errors_of_optima(Truth(bench, kind, 0), options.optima)))
            scores = list(errors_of_scores(Truth(bench, kind, 1), options.searches if kind != "heavy" else 0))
            found = {name: bias(errors) for name, errors in zip(ESTIMATES, optima[:, :3].T, strict=True)}
            found["standard_error"] = float(optima[:, 3].mean())
            found["within_1.96"] = float((np.abs(optima[:, 2]) <= 1.96 * optima[:, 3]).mean())
            for name in STRATEGIES if scores else ():
                by_mean, by_unseen = 100 * np.asarray([each[name] for each in scores]).T
                found[f"{name} by maximum"] = bias(optima[:, 0], by_mean)
                found[f"{name} by crossfit"] = bias(optima[:, 2], by_unseen)
            result[f"{table}/{kind}"] = found
            print(f"  {kind}: {json.dumps(found)}", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
