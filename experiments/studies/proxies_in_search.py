"""Zero-cost proxies in a search: random search and evolution that filter by a column, on shipped tables.

Claim: none; docs/proxies.md lists the tables and columns with which a filter beats the number of convolutions.
Command: python experiments/studies/proxies_in_search.py [--runs 300] [--trials 100] [--pool 10] [--pack FOLDER=TABLE
..]
Run time: about a minute a table with 300 runs.
Output: for each table the mean test regret after 10, 30 and 100 trials, with 95 % intervals over runs, of random search
and regularized evolution without a filter, and with each column as the filter; of a warm start with the ten best of 100
random architectures by the column; and the difference of each from the filter by `n_conv`, with its interval. Last
line: a JSON object of these figures.
Page: docs/proxies.md

Every strategy has the same budget of trainings; scores of the columns are means over initializations and cost nothing.
"""

import argparse
import json

import jax
import jax.numpy as jnp
import numpy as np

import jaxnas as jn
from jaxnas.tables.table import Table

PACKS = {
    "nb201-shifted-digits-proxies-v2": "nb201-shifted-digits-v1",
    "nb201-mnist5k-proxies-v2": "nb201-mnist5k-v1",
    "mlp-small-shifted-digits-proxies-v2": "mlp-small-shifted-digits-v1",
}
COLUMNS = ("n_conv", "zero_params", "nwot", "synflow", "meco")
POINTS = (10, 30, 100)
WARM, WARM_POOL = 10, 100


def filters(bench, pack: Table) -> dict[str, object]:
    """Returns functions `arch -> float32` by name, larger meant to be better."""
    found = {name: _oriented(bench, pack, name) for name in COLUMNS if name in pack.columns}
    if hasattr(bench.space, "operations"):
        position = [operation.name for operation in bench.space.operations].index("nor_conv_3x3")
        found["n_3x3"] = lambda arch: (bench.space.pruned(arch) == position).sum().astype(jnp.float32)
    return found


def _oriented(bench, pack: Table, name: str):
    size, better = bench.size(name), pack.columns[name].better or 1
    return size if better > 0 else lambda arch: -size(arch)


def strategies(bench, pack: Table, pool: int) -> dict[str, object]:
    """Returns the strategies by name."""
    found = {"random": jn.random_search(bench.space), "evolution": jn.regularized_evolution(bench.space)}
    for name, function in filters(bench, pack).items():
        found[f"random, {name}"] = jn.random_search(bench.space, prefilter=function, pool_size=pool)
        found[f"evolution, {name}"] = jn.regularized_evolution(bench.space, prefilter=function, pool_size=pool)
        found[f"warm evolution, {name}"] = warm(bench.space, function)
    return found


def warm(space, function):
    """Returns evolution whose first ten trials are the best of 100 random architectures of the run, by a function."""
    inner = jn.regularized_evolution(space)

    def init(key, num_trials):
        archs = jax.vmap(space.sample)(jax.random.split(jax.random.fold_in(key, 1), WARM_POOL))
        values = jax.vmap(function)(archs)
        order = jnp.argsort(-jnp.where(jnp.isnan(values), -jnp.inf, values))
        return inner.init(key, num_trials), archs[order[:WARM]]

    def ask(state, t, key):
        query = inner.ask(state[0], t, key)
        return query._replace(arch=jnp.where(t < WARM, state[1][jnp.minimum(t, WARM - 1)], query.arch))

    def tell(state, t, query, observation):
        return inner.tell(state[0], t, query, observation), state[1]

    return inner._replace(name="warm", init=init, ask=ask, tell=tell)


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Returns the mean of values and half the width of its 95 % interval."""
    return float(values.mean()), float(1.96 * values.std(ddof=1) / len(values) ** 0.5)


def measure(bench, pack: Table, num_runs: int, num_trials: int, pool: int) -> dict[str, dict]:
    """Returns for each strategy its regret at some numbers of trials, and its difference from the filter by n_conv."""
    regrets = {}
    for name, strategy in strategies(bench, pack, pool).items():
        trials = jn.run(strategy, bench, num_trials=num_trials, num_runs=num_runs)
        regrets[name] = 100 * jn.regret(trials, bench)
        print(f"{name}: {regrets[name][:, -1].mean():.3f}", flush=True)
    points = [point for point in POINTS if point <= num_trials]
    found = {}
    for name, values in regrets.items():
        kind, _, column = name.partition(", ")
        figures = {str(point): mean_and_error(values[:, point - 1]) for point in points}
        if column and column != "n_conv":
            other = regrets[f"{kind}, n_conv"]
            figures |= {f"less n_conv {point}": difference(values, other, point) for point in points}
        found[name] = figures
    return found


def difference(values: np.ndarray, other: np.ndarray, point: int) -> tuple[float, float]:
    """Returns the difference of mean regrets of independent runs, and half the width of its 95 % interval."""
    one, two = values[:, point - 1], other[:, point - 1]
    error = 1.96 * np.sqrt(one.var(ddof=1) / len(one) + two.var(ddof=1) / len(two))
    return float(one.mean() - two.mean()), float(error)


def show(name: str, figures: dict[str, dict]) -> None:
    """Prints the Markdown table of one table of scores."""
    points = [key for key in next(iter(figures.values())) if key.isdecimal()]
    print(f"\n### {name}\n")
    headings = [f"regret after {point}" for point in points]
    print(f"| search, filter | {' | '.join(headings)} | less n_conv's, after {points[-1]} |")
    print("| --- |" + " --- |" * (len(points) + 1))
    for strategy, each in figures.items():
        cells = [f"{each[point][0]:.2f} ± {each[point][1]:.2f}" for point in points]
        less = each.get(f"less n_conv {points[-1]}")
        cells.append("" if less is None else f"{less[0]:+.2f} ± {less[1]:.2f}")
        print(f"| {strategy} | {' | '.join(cells)} |")


def main() -> None:
    """Prints a table for each table of scores, and all figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--pool", type=int, default=10)
    parser.add_argument("--pack", action="append", default=[], metavar="FOLDER=TABLE")
    options = parser.parse_args()
    packs = dict(each.rsplit("=", 1) for each in options.pack) or PACKS
    result = {}
    for source, name in packs.items():
        bench = jn.load(name, columns=[source])
        result[name] = measure(bench, Table.read(source), options.runs, options.trials, options.pool)
        show(name, result[name])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
