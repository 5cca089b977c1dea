"""Trains a sample of the 9.8 million cells of `nb201x5` and fits `nb201x5-shifted-digits-surrogate-v1` to it.

Claim: a space too large for a table becomes a benchmark within half an hour: cross-validated tau-b of the predictor and
coverage of the 95 % interval are on its card.
Command: python experiments/tables/sampled_surrogate.py (`--number N` cells, `--seeds S` trainings of each). The
trainings of
each 20 cells are kept in `--folder`; the command resumes. It writes a table of the cells and the surrogate there.
Run time: one second of one core a cell with two seeds, about 20 minutes for 1,000 cells, and 4 minutes of fitting.
Output: what the surrogate's card says; the last line is a JSON object with the report.
Page: docs/predictors.md
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np

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


def run() -> None:
    """Trains, writes the table and fits the surrogate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--folder", default="sampled-surrogate")
    options = parser.parse_args()
    configure_compilation()
    trainer = Trainer(SPACE, task_named(TASK))
    archs = sampled(options.number)
    folder = Path(options.folder)
    table = table_of(trainer, archs, trained(trainer, archs, options.seeds, folder / "shards"))
    write(table, folder / "table", f"# {table.id}\n{len(archs):,} cells of {SPACE.name}, trained on {TASK}.\n")
    fitting = ["fit-surrogate", str(folder / "table"), "--space", SPACE.name, "--id", ID, "--out", str(folder / ID)]
    if main(fitting):
        raise SystemExit("Expected a surrogate, got none.")
    print(json.dumps(json.loads((folder / ID / "report.json").read_text())))


if __name__ == "__main__":
    run()
