"""`jaxnas oneshot`: a search by one network that all architectures share."""

import argparse

from jaxnas.cli.shared_options import scores_text, task_name_of
from jaxnas.files import out_path, writable
from jaxnas.report.result_folder import ONE_SHOT, check_free
from jaxnas.search.one_shot.correlation import rank_correlation
from jaxnas.search.one_shot.one_shot import OneShot
from jaxnas.search.one_shot.one_shot_files import write
from jaxnas.search.one_shot.pack import supernet_pack
from jaxnas.search.one_shot.result import OneShotResult
from jaxnas.spaces.named import space_named
from jaxnas.tasks.named import task_named
from jaxnas.training.compilation import configure_compilation


def run(options: argparse.Namespace) -> int:
    """Searches by a supernet, shows progress, and prints, trains, saves and draws the result. Returns the exit code."""
    configure_compilation()
    space = space_named(options.space)
    task = task_named(task_name_of(options.task, options.label))
    name = f"{space.name}-{task.name}-{options.method.rpartition(':')[2]}-{options.steps}"
    folder = writable(out_path(options.out, "oneshot", name))
    check_free(folder, ONE_SHOT)
    shown = not options.quiet
    search = OneShot(space, task, options.method, table=options.table, folder=folder, progress=shown, ray=options.ray)
    result = search.search(options.steps, num_seeds=options.seeds, seed=options.seed)
    if not options.quiet:
        print(result)
    if options.pack:
        pack = supernet_pack(result.supernets, task, folder / "pack")
        print(f"Column pack: {folder / 'pack'}, {len(pack.representatives):,} classes")
        _show_correlation(search, result)
    model = result.train(num_epochs=options.epochs)
    if not options.quiet:
        print(f"trained on training and validation data: {scores_text(model, task.without_validation())}")
    page = write(folder, result, model, options.command_line)
    print(f"Report: {page}, with the trained model")
    return 0


def _show_correlation(search: OneShot, result: OneShotResult) -> None:
    """Prints how well the supernets rank the classes of the table, if there is one of three runs or more."""
    if search.bench is None:
        return
    try:
        found = rank_correlation(result.supernets, search.bench.table)
    except ValueError:  # a table of fewer runs
        return
    print(f"Kendall's tau with trained scores, {found['num_classes']} classes: all, top half, top fifth")
    for name, strata in found["predictors"].items():
        print(f"  {name:14} " + ", ".join(f"{each['tau']:.3f}" for each in strata.values()))
