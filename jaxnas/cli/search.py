"""`jaxnas search`: a search that trains networks on a task."""

import argparse
from pathlib import Path

from jaxnas import catalog
from jaxnas.cli.folders import task_name_of, writable
from jaxnas.report import units
from jaxnas.report.figures.style import save
from jaxnas.search.nas import NAS
from jaxnas.search.result import SearchResult
from jaxnas.tasks.base import SPLITS, Task
from jaxnas.training.compilation import configure_compilation
from jaxnas.training.fitted import FittedModel


def run(options: argparse.Namespace) -> int:
    """Searches by training, shows progress, and prints, trains, saves and draws the best. Returns the exit code."""
    configure_compilation()
    task_name = task_name_of(options.task, options.label)
    space, task = catalog.space(options.space), catalog.task(task_name)
    strategy = catalog.strategy(options.strategy)
    default = f"jaxnas-searches/{space.name}-{task.name}-{options.strategy.rpartition(':')[2]}-{options.trials}"
    folder = writable(Path(options.out or default))
    nas = NAS(
        space,
        task,
        strategy=strategy,
        objective=options.objective,
        num_epochs=options.epochs,
        seed=options.seed,
        folder=folder,
    )
    result = nas.search(options.trials)
    print(result)
    if result.stopped:
        raise KeyboardInterrupt
    model = result.train()
    print(f"trained on training and validation data: {_scores(model, task.without_validation())}")
    _save(folder, result, model)
    print(f"Journal, history.csv, search.svg and the trained model are in {folder}")
    return 0


def _scores(model: FittedModel, task: Task) -> str:
    splits = [split for split in SPLITS if getattr(task, split).num_examples]
    scores = ", ".join(f"{split} {units.with_unit(model.score(split), task.metric)}" for split in splits)
    return f"{task.metric.name} {scores}"


def _save(folder: Path, result: SearchResult, model: FittedModel) -> None:
    model.save(folder / "model")
    save(result.plot(), folder / "search.svg")
    result.history.to_csv(folder / "history.csv")
    (folder / "best.svg").write_text(result.space.drawing(result.arch))
