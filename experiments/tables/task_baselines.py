"""What simple models reach on the tasks that ship, on the same splits, beside the best networks of the tables.

Claim: none; the table of docs/tables.md is this script's output. On several tasks a simple model is better than the
best network of the shipped table.
Command: python experiments/tables/task_baselines.py [--tasks digits,hmm,..] (needs `pip install -e '.[data,text]'`)
Run time: four minutes of one core.
Output: a Markdown table of test scores, each model fitted to all views of the training split alone, and the mean test
score of the class that is best by validation in each table of the task. Last line: a JSON object with the scores.
Page: docs/tables.md

Images, vectors and sequences are taken as one vector of their numbers, sequences of unequal length as the mean and the
deviation of each feature over their steps. Texts are counts of characters and of pairs of characters, with their begin
and end; graphs the sums of their nodes' features, and how many nodes there are. A tag is predicted from the last eight
tokens, one-hot. The next token has the probability of Witten and Bell (IEEE Transactions on Information Theory, 1991),
given the last two or four.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from jaxnas import catalog
from jaxnas.tables.shipped import shipped_ids
from jaxnas.tables.table import Table
from jaxnas.tasks.base import Split, Task
from jaxnas.tasks.graphs import num_features
from jaxnas.tasks.named import task_named

WINDOW = 8
ORDERS = (2, 4)


def flat(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Returns the inputs of all views of a split, one example after another, and their labels."""
    return split.inputs.reshape(-1, *split.inputs.shape[2:]), np.tile(split.labels, len(split.inputs))


def as_vectors(task: Task) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns vectors and labels of the training and the test split."""
    parts = [flat(task.train), flat(task.test)]
    if task.kind == "graphs":
        features = num_features(task.shape)
        counted = [(inputs[..., :features], labels) for inputs, labels in parts]
        sizes = [(~np.isnan(inputs[..., :1])).sum(axis=1) for inputs, _ in counted]
        sums = [np.nansum(inputs, axis=1) for inputs, _ in counted]
        return [
            (np.concatenate(each, axis=1), labels)
            for each, (_, labels) in zip(zip(sums, sizes, strict=True), counted, strict=True)
        ]
    if task.kind == "sequences" and any(np.isnan(inputs).any() for inputs, _ in parts):
        return [
            (np.concatenate([np.nanmean(inputs, axis=1), np.nanstd(inputs, axis=1)], axis=1), labels)
            for inputs, labels in parts
        ]
    return [(inputs.reshape(len(inputs), -1), labels) for inputs, labels in parts]


def classified(task: Task) -> dict[str, float]:
    """Returns the test accuracies of classifiers of vectors."""
    (train, labels), (test, truth) = as_vectors(task)
    models = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "nearest neighbor": make_pipeline(StandardScaler(with_std=False), KNeighborsClassifier(1)),
        "extremely randomized trees": ExtraTreesClassifier(200, random_state=0),
    }
    return {name: float(model.fit(train, labels).score(test, truth)) for name, model in models.items()}


def texts(inputs: np.ndarray) -> list[str]:
    """Returns a character for each token, between a begin and an end."""
    return ["<" + "".join(chr(1000 + token) for token in row if token >= 0) + ">" for row in inputs]


def of_texts(task: Task) -> dict[str, float]:
    """Returns the test accuracy of a logistic regression on counts of characters and their pairs."""
    (train, labels), (test, truth) = flat(task.train), flat(task.test)
    model = make_pipeline(
        CountVectorizer(analyzer="char", ngram_range=(1, 2), lowercase=False),
        MaxAbsScaler(),
        LogisticRegression(max_iter=2000),
    )
    return {"logistic regression on pairs": float(model.fit(texts(train), labels).score(texts(test), truth))}


def tagged(task: Task) -> dict[str, float]:
    """Returns the test accuracy of a logistic regression that gives each step a tag by its last tokens."""

    def steps(split: Split) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = flat(split)
        padded = np.concatenate([np.full((len(inputs), WINDOW - 1), -1), inputs], axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)
        return np.eye(task.num_tokens + 1)[windows[labels >= 0]].reshape((labels >= 0).sum(), -1), labels[labels >= 0]

    model = LogisticRegression(max_iter=2000).fit(*steps(task.train))
    return {f"logistic regression on {WINDOW} tokens": float(model.score(*steps(task.test)))}


def next_tokens(task: Task) -> dict[str, float]:
    """Returns cross entropies in nats of n-grams by Witten and Bell."""
    return {f"Witten-Bell, last {order} tokens": witten_bell(task, order) for order in ORDERS}


def witten_bell(task: Task, order: int) -> float:
    """Returns the mean cross entropy in nats of the next tokens of the test split, given the last `order`."""
    counts: defaultdict[tuple, Counter] = defaultdict(Counter)
    for history, token in histories(task.train, order):
        for length in range(len(history) + 1):
            counts[history[len(history) - length :]][token] += 1
    totals = {history: sum(seen.values()) for history, seen in counts.items()}
    losses = []
    for history, token in histories(task.test, order):
        chance = 1 / task.num_classes
        for length in range(len(history) + 1):
            if seen := counts.get(history[len(history) - length :]):
                total = totals[history[len(history) - length :]]
                chance = (seen[token] + len(seen) * chance) / (total + len(seen))
        losses.append(-np.log(chance))
    return float(np.mean(losses))


def histories(split: Split, order: int):
    """Yields up to `order` tokens before each next token, and this one; a sequence begins with nothing known."""
    inputs, labels = flat(split)
    for row, tokens in zip(inputs.tolist(), labels.tolist(), strict=True):
        for step, token in enumerate(tokens):
            if token >= 0:
                yield tuple(row[max(step + 1 - order, 0) : step + 1]), token


def baselines(task: Task) -> dict[str, float]:
    """Returns the test scores of the simple models of a task by name."""
    by_goal: dict[str, Callable[[Task], dict[str, float]]] = {"tags": tagged, "next": next_tokens}
    return by_goal.get(task.goal, of_texts if task.kind == "tokens" else classified)(task)


def of_tables(name: str) -> dict[str, float]:
    """Returns the mean test score of the class that is best by validation in each shipped table of a task."""
    found = {}
    for table in map(Table.read, shipped_ids()):
        if table.manifest["task"]["name"] == name and "training" in table.manifest:
            validation, test = (table.means(column)[:, -1] for column in ("validation", "test"))
            found[table.id] = float(test[np.nanargmax(table.metric.better * validation)])
    return found


def main() -> None:
    """Fits, scores and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", default=",".join(catalog.TASKS))
    found = {}
    print("| task | simple models, test | best class of the tables, test |\n|---|---|---|")
    for name in parser.parse_args().tasks.split(","):
        task = task_named(name)
        proportion = task.metric.unit == "proportion"
        rows = []
        for scores in (baselines(task), of_tables(name)):
            shown = [
                (key, f"{100 * score:.1f} %" if proportion else f"{score:.3f} nats") for key, score in scores.items()
            ]
            rows.append((scores, ", ".join(f"{key} {text}" for key, text in shown)))
        found[name] = {"simple": rows[0][0], "tables": rows[1][0]}
        print(f"| `{name}` | {rows[0][1]} | {rows[1][1]} |", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
