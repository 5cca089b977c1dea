"""Makes the tables of NAS-Bench-201 that ship, on CIFAR-10, CIFAR-100 and ImageNet16-120, from a file of its numbers.

Claim: `tabular/tables/nb201-*-v1` hold the published numbers, exactly if they are counts, and nothing else.
Command: python experiments/tables/published_tables.py path/to/nasbench201.parquet [--out tabular/tables]
Run time: 10 seconds.
Output: for each data set a folder with table.parquet, manifest.json and README.md. Last line: a JSON object with the
best scores and the content hashes.
Page: docs/published.md

The file has one row an architecture and for a data set D the columns `D_val_acc_12`, `D_test_acc_12`,
`D_val_acc_200_run0` to `run2`, `D_test_acc_200`, `D_train_time_200_s`, `D_latency_s`, `D_params_M` and, for all,
`arch_str` and `cifar10_valid_per_time_200`.
"""

import argparse
import hashlib
import json
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

import jaxnas as jn
from jaxnas.tables.columns import Column, run_counts, unsigned
from jaxnas.tables.manifest import DEFAULT_PROTOCOL, base_manifest
from jaxnas.tables.reliability import reliability_of_means
from jaxnas.tables.selection import selection_text
from jaxnas.tables.table import Table, write

ROUNDING = 1e-3
"""How far a count may be from a whole number: the file holds percent in float64, some of them rounded to float32."""
RUN_MEANS = 6
"""A mean over two or three runs is a whole number of sixths of an example."""
SEARCH_EPOCHS, FINAL_EPOCHS = 12, 200
CONVOLUTION_PARAMETERS = {"nor_conv_1x1": 28_000, "nor_conv_3x3": 243_040}
CONVOLUTION_FLOPS = {"nor_conv_1x1": 3_932_160, "nor_conv_3x3": 35_389_440}
"""Of the 15 cells at 32 x 32 pixels, in stages of 16, 32 and 64 channels."""
FIXED_FLOPS, LAST_CHANNELS = 7_782_400, 64
"""Of the stem and the two reduction blocks at 32 x 32 pixels, and the channels that the classifier reads."""

LICENSE = """MIT License

Copyright (c) since 2019 Xuanyi Dong (GitHub: https://github.com/D-X-Y)
Copyright (c) since 2020 Xuanyi Dong (GitHub: https://github.com/D-X-Y)

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""


class DataSet(NamedTuple):
    """A data set of NAS-Bench-201: images of a split, and what the two schedules of training were evaluated on.

    `search_runs`: the trainings whose mean the 12-epoch validation accuracy of the file is.
    """

    name: str
    column: str
    num_classes: int
    pixels: int
    num_validation: int
    num_test: int
    search_runs: int
    fixed_parameters: int
    splits: str


DATA_SETS = (
    DataSet(
        "cifar10",
        "cifar10",
        10,
        32,
        25_000,
        10_000,
        2,
        73_306,
        "Validation: 25,000 training images held out (`x-valid` of `cifar10-valid`, of networks trained on the other\n"
        "25,000). Test: the 10,000 test images (`ori-test` of `cifar10`, of networks trained on all 50,000). So the\n"
        "two are of different trainings, as in the papers: those of `cifar10` have no validation accuracy.",
    ),
    DataSet(
        "cifar100",
        "cifar100",
        100,
        32,
        5_000,
        5_000,
        1,
        79_156,
        "Networks were trained on the 50,000 training images. Validation and test are halves of the 10,000 test\n"
        "images (`x-valid` and `x-test`).",
    ),
    DataSet(
        "imagenet16-120",
        "imagenet16_120",
        120,
        16,
        3_000,
        3_000,
        1,
        80_456,
        "ImageNet16-120: 120 classes of ImageNet at 16 x 16 pixels, 151,700 training images. Validation and test are\n"
        "halves of its 6,000 validation images (`x-valid` and `x-test`).",
    ),
)

CARD = Template((Path(__file__).parent / "published_card.md").read_text())


def main(source: Path, out: Path) -> None:
    data = pq.read_table(source)
    rows = np.asarray([int(jn.NB201.index(jn.NB201.from_str(text))) for text in data.column("arch_str").to_pylist()])
    order = np.argsort(rows)
    if not np.array_equal(rows[order], np.arange(jn.NB201.num_architectures)):
        raise ValueError(f"Expected every architecture of NAS-Bench-201 once in {source}, got others.")
    values = {name: data.column(name).to_numpy()[order] for name in data.column_names if not name.endswith("_str")}
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    results = {}
    for data_set in DATA_SETS:
        table, num_mended = table_of(data_set, values, digest)
        written = write(table, out / table.id, card_of(data_set, table, num_mended))
        bench = jn.TableBenchmark(written)
        results[table.id] = {
            "best_validation": float(written.means("validation").max()),
            "best_test": bench.held_out.optimum,
            "content_hash": written.manifest["content_hash"],
        }
        print(f"{table.id}: best validation {100 * results[table.id]['best_validation']:.4f} %, ", end="")
        print(f"best test {100 * results[table.id]['best_test']:.4f} %")
    print(json.dumps(results))


def table_of(data_set: DataSet, values: dict[str, np.ndarray], digest: str) -> tuple[Table, int]:
    """Returns the table of a data set, and the number of architectures whose number of parameters was mended."""

    def of(name: str) -> np.ndarray:
        return values[f"{data_set.column}_{name}"]

    search = {"runs": "search", "fidelities": ("12",)}
    final = {"runs": "final", "fidelities": ("200",)}
    runs = np.stack([of(f"val_acc_200_run{number}") for number in range(3)], axis=1)
    tests = np.stack([of("test_acc_12"), of("test_acc_200")], axis=1)
    training, one_pass = of("train_time_200_s"), _validation_pass(data_set, values)
    queries = training[:, None] * [SEARCH_EPOCHS / FINAL_EPOCHS, 1] + one_pass[:, None]
    archs = np.asarray(jn.NB201.arch_at(np.arange(jn.NB201.num_architectures)))
    parameters = data_set.fixed_parameters + _of_convolutions(archs, CONVOLUTION_PARAMETERS)
    columns = {
        "validation": _counts(runs, data_set.num_validation, ("class", "run"), **final),
        "validation@12": _counts(
            of("val_acc_12")[:, None], data_set.search_runs * data_set.num_validation, ("class", "run"), **search
        ),
        "test": _counts(tests, RUN_MEANS * data_set.num_test, ("class", "fidelity")),
        "num_runs@final": run_counts((~np.isnan(runs)).sum(1), "final"),
        "seconds": Column(queries.astype(np.float32), ("class", "fidelity"), "seconds"),
        "training_seconds": Column(training.astype(np.float32), ("class",), "seconds"),
        "validation_seconds": Column(one_pass.astype(np.float32), ("class",), "seconds"),
        "latency": Column(of("latency_s").astype(np.float32), ("class",), "seconds"),
        "num_parameters": Column(parameters.astype(np.int32), ("class",), "parameters"),
        "num_flops": Column(_flops(data_set, archs).astype(np.int32), ("class",), "multiply-accumulates"),
    }
    num_mended = int((np.abs(of("params_M") * 1e6 - parameters) > 0.5).sum())
    return Table(_manifest(data_set, digest), {}, None, columns), num_mended


def _manifest(data_set: DataSet, digest: str) -> dict:
    fidelities = [
        {"name": str(epochs), "training": f"{epochs} epochs", "epoch": epochs}
        for epochs in (SEARCH_EPOCHS, FINAL_EPOCHS)
    ]
    final = {"told": "validation", "reported": "test", "price": "seconds"}
    return base_manifest(jn.NB201, data_set.name, fidelities, range(3)) | {
        "id": f"nb201-{data_set.name}-v1",
        "protocols": {
            DEFAULT_PROTOCOL: final,
            "final": final,
            "published": {"told": "validation@12", "reported": "test", "price": "seconds"},
        },
        "licence": "MIT",
        "source": {
            "authors": "Dong, Xuanyi and Yang, Yi and Liu, Lu and Musial, Katarzyna and Gabrys, Bogdan",
            "references": ["dong2020nasbench201", "dong2021natsbench"],
            "made_by": "experiments/tables/published_tables.py",
            "made_from": {"name": "nasbench201.parquet", "sha256": digest},
        },
    }


def _counts(percent: np.ndarray, denominator: int, axes: tuple[str, ...], **described) -> Column:
    """Returns the column of the counts behind percent. Raises ValueError where they are none of the denominator."""
    counts = percent / 100 * denominator
    whole = np.round(counts)
    if np.nanmax(np.abs(counts - whole)) > ROUNDING:
        raise ValueError(f"Expected percent of {denominator:,} images, got counts that are no whole numbers.")
    known = np.where(np.isnan(whole), np.iinfo(np.uint32).max, whole).astype(np.uint32)
    return Column(unsigned(known), axes, "count", 1, denominator, **described)


def _validation_pass(data_set: DataSet, values: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the seconds of one pass over the validation images: those of CIFAR-10, in proportion to the images."""
    return values["cifar10_valid_per_time_200"] * data_set.num_validation / DATA_SETS[0].num_validation


def _of_convolutions(archs: np.ndarray, each: dict[str, int]) -> np.ndarray:
    names = jn.NB201.decisions[0].values
    return np.asarray([each.get(name, 0) for name in names])[archs].sum(1)


def _flops(data_set: DataSet, archs: np.ndarray) -> np.ndarray:
    """Returns the multiply-accumulates of networks: those of convolutions by pixels, and of the classifier."""
    convolutions = (FIXED_FLOPS + _of_convolutions(archs, CONVOLUTION_FLOPS)) * data_set.pixels**2 // 32**2
    return convolutions + (LAST_CHANNELS + 1) * data_set.num_classes


def _noise(table: Table) -> float:
    """Returns the median over architectures of the standard deviation of runs, in percentage points."""
    return 100 * float(np.median(np.nanstd(table.scores("validation")[..., 0], axis=1, ddof=1)))


def card_of(data_set: DataSet, table: Table, num_mended: int) -> str:
    """Returns the card of a table."""
    cifar10 = data_set is DATA_SETS[0]
    among_all, among_best = reliability_of_means(table) or (float("nan"),) * 2
    return CARD.substitute(
        id=table.id,
        name={"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}[data_set.name],
        chance=f"{100 / data_set.num_classes:.2f}",
        splits=data_set.splits,
        num_validation=f"{data_set.num_validation:,}",
        search_denominator=f"{data_set.search_runs * data_set.num_validation:,}",
        search_note=": the mean of two trainings" if cifar10 else ", one training",
        test_denominator=f"{RUN_MEANS * data_set.num_test:,}",
        pass_note="" if cifar10 else ": that of CIFAR-10, in proportion to the number of images",
        num_mended=num_mended,
        noise=f"{_noise(table):.2f}",
        reliability=f"{among_all:.2f}",
        top_reliability=f"{among_best:.2f}",
        selection=selection_text(table),
        license=LICENSE,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="nasbench201.parquet")
    parser.add_argument("--out", type=Path, default=Path("tabular/tables"))
    options = parser.parse_args()
    main(options.source, options.out)
