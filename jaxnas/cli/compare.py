"""`jaxnas compare`: strategies on one or several tables, with a report for each."""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from jaxnas import catalog
from jaxnas.benchmarks.base import Benchmark
from jaxnas.benchmarks.loading import load
from jaxnas.cli.shared_options import names_in
from jaxnas.files import out_path, writable
from jaxnas.progress import progress_bars
from jaxnas.report import sentences, units
from jaxnas.report.comparison import Comparison, aim_of, entries_of, prepare_report, write_overall
from jaxnas.report.comparison_files import check_names
from jaxnas.report.result_folder import COMPARISON, PAGE_FILE, check_free, is_plain
from jaxnas.search.transfer.protocol import compared_with_sources
from jaxnas.strategies.base import Strategy
from jaxnas.training.compilation import configure_compilation

DEFAULT_BENCHMARK = "nb201-cifar10-v1"

Entries = dict[str, Strategy | Callable[..., Strategy]]


def run(options: argparse.Namespace) -> int:
    """Compares strategies, prints a table and writes a report for each benchmark. Returns the exit code."""
    configure_compilation()
    benches = _benches(options)
    aims = [aim_of(options.objective, bench) for bench in benches]
    entries = entries_of(options.strategies, aims[0])
    if options.until_decided and len(entries) < 2:
        raise ValueError(f"Expected two strategies or more with --until-decided, got {', '.join(entries)}.")
    folder = writable(out_path(options.out, "compare", _name_of(benches)))
    check_free(folder, COMPARISON)
    silent = options.json or options.quiet
    if len(benches) == 1:
        comparison = _compared(options, entries, benches[0])
        comparison.write(folder, pdf=options.pdf)
        results = [comparison.result()]
        if not silent:
            _show(folder, results[0])
    else:
        results = write_overall((_compared(options, entries, bench) for bench in benches), folder, pdf=options.pdf)
        if not silent:
            for result in results:
                _show(folder / result["benchmark"], result)
            print(sentences.overall_finding(results))
            print(f"Over all tables: {folder / PAGE_FILE}")
    if options.json:
        shown = results[0] if len(results) == 1 else {result["benchmark"]: result for result in results}
        print(json.dumps(shown, allow_nan=False))
    return 0


def _benches(options: argparse.Namespace) -> list[Benchmark]:
    """Returns the benchmarks that are named. Raises ValueError on none, or two of one identifier."""
    text = DEFAULT_BENCHMARK if options.benchmark is None else options.benchmark
    names = names_in(text)
    if not names:
        raise ValueError(f"Expected benchmarks, got {text!r}.")
    columns = names_in(options.columns)
    if options.columns is not None and not columns:
        raise ValueError(f"Expected column packs, got {options.columns!r}.")
    benches = [_bench_of(name, options.protocol, columns) for name in names]
    if len(benches) > 1:
        check_names(bench.id for bench in benches)
    return benches


def _name_of(benches: Sequence[Benchmark]) -> str:
    """Returns the name of a comparison's folder by its tables."""
    name = benches[0].id if is_plain(benches[0].id) else "benchmark"
    return name if len(benches) == 1 else f"{name}-and-{len(benches) - 1}-more"


def _bench_of(source: str, protocol: str | None, columns: Sequence[str]) -> Benchmark:
    """Returns the benchmark of a table or a surrogate, or the one that a file defines."""
    if ".py:" not in source:
        return load(source, protocol=protocol, columns=columns)
    found = catalog.load(source)
    missing = [name for name in ("query", "space", "held_out", "size_names") if not hasattr(found, name)]
    if missing:
        raise ValueError(f"Expected {source} to be a benchmark, got {type(found).__name__} without {missing[0]}.")
    return found


def _compared(options: argparse.Namespace, entries: Entries, bench: Benchmark) -> Comparison:
    bars_shown = contextlib.nullcontext() if options.quiet else progress_bars()
    with bars_shown as bars:
        bar = bars.add_task("", total=None) if bars else None

        def progress(name: str, done: int, total: int) -> None:
            if bars and bar is not None:
                bars.update(bar, description=f"{bench.id}: {name}", completed=done, total=total)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(prepare_report, bench)
            return compared_with_sources(
                entries,
                bench,
                names_in(options.sources),
                num_trials=options.trials,
                num_runs=options.runs,
                seed=options.seed,
                budget=options.budget,
                until_decided=options.until_decided,
                confirm=options.confirm,
                objective=options.objective,
                command=options.command_line,
                progress=progress,
            )


def _show(folder: Path, result: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(_regret_table(result))
    for line in _notes(result):
        console.print(line, style="dim")
    if "fronts" in result:
        console.print(_front_table(result))
    fewer = [
        f"{name} {numbers['num_runs']}"
        for name, numbers in result["strategies"].items()
        if numbers["num_runs"] < result["num_runs"]
    ]
    if fewer:
        console.print(f"Fewer runs: {', '.join(fewer)}.", style="dim")
    console.print(f"Report: {folder / PAGE_FILE}", soft_wrap=True)


def _notes(result: dict[str, Any]) -> list[str]:
    unit = units.gap_unit(units.metric_of(result))
    in_units = f" in {unit}" if unit else ""
    lines = [f"Test regret{in_units} with 95 % intervals over runs."]
    lines += [result.get("warning", "Searches saw validation only."), sentences.optimum_text(result)]
    if result["pairwise"]:
        lines.append(f"Compared by {result['compared_by']['text']}. {sentences.separation_text(result)}")
    if "sequential" in result:
        lines += sentences.decision_texts(result)
    if result["equal_cost"]:
        number = result["equal_cost"]
        lines.append(f"@cost {number}: after paying as many {result['cost_unit']} as {number} full trainings take.")
    return lines + sentences.option_texts(result)


def _regret_table(result: dict[str, Any]) -> Table:
    points = sentences.shown_points(result)
    by = "" if result["objective"] == result["metric"]["name"] else f", by {result['objective']}"
    title = f"{result['benchmark']}: {result['num_runs']} runs {sentences.length_text(result)}{by}"
    shown = Table(title=title, title_justify="left")
    shown.add_column("strategy")
    cost = [result["equal_cost"]] if result["equal_cost"] else []
    headings = [f"regret@{point}" for point in points] + [f"@cost {number}" for number in cost]
    has_validation = all("validation_regret_mean" in numbers for numbers in result["strategies"].values())
    for heading in (*headings, *["validation regret"] * has_validation, "test", "rank"):
        shown.add_column(heading, justify="right")
    for name, numbers in sentences.ranked(result):
        regrets = [sentences.regret_text(result, name, point - 1) for point in points]
        regrets += [sentences.regret_text(result, name, number - 1, by="_by_cost") for number in cost]
        if has_validation:
            regrets.append(units.gap_text(numbers["validation_regret_mean"], units.metric_of(result)))
        shown.add_row(name, *regrets, sentences.final_text(result, name), f"{numbers['mean_rank']:.2f}")
    return shown


def _front_table(result: dict[str, Any]) -> Table:
    what = f"test {result['metric']['name']} and {result['fronts']['size']}"
    shown = Table(title=f"Fronts of {what} after the last trial", title_justify="left")
    shown.add_column("strategy")
    shown.add_column("hypervolume (% of the true front's)", justify="right")
    shown.add_column("IGD+", justify="right")
    for name, numbers in sentences.ranked_by_front(result):
        mean, low, high = (
            units.percent_text(numbers[f"hypervolume_{end}"][-1]) for end in ("mean", "ci_low", "ci_high")
        )
        shown.add_row(name, f"{mean} [{low}, {high}]", f"{numbers['distance_mean'][-1]:.4f}")
    return shown
