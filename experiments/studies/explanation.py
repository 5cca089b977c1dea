"""Why architectures are good: what tables say, how far a search's own explanation agrees with them, and a lesion study.

On `nb201-cifar10-v1`: the ablation path and the Shapley values of the best cell, motifs with the effect of inserting
them. On two tables: the effect of inserting a 3x3 convolution on the edge 0-3 beside the main effect of that value, and
searches whose winner is explained by a Gaussian process of their own trials, as the page of `jaxnas search` does,
against the Shapley values by the table's means. On `shifted-digits`: the network of the best cell without one edge.

Claim: none; the tables of docs/explanation.md are the output of this script.
Command: python experiments/studies/explanation.py [--runs 20]
Run time: about 2 minutes on two cores.
Output: tables in Markdown; last line: a JSON object with the figures.
Page: docs/explanation.md
"""

import argparse
import json

import jax
import numpy as np

import jaxnas as jn
from jaxnas.analysis.explanation.explain import explained_by_table
from jaxnas.analysis.incumbent import incumbents
from jaxnas.analysis.landscape import landscape

TRIALS = (30, 100)


def of_the_table(name: str) -> dict:
    """Returns what explains the best class of a table."""
    bench = jn.load(name)
    rows = np.asarray(bench.table.representatives, np.int64)
    best = int(rows[np.nanargmax(bench.validation_scores(rows[:, None]))])
    return explained_by_table(bench, best, with_motifs=True)


def placed_convolution(name: str) -> dict:
    """Returns the effect of inserting a 3x3 convolution on the edge 0-3, and the main effect of that value."""
    bench = jn.load(name)
    archs = np.asarray(jax.vmap(bench.space.arch_at)(np.arange(bench.space.num_architectures)))
    number = [decision.name for decision in bench.space.decisions].index("0-3")
    value = bench.space.decisions[number].values.index("nor_conv_3x3")
    found = jn.analysis.insertion(bench, archs[:, number] == value)
    main = landscape(bench)["effects"]["decisions"][number]["values"][value]["mean"]
    return {"insertion": found._asdict(), "main_effect": main}


def agreement(name: str, num_trials: int, num_runs: int) -> dict:
    """Returns how the Shapley values by a search's own trials agree with those by the table, over searches.

    `correlation`: the mean over searches of Pearson's correlation over decisions; `within`: the share of values by the
    table that are within two standard errors; `same_first`: how often both name the same decision as worth most.
    """
    bench = jn.load(name)
    truth = jn.analysis.scored_by_table(bench)
    trials = jn.run(jn.regularized_evolution(bench.space), bench, num_trials=num_trials, num_runs=num_runs)
    last = incumbents(trials)[:, -1]
    correlations, within, same = [], [], []
    for archs, scores, best in zip(trials.query.arch, trials.observation.score, last, strict=True):
        reference = archs[np.argsort(scores, kind="stable")[len(scores) // 2]]
        own = jn.analysis.shapley(jn.analysis.scored_by_trials(bench.space, archs, scores), archs[best], reference)
        expected = jn.analysis.shapley(truth, archs[best], reference).values
        differs = archs[best] != reference
        if differs.sum() < 2:
            continue
        correlations.append(np.corrcoef(own.values[differs], expected[differs])[0, 1])
        within += (np.abs(own.values - expected) <= 2 * own.standard_errors)[differs].tolist()
        same.append(own.values.argmax() == expected.argmax())
    return {
        "searches": len(same),
        "correlation": float(np.mean(correlations)),
        "within": float(np.mean(within)),
        "same_first": float(np.mean(same)),
    }


def lesions() -> list[dict]:
    """Returns what the network of the best cell of `nb201-shifted-digits-v1` loses without each edge."""
    bench, task = jn.load("nb201-shifted-digits-v1"), jn.task("shifted-digits")
    rows = np.asarray(bench.table.representatives, np.int64)
    best = bench.space.arch_at(int(rows[np.nanargmax(bench.validation_scores(rows[:, None]))]))
    model = jn.Trainer(bench.space, task).fit(best)
    X = task.test.inputs[0] * task.deviation + task.mean  # noqa: N806, as scikit-learn has it
    found = jn.analysis.explain_network(model, X, model.inputs.classes[task.test.labels])
    return [each._asdict() for each in found.lesions]


def main() -> None:
    """Prints tables, and all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    found: dict = {"table": of_the_table("nb201-cifar10-v1")}
    for each in found["table"]["motifs"]:
        inserted = each["insertion"]
        ends = ", ".join(f"{100 * inserted[end]:+.2f}" for end in ("effect", "low", "high"))
        shown = f"{100 * each['effect']:+.2f} [{100 * each['low']:+.2f}, {100 * each['high']:+.2f}]"
        print(f"| {each['name']} | {100 * each['share']:.1f} | {shown} | {100 * each['stability']:.0f} | {ends} |")
    found["placed"] = {name: placed_convolution(name) for name in ("nb201-mnist5k-v1", "nb201-cifar10-v1")}
    print(json.dumps(found["placed"]), flush=True)
    found["agreement"] = {
        f"{name}@{number}": agreement(name, number, options.runs)
        for name in ("nb201-cifar10-v1", "nb201-mnist5k-v1")
        for number in TRIALS
    }
    print(json.dumps(found["agreement"], indent=1), flush=True)
    found["lesions"] = lesions()
    for each in found["lesions"]:
        print(
            f"| {each['edge']} | {each['operation']} | {100 * each['loss']:.2f} ± {100 * each['standard_error']:.2f} |"
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
