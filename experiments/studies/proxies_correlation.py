"""How well zero-cost proxies rank the trained networks of the tables that ship, beside three baselines.

Claim: none; the tables of docs/proxies.md are this script's output.
Command: python experiments/studies/proxies_correlation.py [--pack FOLDER=TABLE ..]
Run time: about three minutes.
Output: a Markdown table with a row for each proxy, the best in the mean first: for each table of scores Spearman's
correlation with test accuracy over all classes and within the better half, the mean over initializations with a 95 %
interval; a second one with the correlation of the mean score over initializations, and its partial correlation given
the number of parameters; and another one with the range over initializations, how well two initializations agree, and
the share of scores that are not finite. Last line: a JSON object of the correlations.
Page: docs/proxies.md

The truth is the mean test accuracy after the last epoch. The better half is chosen by the mean of two runs, and the
truth within it is the mean of the other three, the mean over all ten ways to choose two: a half that is chosen by the
runs that are its truth shows less than there is. Scores are taken in the direction that a proxy's paper has; a score
that is not defined is the worst. Intervals are of a bootstrap over classes and initializations at once, on the ranks of
all of them.

Baselines: parameters, layers with kernels (`n_conv`), and for cells the live 3x3 convolutions (`n_3x3`). `one training`
is the final test accuracy of one run, with the mean of the others as the truth.
"""

import argparse
import itertools
import json

import numpy as np
from scipy.stats import rankdata

from jaxnas.benchmarks.tabular import space_of
from jaxnas.tables.table import Table

PACKS = {
    "nb201-shifted-digits-proxies-v2": "nb201-shifted-digits-v1",
    "nb201-mnist5k-proxies-v2": "nb201-mnist5k-v1",
    "mlp-small-shifted-digits-proxies-v2": "mlp-small-shifted-digits-v1",
    "recurrent-3-digits-rows-proxies-v2": "recurrent-3-digits-rows-v1",
}
NUM_RESAMPLES = 1000


def live_3x3(space, rows: np.ndarray) -> np.ndarray:
    """Returns the number of live 3x3 convolutions in the cells of rows."""
    names = [operation.name for operation in space.operations]
    archs = np.stack([np.asarray(space.pruned(space.arch_at(row))) for row in rows])
    return (archs == names.index("nor_conv_3x3")).sum(1)


def scores_of(table: Table, pack: Table) -> dict[str, np.ndarray]:
    """Returns the scores [G, I] of the table's classes by each proxy and baseline, larger meant to be better."""
    space = space_of(table)
    classes = pack.class_of[table.representatives]
    found = {}
    for name, column in pack.columns.items():
        values = column.values[classes].astype(np.float64)
        found[name] = (column.better or 1) * (values if values.ndim == 2 else values[:, None])
    if hasattr(space, "operations"):
        found["n_3x3"] = live_3x3(space, table.representatives)[:, None].astype(np.float64)
    return found


def centered_ranks(values: np.ndarray) -> np.ndarray:
    """Returns the ranks of values, with mean 0; NaN ranks below all others."""
    ranks = rankdata(np.where(np.isnan(values), -np.inf, values))
    return ranks - ranks.mean()


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Returns Spearman's correlation; NaN where one side is constant."""
    one, other = centered_ranks(first), centered_ranks(second)
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    return float(one @ other / scale) if scale else float("nan")


def partial(first: np.ndarray, second: np.ndarray, given: np.ndarray) -> float:
    """Returns Spearman's partial correlation given a third variable; NaN where a side is determined by that."""
    both, one, other = correlation(first, second), correlation(first, given), correlation(second, given)
    left = (1 - one**2) * (1 - other**2)
    return (both - one * other) / np.sqrt(left) if left > 1e-9 else float("nan")


def resampled(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the correlations of the ranks under weights [R, G], float[R]."""
    one, other = centered_ranks(first), centered_ranks(second)
    sums = weights @ np.stack([np.ones_like(one), one, other, one * one, other * other, one * other], axis=1)
    count, x, y, xx, yy, xy = sums.T
    spread = np.sqrt(np.maximum(xx - x * x / count, 0) * np.maximum(yy - y * y / count, 0))
    return np.divide(xy - x * y / count, spread, out=np.full(len(count), np.nan), where=spread > 0)


def halves(runs: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns for each way to choose two runs of [G, S] the better half by these, and the mean of the others there."""
    found = []
    for chosen in itertools.combinations(range(runs.shape[1]), 2):
        others = [run for run in range(runs.shape[1]) if run not in chosen]
        half = np.argsort(-runs[:, chosen].mean(1), kind="stable")[: len(runs) // 2]
        found.append((half, runs[half][:, others].mean(1)))
    return found


def measured(
    scores: np.ndarray, runs: np.ndarray, parameters: np.ndarray, generator: np.random.Generator
) -> dict[str, object]:
    """Returns the correlations of scores [G, I] with test accuracies [G, S], over all and within the better half."""
    truth, num_inits = runs.mean(1), scores.shape[1]
    each = [correlation(scores[:, number], truth) for number in range(num_inits)]
    tops = np.asarray(
        [[correlation(scores[half, number], top) for half, top in halves(runs)] for number in range(num_inits)]
    )
    weights = generator.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), NUM_RESAMPLES).astype(np.float64)
    all_draws = np.stack([resampled(scores[:, number], truth, weights) for number in range(num_inits)])
    half, top = halves(runs)[0]
    top_draws = np.stack([resampled(scores[half, number], top, weights[:, half]) for number in range(num_inits)])
    drawn = generator.integers(0, num_inits, (NUM_RESAMPLES, num_inits))
    agree = [correlation(scores[:, one], scores[:, two]) for one, two in itertools.combinations(range(num_inits), 2)]
    return {
        "all": float(np.mean(each)),
        "all_interval": interval(all_draws, drawn, 0.0),
        "top": float(tops.mean()),
        "top_interval": interval(top_draws, drawn, float(tops.mean() - tops[:, 0].mean())),
        "range": [min(each), max(each)],
        "agree": float(np.mean(agree)) if agree else None,
        "mean_of_scores": correlation(scores.mean(1), truth),
        "given_parameters": partial(scores.mean(1), truth, parameters),
        "not_finite": float((~np.isfinite(scores)).mean()),
    }


def interval(draws: np.ndarray, drawn: np.ndarray, shift: float) -> list[float]:
    """Returns the 95 % interval of the mean over resampled initializations, moved by a shift."""
    means = np.take_along_axis(draws.T, drawn, axis=1).mean(1)
    if np.isnan(means).all():
        return [float("nan")] * 2
    return [float(value + shift) for value in np.nanquantile(means, (0.025, 0.975))]


def one_training(runs: np.ndarray) -> dict[str, object]:
    """Returns the correlations of a run with the mean of the others, over all and within the better half."""
    count = runs.shape[1]
    each = [correlation(runs[:, run], np.delete(runs, run, 1).mean(1)) for run in range(count)]
    tops = []
    for chosen in itertools.combinations(range(count), 2):
        half = np.argsort(-runs[:, chosen].mean(1), kind="stable")[: len(runs) // 2]
        others = [run for run in range(count) if run not in chosen]
        for run in others:
            rest = [other for other in others if other != run]
            tops.append(correlation(runs[half, run], runs[half][:, rest].mean(1)))
    return {"all": float(np.mean(each)), "top": float(np.mean(tops)), "range": [min(each), max(each)]}


def show(result: dict[str, dict[str, dict]]) -> None:
    """Prints Markdown tables of correlations and of how they vary with the initialization, best in the mean first."""
    names = list(result)
    proxies = list(dict.fromkeys(proxy for figures in result.values() for proxy in figures))
    proxies.sort(key=lambda proxy: -_mean([result[name][proxy]["all"] for name in names if proxy in result[name]]))
    print(f"| proxy | {' | '.join(f'{name}: all | better half' for name in names)} |")
    print("| --- |" + " --- | --- |" * len(names))
    for proxy in proxies:
        found = [result[name].get(proxy) for name in names]
        cells = [_cell(each, part) for each in found for part in ("all", "top")]
        print(f"| {proxy} | {' | '.join(cells)} |")
    print(f"\n| proxy | {' | '.join(f'{name}: mean score | given parameters' for name in names)} |")
    print("| --- |" + " --- | --- |" * len(names))
    for proxy in proxies:
        found = [result[name].get(proxy) for name in names]
        if proxy != "one training":
            print(f"| {proxy} | {' | '.join(' | '.join(_given(each)) for each in found)} |")
    print(f"\n| proxy | {' | '.join(f'{name}: by initialization | two agree | not finite' for name in names)} |")
    print("| --- |" + " --- | --- | --- |" * len(names))
    for proxy in proxies:
        found = [result[name].get(proxy) for name in names]
        if any(any(_spread(each)) for each in found):
            print(f"| {proxy} | {' | '.join(' | '.join(_spread(each)) for each in found)} |")


def _mean(values: list[float]) -> float:
    """Returns the mean of the correlations that are defined; -1 where none is."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else -1.0


def _cell(each: dict | None, part: str) -> str:
    if each is None:
        return ""
    if np.isnan(each[part]):
        return "all equal"
    low, high = each.get(f"{part}_interval", (None, None))
    return f"{each[part]:.2f}" + ("" if low is None else f" ({low:.2f} to {high:.2f})")


def _given(each: dict | None) -> tuple[str, ...]:
    values = (each["mean_of_scores"], each["given_parameters"]) if each else (float("nan"),) * 2
    return tuple("" if np.isnan(value) else f"{value:.2f}" for value in values)


def _spread(each: dict | None) -> tuple[str, str, str]:
    if each is None or each.get("agree") is None or np.isnan(each["all"]):
        return "", "", ""
    low, high = each["range"]
    bad = f"{100 * each['not_finite']:.1f} %" if each["not_finite"] else ""
    return f"{low:.2f} to {high:.2f}", f"{each['agree']:.2f}", bad


def main() -> None:
    """Prints a table for each table of scores, and all correlations as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pack", action="append", default=[], metavar="FOLDER=TABLE")
    options = parser.parse_args()
    packs = dict(each.rsplit("=", 1) for each in options.pack) or PACKS
    result = {}
    for source, name in packs.items():
        table, generator = Table.read(name), np.random.default_rng(0)
        runs = table.scores(table.protocol().reported)[..., -1]
        scores = scores_of(table, Table.read(source))
        parameters = table.sizes("parameters").astype(np.float64)
        figures = {proxy: measured(each, runs, parameters, generator) for proxy, each in scores.items()}
        figures["one training"] = one_training(runs)
        result[name] = figures
    show(result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
