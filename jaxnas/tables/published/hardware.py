"""Imports the latencies and energies of HW-NAS-Bench for the cells of NAS-Bench-201, as column packs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxnas.spaces.cells.space import NB201
from jaxnas.tables.columns import Column
from jaxnas.tables.published.base import Progress, expected, only_file, sha256_of
from jaxnas.tables.published.cards import Imported, Publication, imported
from jaxnas.tables.published.containers import value_of
from jaxnas.tables.published.nats_topology import row_of
from jaxnas.tables.table import column_pack

NAME = "hw-nas-bench"
CITES = ("li2021hwnasbench",)
FILES = ("HW-NAS-Bench-v1_0.pickle",)
DATA_SETS = {"cifar10": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "imagenet16-120"}
MEASURES = tuple(
    f"{device}_latency" for device in ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
) + tuple(f"{device}_energy" for device in ("edgegpu", "eyeriss", "fpga"))
UNITS = {"latency": "milliseconds", "energy": "millijoules"}
PUBLICATION = Publication(
    NAME,
    "HW-NAS-Bench, version 1.0",
    "C. Li et al., HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark, ICLR 2021.",
    "MIT licence",
    "https://github.com/GATECH-EIC/HW-NAS-Bench",
    "Li, Chaojian and Yu, Zhongzhi and Fu, Yonggan and Zhang, Yongan and Zhao, Yang and You, Haoran and "
    "Yu, Qixuan and Wang, Yue and Lin, Yingyan",
    CITES,
)


def read(path: Path, work: Path, progress: Progress) -> Iterator[Imported]:
    """Returns a column pack of HW-NAS-Bench for each data set: `latency_raspi4`, `energy_edgegpu`, ...

    `path` is `HW-NAS-Bench-v1_0.pickle`, or a folder with it. Its part on FBNet's space is not
    read.
    """
    path = only_file(path, FILES, "HW-NAS-Bench's pickle")
    progress(path.name, 0, 1)
    digest = {path.name: sha256_of(path)}
    with expected(path, "HW-NAS-Bench's pickle with the space nasbench201"):
        found = value_of(path)["nasbench201"]
        packs = {name: _columns(found[known]) for known, name in DATA_SETS.items()}
    progress(path.name, 1, 1)
    for name, columns in packs.items():
        notes = [
            f"Latency (ms) and energy (mJ) of the networks of NAS-Bench-201 on {name}, on six devices. Those of "
            "`eyeriss` and `fpga` are estimates of a model. A network that the Edge TPU cannot run has no "
            "`latency_edgetpu` (the file has -1)."
        ]
        pack = f"nb201-hwnas-{name}"
        yield imported(column_pack(NB201, pack, columns), pack, PUBLICATION, path, notes, digest)


def _columns(found: dict) -> dict[str, Column]:
    """Returns the columns of a data set; architectures are found by their strings, which the file has in `config`."""
    rows = np.asarray([row_of(config["arch_str"]) for config in found["config"]])
    if len(np.unique(rows)) != NB201.num_architectures:
        raise ValueError(f"Expected {NB201.num_architectures:,} architectures, got {len(np.unique(rows)):,}")
    columns = {}
    for measure in MEASURES:
        device, _, kind = measure.partition("_")
        given = np.asarray(found[measure], float)
        if given.shape != rows.shape:
            raise ValueError(f"Expected {len(rows):,} values of {measure}, got shape {list(given.shape)}")
        if np.isinf(given).any():
            raise ValueError(f"numbers of {measure} that are not finite")
        values = np.empty(len(rows))
        values[rows] = np.where(given < 0, np.nan, given)
        columns[f"{kind}_{device}"] = Column(values, ("class",), UNITS[kind])
    return columns
