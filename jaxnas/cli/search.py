"""`jaxnas search`: a search that trains networks on a task."""

import argparse
import os

from jaxnas.cli.shared_options import scores_text, task_name_of
from jaxnas.files import out_path, writable
from jaxnas.report.page.search import loading_lines
from jaxnas.report.result_folder import SEARCH, check_free
from jaxnas.search.nas import NAS
from jaxnas.search.search_files import write
from jaxnas.spaces.named import space_named
from jaxnas.strategies.named import strategy_named
from jaxnas.tasks.named import task_named
from jaxnas.training.compilation import configure_compilation


def run(options: argparse.Namespace) -> int:
    """Searches by training, shows progress, and prints, trains, saves and draws the best. Returns the exit code."""
    configure_compilation()
    if options.workers > 1:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # this process may not fill a GPU of theirs
    task_name = task_name_of(options.task, options.label)
    space, task = space_named(options.space), task_named(task_name)
    strategy = strategy_named(options.strategy)
    name = f"{space.name}-{task.name}-{options.strategy.rpartition(':')[2]}"
    if options.workers > 1:  # whose journal is another one
        name += f"-by-{options.workers}"
    folder = writable(out_path(options.out, "search", name))
    check_free(folder, SEARCH)
    nas = NAS(
        space,
        task,
        strategy=strategy,
        objective=options.objective,
        num_epochs=options.epochs,
        seed=options.seed,
        folder=folder,
        progress=not options.quiet,
        num_workers=options.workers,
        timeout=options.timeout,
        ray=options.ray,
    )
    result = nas.search(options.trials)
    if not options.quiet:
        print(result)
    if result.stopped:
        raise KeyboardInterrupt
    model = result.train()
    if not options.quiet:
        print(f"trained on training and validation data: {scores_text(model, task.without_validation())}")
    page = write(folder, result, nas.strategy, options.seed, model, options.command_line)
    print(f"Report: {page}, with the journal, history.csv, figures and the trained model")
    if not options.quiet:
        print("To predict, after `import jaxnas as jn`:", *loading_lines(str(folder / "model"), space.name), sep="\n  ")
    return 0
