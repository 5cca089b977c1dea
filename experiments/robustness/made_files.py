"""Makes files in the layouts of published benchmarks, with made-up numbers, to try the importers on.

Claim: each has the structure of the original as documented (docs/importing.md names the sources); numbers mean nothing.
Command: python experiments/robustness/made_files.py FOLDER
Run time: 10 seconds.
Output: a file or folder for each importer, in FOLDER. `speed/published.py` and `importers.py` make theirs here.
Page: docs/importing.md
"""

import base64
import bz2
import io
import itertools
import json
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from jaxnas.spaces.named import space_named
from jaxnas.tables.published import graph_bench

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
FIRST_CELL = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
"""Architecture 0 of NATS-Bench and of HW-NAS-Bench."""
FIRST_CELL_COSTS = {
    "edgegpu_latency": 5.807418537139893,
    "edgegpu_energy": 24.226614330768584,
    "raspi4_latency": 10.481976820010459,
    "edgetpu_latency": 0.9571811309997429,
    "pixel3_latency": 3.6058499999999998,
    "eyeriss_latency": 3.645620000000001,
    "eyeriss_energy": 0.6872827644999999,
    "fpga_latency": 2.57296,
    "fpga_energy": 18.01072,
}
"""What the README of HW-NAS-Bench prints for it on CIFAR-10."""
LEGACY_TORCH = 0x1950A86A20F9469CFC6C
NASBENCH101 = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
TRANSNAS_SCORES = {
    "class_scene": "top1",
    "class_object": "top1",
    "room_layout": "neg_loss",
    "jigsaw": "top1",
    "segmentsemantic": "mIoU",
    "normal": "ssim",
    "autoencoder": "ssim",
}


def cell(operations: Iterable[str]) -> str:
    """Returns the string of a cell of NAS-Bench-201."""
    return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*operations)


def shuffled_cells(seed: int = 0) -> list[str]:
    """Returns all cells in an order of no meaning, as the benchmark's is; `FIRST_CELL` is the first."""
    cells = [cell(names) for names in itertools.product(OPERATIONS, repeat=6)]
    np.random.default_rng(seed).shuffle(cells)
    cells.remove(FIRST_CELL)
    return [FIRST_CELL, *cells]


# NATS-Bench and NAS-Bench-201


def training(epochs: int, data_set: str, splits: dict[str, tuple[int, bool]], seed: int) -> dict:
    """Returns the record of one training as NATS-Bench pickles it.

    Args:
        splits: for each name of a split its number of images, and whether it was evaluated after every epoch.
    """
    random = np.random.default_rng([seed, epochs, len(data_set)])
    accuracy, losses, times = {}, {}, {}
    for split, (images, every) in splits.items():
        for epoch in range(0 if every else epochs - 1, epochs):
            key = f"{split}@{epoch}"
            accuracy[key] = float(random.integers(images // 10, images) / images * 100)
            losses[key], times[key] = float(random.uniform(0.1, 2)), 2.5
    each_epoch = {epoch: float(random.uniform(1, 2)) for epoch in range(epochs)}
    return {
        "name": data_set,
        "train_acc1es": {epoch: 50 * value for epoch, value in each_epoch.items()},
        "train_acc5es": {epoch: 50 * value for epoch, value in each_epoch.items()},
        "train_losses": each_epoch,
        "train_times": OrderedDict((epoch, 7.25) for epoch in range(epochs)),
        "arch_config": {"channel": 16, "num_cells": 5},
        "params": np.float64(0.129306),
        "flop": 15.64737,
        "seed": f"{seed:04d}",
        "epochs": epochs,
        "latency": [np.float64(0.0139)],
        "eval_names": list(splits),
        "eval_acc1es": accuracy,
        "eval_losses": losses,
        "eval_times": times,
        "net_state_dict": None,
    }


def architecture(name: str, index: int, epochs: int, seeds: tuple[int, ...] = (777, 888)) -> dict:
    """Returns the record of an architecture and one schedule of training."""
    data_sets = {
        "cifar10-valid": {"x-valid": (25_000, True), "ori-test": (10_000, False)},
        "cifar10": {"ori-test": (10_000, True)},
        "cifar100": {"ori-test": (10_000, True), "x-valid": (5_000, False), "x-test": (5_000, False)},
        "ImageNet16-120": {"ori-test": (6_000, True), "x-valid": (3_000, False), "x-test": (3_000, False)},
    }
    return {
        "arch_index": index,
        "arch_str": name,
        "all_results": {
            (data_set, seed): training(epochs, data_set, splits, seed)
            for seed in seeds
            for data_set, splits in data_sets.items()
        },
        "dataset_seed": {data_set: list(seeds) for data_set in data_sets},
        "clear_net_done": True,
    }


def nats_archive(path: Path, names: list[str], schedules: dict[str, int]) -> Path:
    """Writes the archive of all architectures: bz2 of one pickle."""
    path.write_bytes(bz2.compress(pickle.dumps(whole_benchmark(names, schedules), 4)))
    return path


def whole_benchmark(names: list[str], schedules: dict[str, int]) -> dict:
    """Returns what NATS-Bench and NAS-Bench-201 have in one file; `schedules` are epochs by the names of theirs."""
    return {
        "meta_archs": names,
        "arch2infos": {
            index: {hp: architecture(name, index, epochs) for hp, epochs in schedules.items()}
            for index, name in enumerate(names)
        },
        "evaluated_indexes": set(range(len(names))),
    }


# Torch files, of both forms, without torch


def legacy_torch(path: Path, value: Any) -> Path:
    """Writes a torch file of the older form: pickles one after the other, and no storages."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    path.write_bytes(b"".join(pickle.dumps(each, 2) for each in (LEGACY_TORCH, 1001, system, value, [])))
    return path


def zipped_torch(path: Path, value: Any) -> Path:
    """Writes a torch file of the form since 1.6."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{path.stem}/data.pkl", pickle.dumps(value, 2))
        archive.writestr(f"{path.stem}/version", b"3\n")
    return path


# NAS-Bench-101


def tfrecord(rows: Iterable[bytes]) -> bytes:
    """Returns rows as a TFRecord file, its checksums left out."""
    return b"".join(struct.pack("<QI", len(row), 0) + row + bytes(4) for row in rows)


def nasbench101_row(
    md5: str, epochs: int, matrix: str, operations: str, scores: Iterable[int], seconds: float
) -> bytes:
    """Returns a row of NAS-Bench-101's file.

    Args:
        scores: correct images of 9,984: validation and test half of the way, validation and test at the end.
    """
    half_validation, half_test, validation, test = (count / 9984 for count in scores)
    message = b""
    for epoch, half, found in (
        (0, 0, (0.1, 0.1)),
        (epochs / 2, 1, (half_validation, half_test)),
        (epochs, 2, (validation, test)),
    ):
        values = (epoch, seconds * half / 2, 0.5, *found)
        message += b"\x0a\x2d" + b"".join(
            struct.pack("<Bd", tag, value) for tag, value in zip((0x09, 0x11, 0x19, 0x21, 0x29), values, strict=True)
        )
    message += b"\x10" + varint(8_555_530) + b"\x19" + struct.pack("<d", seconds + 60)
    return json.dumps([md5, epochs, matrix, operations, base64.b64encode(message).decode()]).encode()


def varint(value: int) -> bytes:
    """Returns a number as protobuf writes it."""
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


# Column packs


def hw_nas_bench(path: Path, cells: list[str], shared: bool = False) -> Path:
    """Writes HW-NAS-Bench's pickle: lists by measure, in the order of `config`; the last cell has no Edge TPU.

    Args:
        shared: whether all measures of all data sets are one list, in a smaller file.
    """
    random = np.random.default_rng(0)
    found: dict[str, dict] = {}
    if shared:
        one = {"config": [{"arch_str": text} for text in cells]} | dict.fromkeys(FIRST_CELL_COSTS, [2.5] * len(cells))
        found = dict.fromkeys(("cifar10", "cifar100", "ImageNet16-120"), one)
        path.write_bytes(pickle.dumps({"nasbench201": found}, 3))
        return path
    for data_set in ("cifar10", "cifar100", "ImageNet16-120"):
        values = {name: random.uniform(1, 20, len(cells)).tolist() for name in FIRST_CELL_COSTS}
        if data_set == "cifar10":
            for name, value in FIRST_CELL_COSTS.items():
                values[name][0] = value
        values["edgetpu_latency"][-1] = -1
        config = [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text, "num_classes": 10} for text in cells]
        found[data_set] = {"config": config, **values}
    path.write_bytes(pickle.dumps({"nasbench201": found, "fbnet": {"cifar100": {"config": []}}}, 3))
    return path


def help_latencies(folder: Path, cells: list[str], devices: tuple[str, ...] = ("1080ti_1", "pixel3")) -> Path:
    """Writes HELP's folder of latencies, a list in one file and a NumPy array in the next; the first are 1, 2, ..."""
    (folder / "latency").mkdir(parents=True, exist_ok=True)
    legacy_torch(folder / "str_arch2idx.pt", {text: number for number, text in enumerate(cells)})
    for number, device in enumerate(devices):
        values = np.arange(1.0, len(cells) + 1)
        path = folder / "latency" / f"{device}.pt"
        legacy_torch(path, values.tolist()) if number % 2 == 0 else zipped_torch(path, values)
    return folder


def suite_zero(path: Path, keys: dict[str, float], data_sets: tuple[str, ...] = ("cifar10",)) -> Path:
    """Writes NAS-Bench-Suite-Zero's JSON. `keys`: architectures as NASLib writes them, and a score of each."""
    scores = {
        key: {
            "id": str(number),
            "val_accuracy": 70.0,
            **{name: {"score": score, "time": 0.5} for name in ("synflow", "nwot", "params", "flops")},
        }
        for number, (key, score) in enumerate(keys.items())
    }
    path.write_text(json.dumps(dict.fromkeys(data_sets, scores)))
    return path


# The others


def macro(path: Path) -> Path:
    """Writes NAS-Bench-Macro's JSON; the accuracies rise with the parameters."""
    found = {}
    for blocks in itertools.product("012", repeat=8):
        size = sum(map(int, blocks))
        found["".join(blocks)] = {
            "test_acc": [80 + size / 2, 80.5 + size / 2, 81 + size / 2],
            "mean_acc": 80.5 + size / 2,
            "std": 0.4,
            "params": 1000 * size + 500,
            "flops": 2000 * size,
        }
    path.write_text(json.dumps(found))
    return path


def graphs(path: Path, task: str) -> Path:
    """Writes a file of NAS-Bench-Graph: numbers of all architectures by the number of each."""
    space = space_named("nb-graph-proteins" if task == "proteins" else "nb-graph")
    archs = np.asarray(space.arch_at(np.arange(space.num_architectures)))
    positions = np.asarray([graph_bench.OPERATIONS.index(name) for name in space.decisions[1].values])
    digits = np.concatenate([archs[:, :1], positions[archs[:, 1:]]], axis=1)
    keys = (digits * 10 ** np.arange(digits.shape[1])[::-1]).sum(1).tolist()
    numbers = np.random.default_rng(0).uniform(0, 1, (len(keys), 4)).tolist()
    values = [dict(zip(("valid_perf", "perf", "latency", "para"), each, strict=True)) for each in numbers]
    path.write_bytes(pickle.dumps(dict(zip(keys, values, strict=True)), 3))
    return path


def transnas(
    path: Path,
    strings: dict[str, list[str]],
    tasks: tuple[str, ...] = ("jigsaw",),
    epochs: int = 3,
    shared: bool = False,
) -> Path:
    """Writes TransNAS-Bench-101's torch file.

    Args:
        strings: architectures by space.
        shared: whether all architectures have the same trainings, in a smaller file.
    """
    data: dict[str, dict] = {}
    for space, names in strings.items():
        for number, name in enumerate(names):
            found = {task: _transnas_training(task, number, epochs) for task in tasks}
            data.setdefault(space, {})[name] = next(iter(data[space].values())) if shared and number else found
    names = {
        task: [f"{split}_{score}" for split in ("train", "valid", "test")] for task, score in TRANSNAS_SCORES.items()
    }
    information = ["inference_time", "encoder_params", "model_params", "model_FLOPs", "encoder_FLOPs"]
    return legacy_torch(
        path, {"metrics_dict": names, "info_names": information, "task_list": list(TRANSNAS_SCORES), "data": data}
    )


def _transnas_training(task: str, number: int, epochs: int) -> dict:
    score = TRANSNAS_SCORES[task]
    curve = [number + epoch / 10 for epoch in range(epochs)]
    metrics = {f"{split}_{score}": curve for split in ("train", "valid")}
    metrics |= {f"test_{score}": [value + 0.5 for value in curve], "valid_loss": curve, "time_elapsed": [30.0] * epochs}
    information = {
        "inference_time": 0.01,
        "encoder_params": 1.5,
        "model_params": 2.0,
        "model_FLOPs": 9.0,
        "encoder_FLOPs": 8.0,
    }
    return {"encoder_str": "", "metrics": metrics, "model_info": information, "total_epochs": epochs}


def asr(folder: Path, architectures: list[list[list[int]]], seeds: tuple[int, ...] = (1234, 1235, 1236)) -> Path:
    """Writes NAS-Bench-ASR's folder: two pickles a file. The error of architecture i is 0.2 + i / 100."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = {
        "shape": [[6, 2], [6, 2, 2], [6, 2, 2, 2]],
        "ops": ["linear", "conv5", "conv5d2", "conv7", "conv7d2", "zero"],
    }
    common = {"version": 2, "search_space": shape | {"nodes": 3}}
    for seed in seeds:
        header = common | {"dataset_type": "training", "epochs": 40, "seed": seed}
        header["columns"] = ["model_hash", "val_per", "test_per", "arch_vec"]
        rows = [
            [f"{number:032x}", [0.9 - epoch / 100 + number / 100 for epoch in range(40)], 0.2 + number / 100, found]
            for number, found in enumerate(architectures)
        ]
        two_pickles(folder / f"nb-asr-e40-{seed}.pickle", header, rows)
    header = common | {"dataset_type": "static", "columns": ["model_hash", "params", "flops", "arch_vec"]}
    rows = [[f"{number:032x}", 1000 + number, 1e6, found] for number, found in enumerate(architectures)]
    two_pickles(folder / "nb-asr-info.pickle", header, rows)
    header = common | {"dataset_type": "benchmarking", "device": "gtx-1080ti-fp32"}
    header["columns"] = ["model_hash", "latency", "arch_vec"]
    rows = [[f"{number:032x}", 0.01, found] for number, found in enumerate(architectures)]
    two_pickles(folder / "nb-asr-bench-gtx-1080ti-fp32.pickle", header, rows)
    return folder


def two_pickles(path: Path, header: dict, rows: list) -> None:
    """Writes a header and rows, a pickle each."""
    file = io.BytesIO()
    pickle.dump(header, file)
    pickle.dump(rows, file)
    path.write_bytes(file.getvalue())


def main(folder: Path) -> None:
    """Writes one of each."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = shuffled_cells()
    nats_archive(folder / "NATS-tss-v1_0-3ffb9.pickle.pbz2", cells[:3], {"12": 12, "200": 200})
    legacy_torch(folder / "NAS-Bench-201-v1_1-096897.pth", whole_benchmark(cells[:3], {"less": 12, "full": 200}))
    hw_nas_bench(folder / "HW-NAS-Bench-v1_0.pickle", cells)
    help_latencies(folder / "nasbench201", cells)
    suite_zero(folder / "zc_nasbench201.json", {"(4, 0, 3, 1, 4, 3)": 1.0, "(0, 0, 0, 0, 0, 0)": 2.0})
    macro(folder / "nas-bench-macro_cifar10.json")
    asr(folder / "nb-asr", [[[number % 6, 0], [1, 0, number // 6 % 2], [2, 0, 0, 0]] for number in range(12)])
    micro = ["64-41414-{}_{}{}_{}{}{}".format(*digits) for digits in itertools.product("0123", repeat=6)]
    transnas(folder / "transnas-bench_v10141024.pth", {"micro": micro})
    print(json.dumps({"files": sorted(path.name for path in folder.iterdir())}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
