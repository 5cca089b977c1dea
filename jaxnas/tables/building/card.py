"""The card of a table: its content, how it was made, its limits, how to cite it."""

from importlib import resources

import numpy as np

from jaxnas.spaces.joint.space import HYPERPARAMETERS
from jaxnas.tables.building.fidelities import ascending, options_of
from jaxnas.tables.manifest import DEFAULT_PROTOCOL, fidelities_of
from jaxnas.tables.reliability import reliability_of_means
from jaxnas.tables.selection import selection_text
from jaxnas.tables.table import Table
from jaxnas.tables.trainings import trainings_that_failed
from jaxnas.tasks.base import SPLITS, Task
from jaxnas.training.config import OPTIMIZERS

_OPTIMIZERS = {"sgd": "SGD, Nesterov momentum {momentum}", "adam": "Adam, decay of the mean of gradients {momentum}"}


def table_card(table: Table, task: Task, space_name: str, task_name: str, limit: int | None) -> str:
    """Returns the README.md of a table that a build made of these arguments."""
    import jinja2

    training = {"network": table.manifest["training"].get("skeleton"), **table.manifest["training"]}  # as in 0.1.0
    command = f"jaxnas build --space {space_name} --task {task_name}"
    trainings = table.manifest.get("trainings", {})
    command += f" --seeds {table.num_seeds} {options_of(trainings or {'': training})}"
    known, protocols = fidelities_of(table.manifest), table.manifest.get("protocols", {})  # none in schema 1
    order = protocols.get(DEFAULT_PROTOCOL, {}).get("fidelities")
    command += f" --order {','.join(order)}" if order and tuple(order) != ascending(known) else ""
    tests_last = training.get("test") == "last"
    command += "" if tests_last else " --test all"
    command += f" --precision {training['precision']}" if "precision" in training else ""
    command += f" --limit {limit}" if limit else ""
    command += f" --id {table.id}"
    decisions = [decision["name"] for decision in table.manifest["space"]["decisions"]]
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(
        resources.files("jaxnas.tables.building").joinpath("card.md").read_text(encoding="utf-8")
    )
    return template.render(
        table=table,
        manifest=table.manifest,
        training=training,
        tests_last=tests_last,
        images={split: table.columns[split].denominator or getattr(task, split).num_examples for split in SPLITS},
        counts=table.columns["validation"].denominator is not None,
        optimizer=_OPTIMIZERS[training.get("optimizer", OPTIMIZERS[0])].format(momentum=training["momentum"]),
        num_trained=int(table.trained.sum()),
        num_failed=trainings_that_failed(table),
        reliable=reliability_of_means(table),
        trainings={name: _described(table, name) for name in trainings},
        order=order,
        unit=known[-1].unit,
        decided=", ".join(name.replace("_", " ") for name in decisions if name in HYPERPARAMETERS),
        task_card=task.card.strip().removeprefix("# "),
        command=command,
        best=_best(table),
        selection=selection_text(table),
        shown=lambda value: f"{100 * value:.2f} %" if table.metric.unit == "proportion" else f"{value:.4f}",
    )


def _described(table: Table, name: str) -> str:
    """Returns the special settings of a training of a table of several, as words, and the price of its epoch."""
    own, last = table.manifest["trainings"][name], table.manifest["training"]
    flat = {key: value for key, value in own.items() if key != "network"} | (own.get("network") or {})
    whole = {key: value for key, value in last.items() if key != "network"} | (last.get("network") or {})
    special = [f"{key} {flat.get(key)}" for key in {**whole, **flat} if flat.get(key) != whole.get(key)]
    price = next(each.cost for each in fidelities_of(table.manifest) if each.training == name)
    return f"{', '.join(special) or 'as below'}; an epoch costs {price:g}"


def _best(table: Table) -> tuple[float, float, int]:
    """Returns the means of validation and of test, and the number of parameters, of the best class by validation."""
    validation, test = (table.metric.better * table.means(name)[:, -1] for name in ("validation", "test"))
    if not np.isfinite(validation).any():
        return np.nan, np.nan, 0
    best = int(np.nanargmax(table.metric.better * validation))
    return validation[best], test[best], int(table.columns["num_parameters"].values[best])
