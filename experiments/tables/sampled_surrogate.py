"""Trains a sample of the 9.8 million cells of `nb201x5` and fits `nb201x5-shifted-digits-surrogate-v1` to it.

Claim: a space too large for a table becomes a benchmark within half an hour: cross-validated tau-b of the predictor and
coverage of the 95 % interval are on its card. Then 20 cells of three regions are trained that the surrogate was not
fitted to: random ones, the predicted best tenth, and the end points of climbing on it. Bias and coverage in each are in
its report and on its card.
Command: python experiments/tables/sampled_surrogate.py (`--number N` cells, `--seeds S` trainings of each). The
trainings of each 20 cells are kept in `--folder`; the command resumes. It writes a table of the cells and the surrogate
there. `--surrogate FOLDER` trains the three regions of one that is there, and writes its report and card again.
Run time: one second of one core a cell with two seeds, about 20 minutes for 1,000 cells, 4 minutes of fitting, and two
minutes for the regions.
Output: the content of the surrogate's card; the last line is a JSON object with the report.
Page: docs/predictors.md
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np

from jaxnas.analysis.surrogate_report import misses, region_report
from jaxnas.analysis.surrogates import card_of
from jaxnas.benchmarks import surrogate_files
from jaxnas.benchmarks.surrogate import SurrogateBenchmark
from jaxnas.benchmarks.surrogate_fitting import local_optima
from jaxnas.cli.main import main
from jaxnas.provenance import git_commit, machine, versions
from jaxnas.spaces.cells import graph
from jaxnas.spaces.cells.space import NB201X5 as SPACE
from jaxnas.spaces.decisions import radix_weights
from jaxnas.spaces.listed import ListedSpace
from jaxnas.tables.curves import table_of_curves
from jaxnas.tables.manifest import base_manifest, keys_of
from jaxnas.tables.table import Table, write
from jaxnas.tasks.base import SPLITS
from jaxnas.tasks.named import task_named
from jaxnas.training.compilation import configure_compilation
from jaxnas.training.curves import Curves
from jaxnas.training.trainer import Trainer

TASK = "shifted-digits"
ID = "nb201x5-shifted-digits-surrogate-v1"
AT_ONCE = 20
NUM_OF_REGION = 20
NUM_CANDIDATES = 300
"""Random cells that the surrogate was not fitted to, of which a tenth is the best by what it says."""


def sampled(number: int) -> np.ndarray:
    """Returns cells without dead edges, int32[number, D]: uniform draws, later members of a class left out."""
    rows = np.random.RandomState(0).randint(0, SPACE.num_architectures, 3 * number)
    archs = np.asarray(jax.jit(jax.vmap(lambda row: SPACE.pruned(SPACE.arch_at(row))))(rows))
    forms: dict[tuple, np.ndarray] = {}
    for arch in archs:
        forms.setdefault(graph.canonical_form(SPACE.graph(arch)), arch)
    return np.stack(list(forms.values())[:number])


def trained(trainer: Trainer, archs: np.ndarray, num_seeds: int, folder: Path) -> Curves:
    """Returns the curves [n, S, ...] of cells, trained or read from the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, len(archs), AT_ONCE):
        path = folder / f"{start:05d}.npz"
        if not path.is_file():
            curves = trainer.curves(list(archs[start : start + AT_ONCE]), range(num_seeds), plan="sequential")
            np.savez(folder / "unfinished.npz", archs=archs[start : start + AT_ONCE], **curves._asdict())
            (folder / "unfinished.npz").rename(path)
            print(f"{start + AT_ONCE:,} of {len(archs):,} cells", flush=True)
        with np.load(path) as arrays:
            if (arrays["archs"] != archs[start : start + AT_ONCE]).any():
                raise SystemExit(f"Expected {path} of the same cells, got others.")
            parts.append(Curves(**{name: arrays[name] for name in Curves._fields}))
    return jax.tree.map(lambda *values: np.concatenate(values), *parts)


def table_of(trainer: Trainer, archs: np.ndarray, curves: Curves) -> Table:
    """Returns the table of the cells that were trained, a part of the space."""
    order = np.argsort(archs @ radix_weights(SPACE.decisions))
    archs, curves = archs[order], jax.tree.map(lambda values: values[order], curves)
    listed = ListedSpace(SPACE, np.asarray(archs @ radix_weights(SPACE.decisions)))
    task, config = trainer.task, trainer.config
    manifest = {
        **base_manifest(listed, task, range(1, config.num_epochs + 1), range(curves.validation.shape[1])),
        "id": f"{SPACE.name}-{TASK}-sample-v1",
        "training": asdict(config),
        "plan": trainer.plan("sequential").name,
        "versions": versions(),
        "machine": machine(),
        "git_commit": git_commit(),
        "licence": task.license,
    }
    sizes = [trainer.size(arch) for arch in archs]
    steps = task.train.inputs.shape[1] // config.batch_size
    examples = {split: getattr(task, split).num_examples for split in SPLITS}
    rows = np.arange(len(archs))
    return table_of_curves(
        manifest,
        rows,
        rows,
        {name: [getattr(size, name) for size in sizes] for name in type(sizes[0])._fields},
        curves._asdict(),
        np.ones(len(archs), bool),
        examples | {"train": steps * config.batch_size},
        keys_of(listed),
    )


def regions(bench: SurrogateBenchmark) -> dict[str, np.ndarray]:
    """Returns cells of three regions that the surrogate was not fitted to, int32[n, D] each, 20 or fewer."""
    known = bench.manifest["fitted_to"]["classes"]
    cells = sampled(known + NUM_CANDIDATES)  # draws of more begin with those of fewer
    fitted = {graph.canonical_form(SPACE.graph(arch)) for arch in cells[:known]}
    fresh = cells[known:]
    best = np.sort(np.argsort(-bench.validation_scores(fresh))[: NUM_CANDIDATES // 10])
    ends = np.asarray(jax.vmap(SPACE.pruned)(local_optima(bench, 2 * NUM_OF_REGION)))
    climbed = {graph.canonical_form(SPACE.graph(arch)): arch for arch in ends}
    others = np.stack([arch for form, arch in climbed.items() if form not in fitted])
    found = {"random": fresh, "upper_tenth": fresh[best], "climbed": others}
    return {name: archs[:NUM_OF_REGION] for name, archs in found.items()}


def measure_regions(trainer: Trainer, source: Path, num_seeds: int, folder: Path) -> None:
    """Trains cells of three regions, and writes the surrogate's report and card with what they score."""
    bench = SurrogateBenchmark.read(source)
    _, arrays, manifest = surrogate_files.read(source)
    report = json.loads((source / surrogate_files.REPORT_FILE).read_text())
    report["regions"] = {}
    for name, archs in regions(bench).items():
        curves = trained(trainer, archs, num_seeds, folder / name)
        scores = curves.scores("validation", trainer.task.validation.num_examples)[..., -1]
        said = bench.validation_scores(archs), *bench.interval(archs)
        report["regions"][name] = region_report(*said, scores) | {"trainings_of_each": num_seeds}
        print(name, archs.tolist(), said[0].tolist(), scores.tolist(), flush=True)
    report["misses"] = misses(report)
    written = surrogate_files.write(source, arrays, manifest, card_of(manifest, report), report)
    if written["content_hash"] != manifest["content_hash"]:
        raise SystemExit("Expected the same content hash, got another one.")


def run() -> None:
    """Trains, writes the table, fits the surrogate and measures its regions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--folder", default="sampled-surrogate")
    parser.add_argument("--surrogate", type=Path, help="a surrogate that is there, whose regions are measured")
    options = parser.parse_args()
    configure_compilation()
    trainer = Trainer(SPACE, task_named(TASK))
    source = options.surrogate or from_sample(trainer, options)
    measure_regions(trainer, source, options.seeds, Path(options.folder) / "regions")
    print(json.dumps(json.loads((source / surrogate_files.REPORT_FILE).read_text())))


def from_sample(trainer: Trainer, options: argparse.Namespace) -> Path:
    """Returns the folder of a surrogate that was fitted to trained cells."""
    archs = sampled(options.number)
    folder = Path(options.folder)
    table = table_of(trainer, archs, trained(trainer, archs, options.seeds, folder / "shards"))
    write(table, folder / "table", f"# {table.id}\n{len(archs):,} cells of {SPACE.name}, trained on {TASK}.\n")
    fitting = ["fit-surrogate", str(folder / "table"), "--space", SPACE.name, "--id", ID, "--out", str(folder / ID)]
    if main(fitting):
        raise SystemExit("Expected a surrogate, got none.")
    return folder / ID


if __name__ == "__main__":
    run()
