"""What each command of the command line does. Each takes the parsed options and returns the exit code."""

import json
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from jaxnas import catalog
from jaxnas.report.progress import progress_bars
from jaxnas.tables import format, manifest, shipped, table

DEFAULT_BENCHMARK = "nb201-mnist5k-v1"


def list_all(options) -> int:
    """Lists what there is."""
    found = {
        "spaces": {name: f"{catalog.space(name).num_architectures:,} architectures" for name in catalog.SPACES},
        "tasks": {name: _first_line(catalog.find(name, catalog.TASKS).__doc__) for name in catalog.TASKS},
        "strategies": {name: _first_line(catalog.strategy(name).__doc__) for name in catalog.STRATEGIES},
        "tables": {name: _describe_table(format.read_manifest(shipped.find(name))) for name in shipped.shipped_ids()},
    }
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for kind, entries in found.items():
        print(kind)
        for name, text in entries.items():
            print(f"  {name:24} {text}")
    return 0


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0].removeprefix("Returns ")


def _describe_table(described: dict) -> str:
    size, epochs = described["space"]["num_architectures"], manifest.fidelities_of(described)[-1].epoch
    return f"{size:,} architectures, {len(described['seeds'])} seed(s), {epochs} epochs"


def compare(options) -> int:
    """Compares strategies on one or several tables, prints a table and writes a report for each."""
    from jaxnas.analysis.several import overall
    from jaxnas.benchmarks import penalised
    from jaxnas.benchmarks.tabular import load
    from jaxnas.report import comparison
    from jaxnas.report.write import write_index, write_result, write_trials
    from jaxnas.strategies.base import make
    from jaxnas.training.compilation import use_compilation_cache

    use_compilation_cache()
    names = [name for name in (options.benchmark or DEFAULT_BENCHMARK).split(",") if name]
    benches = [load(name) for name in names]
    objective = penalised.objective_of(options.objective, benches[0].size_names, benches[0].metric.name)
    benches = [comparison.weighted(bench, objective) for bench in benches]
    factories = comparison.factories_of(options.strategies, objective)
    if options.until_decided and len(factories) < 2:
        raise ValueError(f"Expected two strategies or more with --until-decided, got {', '.join(factories)}.")
    results = {}
    for bench in benches:
        folder = _writable(Path(options.out) / bench.table.id if len(benches) > 1 else Path(options.out))
        size = objective.size or "parameters"
        strategies = {name: make(factory, bench, size) for name, factory in factories.items()}
        with progress_bars() as bars:
            bar = bars.add_task("", total=sum(comparison.num_runs_of(name, options.runs) for name in strategies))
            trials, decisions = comparison.run_all(options, bench, strategies, _progress_of(bars, bar, bench.table.id))
        write_trials(folder, trials)
        results[folder] = comparison.result_of(options, objective, bench, strategies, trials, decisions)
    shared = {"overall": overall(list(results.values()))} if len(results) > 1 else {}
    for folder, result in results.items():
        write_result(folder, result | shared)
        _show(folder, result)
    if len(results) > 1:
        print(f"Over all tables: {write_index(options.out)}")
    return 0


def _progress_of(bars, bar, what: str):
    """Returns the function that shows a strategy's finished runs on a bar."""
    return lambda name, num_runs: bars.update(bar, description=f"{what}: {name}", advance=num_runs)


def _show(folder: Path, result: dict) -> None:
    from rich.console import Console

    from jaxnas.analysis.results import separation_text
    from jaxnas.report import comparison

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(_regret_table(result))
    console.print(
        "Test regret in percentage points with 95 % intervals over runs; searches saw validation only.", style="dim"
    )
    if result["pairwise"]:
        console.print(separation_text(result), style="dim")
    if "sequential" in result:
        for line in comparison.decision_texts(result):
            console.print(line, style="dim")
    if result["equal_cost"]:
        number = result["equal_cost"]
        console.print(f"@cost {number}: after paying for as many epochs as {number} full trainings have.", style="dim")
    if "fronts" in result:
        console.print(_front_table(result["fronts"]))
    fewer = [f"{name} {each['num_runs']}" for name, each in result["strategies"].items() if _has_fewer(each, result)]
    if fewer:
        console.print(f"Fewer runs: {', '.join(fewer)}.", style="dim")
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True)


def _has_fewer(numbers: dict, result: dict) -> bool:
    return numbers["num_runs"] < result["num_runs"]


def _regret_table(result: dict):
    from rich.table import Table

    from jaxnas.analysis.results import regret_text
    from jaxnas.report.page.page import ranked, shown_points

    points = shown_points(result)
    of_what = "" if result["objective"] == "accuracy" else f", by {result['objective']}"
    title = f"{result['benchmark']}: {result['num_runs']} runs of {result['num_trials']} trials{of_what}"
    shown = Table(title=title, title_justify="left")
    shown.add_column("strategy")
    cost = [result["equal_cost"]] if result["equal_cost"] else []
    headings = [f"regret@{point}" for point in points] + [f"@cost {number}" for number in cost]
    for heading in (*headings, "test", "rank"):
        shown.add_column(heading, justify="right")
    for name, numbers in ranked(result):
        regrets = [regret_text(numbers, point - 1) for point in points]
        regrets += [regret_text(numbers, number - 1, by="_by_cost") for number in cost]
        test = f"{100 * numbers['final_test_mean']:.2f} ± {100 * numbers['final_test_std']:.2f}"
        shown.add_row(name, *regrets, test, f"{numbers['mean_rank']:.2f}")
    return shown


def _front_table(fronts: dict):
    from rich.table import Table

    shown = Table(title=f"Fronts of test accuracy and {fronts['size']} after the last trial", title_justify="left")
    shown.add_column("strategy")
    shown.add_column("hypervolume (% of the true front's)", justify="right")
    shown.add_column("IGD+", justify="right")
    for name, numbers in sorted(fronts["strategies"].items(), key=lambda item: -item[1]["hypervolume_mean"][-1]):
        mean, low, high = (100 * numbers[f"hypervolume_{key}"][-1] for key in ("mean", "ci_low", "ci_high"))
        shown.add_row(name, f"{mean:.2f} [{low:.2f}, {high:.2f}]", f"{numbers['distance_mean'][-1]:.4f}")
    return shown


def search(options) -> int:
    """Searches by training, shows progress, and prints, trains, saves and draws the best architecture."""
    from jaxnas.report.figures.style import save
    from jaxnas.search.nas import NAS
    from jaxnas.spaces.cells import drawing
    from jaxnas.tasks.base import SPLITS
    from jaxnas.training.compilation import use_compilation_cache

    use_compilation_cache()
    space, task = catalog.space(options.space), catalog.task(options.task)
    strategy = catalog.strategy(options.strategy)
    default = f"jaxnas-searches/{space.name}-{task.name}-{options.strategy.rpartition(':')[2]}-{options.trials}"
    folder = _writable(Path(options.out or default))
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
    splits = (split for split in SPLITS if getattr(model.task, split).num_examples)
    accuracies = ", ".join(f"{split} {100 * model.score(split):.2f} %" for split in splits)
    print(f"trained on training and validation data: accuracies {accuracies}")
    model.save(folder / "model")
    save(result.plot(), folder / "search.svg")
    result.history.to_csv(folder / "history.csv")
    if hasattr(space, "graph"):
        (folder / "best.svg").write_text(drawing.draw(space.graph(result.arch)))
    print(f"Journal, history.csv, search.svg and the trained model are in {folder}")
    return 0


def build(options) -> int:
    """Trains a space on a task and writes the table."""
    from jaxnas.tables.build.driver import build as build_table

    space, task = catalog.space(options.space), catalog.task(options.task)
    table_id = options.id or f"{space.name}-{task.name}-v0"
    folder = _writable(Path(options.out or f"jaxnas-tables/{table_id}"))
    time_left = _time_left()
    with progress_bars("{task.fields[left]}") as bars:
        bar = bars.add_task("compiling and training", total=None, left="")

        def progress(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total, left=time_left(done, total))

        built = build_table(
            options.space,
            options.task,
            folder,
            num_epochs=options.epochs,
            num_seeds=options.seeds,
            limit=options.limit,
            num_processes=options.processes,
            shard=options.shard,
            table_id=table_id,
            progress=progress,
        )
    if built is None:
        part = "{} of {}".format(*options.shard)
        print(f"Part {part} is trained; when all are in one folder, run again without --shard.")
        return 0
    failed = int((~built.succeeded()[built.trained][:, :, -1]).sum())
    done = f"{built.trained.sum():,} of {len(built.trained):,} classes"
    print(f"{done} trained with {built.num_seeds} seed(s), {failed} trainings failed.")
    print(f"Table: {folder}")
    return 0


def verify(options) -> int:
    """Checks the files of a table, and retrains a sample of it."""
    folder = shipped.find(options.id)
    problems = format.check_files(folder)
    for problem in problems:
        print(f"jaxnas verify: {problem}", file=sys.stderr)
    if problems:
        return 1
    table.Table.read(folder)
    print(f"{folder.name}: files and arrays are those that the manifest names.")
    if not options.sample:
        return 0
    from jaxnas.tables.build.verification import retrain

    checks = retrain(folder, options.sample)
    for check in checks:
        print(f"{'passed' if check.passed else 'FAILED'}: {check.text}")
    return 0 if all(check.passed for check in checks) else 1


def show(options) -> int:
    """Prints an architecture's decisions, size and class, and draws its cell."""
    from jaxnas.spaces.base import MAX_ROWS, checked
    from jaxnas.spaces.cells import drawing
    from jaxnas.training.trainer import Trainer

    space, task = catalog.space(options.space), catalog.task(options.task)
    if options.arch.isdecimal():
        if int(options.arch) >= space.num_architectures:
            raise ValueError(f"Expected a row below {space.num_architectures:,}, got {options.arch}.")
        arch = space.arch_at(int(options.arch))
    else:
        arch = space.from_str(options.arch)
    if options.out and not hasattr(space, "graph"):
        raise ValueError(f"Expected a space of cells to draw one, got {space.name}.")
    if options.out:
        _writable(Path(options.out).parent)
        Path(options.out).write_text(drawing.draw(space.graph(arch)))
    size = Trainer(space, task).size(arch)
    print(f"architecture  {space.to_str(arch)}")
    if space.num_architectures < MAX_ROWS:
        print(f"row           {int(space.index(arch)):,} of {space.num_architectures:,}")
    for name, value in space.decode(arch).items():
        print(f"  {name:11} {value}")
    representative = space.canonical(arch)
    same = checked(representative, space.decisions) == checked(arch, space.decisions)
    print(f"class         {space.to_str(representative)}{' (itself)' if same else ''}")
    print(f"parameters    {size.num_parameters:,} (for {task.name})")
    print(f"FLOPs         {size.num_flops:,} (for {task.name})")
    return 0


def explore(options) -> int:
    """Writes the page of a whole table."""
    from jaxnas.benchmarks.tabular import space_of
    from jaxnas.report.explorer.explorer import write_explorer

    explored = table.Table.read(options.id)
    path = Path(options.out or f"{explored.id}.html")
    _writable(path.parent)
    if path.is_dir():
        raise ValueError(f"Expected a file to write, got the folder {path}.")
    command = f"jaxnas explore {options.id}"
    print(f"Explorer: {write_explorer(explored, space_of(explored), path, command)}")
    return 0


def report(options) -> int:
    """Writes the page of a comparison again."""
    from jaxnas.report.write import write_again

    folder = Path(options.folder)
    print(f"Report: {write_again(_writable(folder) if folder.is_dir() else folder)}")
    return 0


def _config(options, space, task):
    """Returns the default training with the epochs asked for."""
    from jaxnas.training.trainer import default_config

    default = default_config(space, task)
    return replace(default, num_epochs=options.epochs or default.num_epochs)


def _writable(folder: Path) -> Path:
    """Returns the folder, made if need be. Raises ValueError where nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise ValueError(f"Expected a folder to write into, got {folder}: {error.strerror or error}.") from None


def _time_left(clock=time.monotonic):
    """Returns a function from the numbers of finished and of all classes to text: the time left at this run's rate.

    Rich's own estimate looks at the last seconds only, and classes are finished by whole chunks of minutes.
    """
    started, before, latest, end = clock(), None, None, None

    def left(done: int, total: int) -> str:
        nonlocal before, latest, end
        before = done if before is None else before
        if done != latest and done > before:
            end = clock() + (clock() - started) * (total - done) / (done - before)
        latest = done
        return "" if end is None else f"{timedelta(seconds=max(round(end - clock()), 0))} left"

    return left
