"""Measures how fast published benchmarks are imported, opened and searched, and the memory that it takes.

Claim: on one core a full-size TFRecord file of NAS-Bench-101 is imported within a gigabyte and a minute of CPU, 15,625
`-simple` files of NATS-Bench in half a gigabyte and 211 s, their archive of 1.3 GB in half a gigabyte and 256 s, the
archive of 32,768 networks of the size space in 0.7 gigabytes and 229 s, a torch file of 3.9 GB in half a gigabyte and
111 s. The table of NAS-Bench-101 opens from its cached arrays within a second. Measured on two busy cores of an Intel
Xeon.
Evolution makes ten million queries a second of a core on rows of NAS-Bench-101 and 1.7 million on vectors, with nothing
else on the machine.
Command: python experiments/speed/published.py [PART ..] [--simple DIR] [--simple-sizes DIR] [--folder DIR] (Linux)
Run time: 30 minutes, and 11 GB in `--folder`; parts are shipped, tfrecord, open, search, simple, archive, sizes, torch.
Output: seconds, CPU seconds and peak memory of each part. Last line: a JSON object with the figures.
Page: docs/importing.md

`--simple` is a folder of original files, `NATS-tss-v1_0-3ffb9-simple`: as many links to its files are made as there are
architectures, and for `archive` and `torch` files of full size, in the layouts of the archives, of the same trainings.
`sizes` needs original files of the other space, `--simple-sizes NATS-sss-v1_0-50262-simple`.
"""

import argparse
import base64
import bz2
import hashlib
import io
import itertools
import json
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.robustness.made_files import LEGACY_TORCH, NASBENCH101, shuffled_cells, varint

PARTS = ("shipped", "tfrecord", "open", "search", "simple", "archive", "sizes", "torch")
NUM_CELLS = 15_625
EPOCHS, RUNS = (4, 12, 36, 108), 3
SEARCH = {"num_trials": 300, "num_runs": 1000}


def measured(command: list[str]) -> dict[str, float]:
    """Returns the seconds, the CPU seconds and the peak memory in MB of a process. Raises RuntimeError if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"Expected a process that succeeds, got status {status} of: {' '.join(command)}")
    figures = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "megabytes": usage.ru_maxrss * 1024 / 1e6,
    }
    last = output.strip().splitlines()[-1] if output.strip() else ""
    return figures | (json.loads(last) if last.startswith("{") else {})


def imported(name: str, path: Path, out: Path) -> dict[str, float]:
    """Returns the figures of `jaxnas import`."""
    return measured([sys.executable, "-m", "jaxnas", "import", name, str(path), "--out", str(out)])


# A TFRecord file of NAS-Bench-101 of full size


def write_tfrecord(path: Path) -> None:
    """Writes a file of all graphs, three trainings each at four numbers of epochs, with made-up numbers."""
    from jaxnas.spaces.named import space_named

    space = space_named("nb101")
    random = np.random.default_rng(0)
    archs = np.asarray(space.arch_at(np.arange(space.num_architectures)))
    message = struct.Struct("<" + "2sBdBdBdBdBd" * 3)
    parameters = b"\x10" + varint(8_555_530) + b"\x19" + struct.pack("<d", 100.0)
    with path.open("wb") as file:
        for start in range(0, len(archs), 10_000):
            part = archs[start : start + 10_000]
            counts = random.integers(1000, 9985, (len(part), len(EPOCHS), RUNS, 4)) / 9984
            records = []
            for number, arch in enumerate(part, start):
                md5 = hashlib.md5(str(number).encode()).hexdigest()
                matrix, operations = _described(arch)
                for epochs, by_run in zip(EPOCHS, counts[number - start], strict=True):
                    head = f'["{md5}", {epochs}, "{matrix}", "{operations}", "'.encode()
                    for validation, test, half_validation, half_test in by_run.tolist():
                        data = head + base64.b64encode(
                            message.pack(
                                *(b"\x0a\x2d", 9, 0.0, 17, 0.0, 25, 0.1, 33, 0.1, 41, 0.1),
                                *(
                                    b"\x0a\x2d",
                                    9,
                                    epochs / 2,
                                    17,
                                    5.0 * epochs,
                                    25,
                                    0.9,
                                    33,
                                    half_validation,
                                    41,
                                    half_test,
                                ),
                                *(b"\x0a\x2d", 9, epochs, 17, 10.0 * epochs, 25, 1.0, 33, validation, 41, test),
                            )
                            + parameters
                        )
                        data += b'"]'
                        records.append(struct.pack("<QI", len(data), 0) + data + b"\0\0\0\0")
            file.write(b"".join(records))


def _described(arch: np.ndarray) -> tuple[str, str]:
    """Returns a graph as the file writes it, without the vertices that do not count."""
    matrix = np.zeros((7, 7), int)
    matrix[np.triu_indices(7, 1)] = arch[:21]
    live = [0, *(vertex for vertex in range(1, 6) if matrix[vertex].any()), 6]
    digits = "".join(map(str, matrix[np.ix_(live, live)].reshape(-1)))
    names = [NASBENCH101[arch[20 + vertex]] for vertex in live[1:-1]]
    return digits, ",".join(["input", *names, "output"])


# Files of NAS-Bench-201's trainings of full size


def link_files(simple: Path, folder: Path) -> Path:
    """Makes a folder with links to the original files, one for each architecture."""
    originals = sorted(simple.glob("0*.pickle.pbz2"))
    folder.mkdir()
    for number in range(NUM_CELLS):
        (folder / f"{number:06d}.pickle.pbz2").symlink_to(originals[number % len(originals)].resolve())
    return folder


READ_LINKS = """
import json, sys
from pathlib import Path
import numpy as np
from jaxnas.tables.published import nats
from jaxnas.tables.published.base import Work
from jaxnas.tables.published.nats_topology import LAYOUT
from jaxnas.tables.table import write
folder, out, names = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
work = Work(out / "partial", nats.numbered_files(folder))
parts = nats.read_folder(LAYOUT, folder, work, lambda *_: None)
named = [{"names": np.asarray(names), "values": np.concatenate([part["values"] for part in parts])}]
for found in nats.tables_of(LAYOUT, named, folder):
    write(found.table, out / found.table.id, found.card)
work.remove()
"""
"""Imports a folder of links: as `jaxnas import` does, but each file is given another architecture's name."""


def all_sizes() -> list[str]:
    """Returns the names of the 32,768 architectures of NATS-Bench's size space, in its order."""
    return [":".join(map(str, widths)) for widths in itertools.product(range(8, 65, 8), repeat=5)]


def records_of(simple: Path, names: list[str], legacy: bool = False) -> Iterator[bytes]:
    """Yields the pickled trainings of an original file once for each architecture, as items of a dictionary.

    In the form of the torch file what the memo has numbers that go up through the whole file, as in the original.
    """
    from jaxnas.tables.published import unpickle

    original = next(iter(sorted(simple.glob("0*.pickle.pbz2"))))
    with bz2.open(original) as file:
        found = unpickle.Reader(file).load()
    marker = "@" * 90
    for record in found.values():
        record["arch_str"] = "".join(marker)  # an object of its own, which the memo does not know
        for result in record["all_results"].values():
            result["arch_config"]["arch_str"] = "a cell"
    if legacy:
        found = {"less": found["12"], "full": found["200"]}
    yield from _repeated(found, names, marker, 2 if legacy else 4)


def _repeated(found: dict, names: list[str], marker: str, protocol: int) -> Iterator[bytes]:
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol)
    if protocol < 4:
        pickler.dump([str(number) for number in range(70_000)])  # so that all later numbers of the memo have four bytes
    start = file.tell()
    pickler.dump(found)
    body = file.getvalue()[start:-1]
    lengths = [len(part) for part in body.split(marker.encode())]
    numbered = [
        position + 1
        for each, _, position in pickletools.genops(body + b".")
        if protocol < 4 and each.name in ("LONG_BINPUT", "LONG_BINGET")
    ]
    places = np.asarray(numbered, int).reshape(-1, 1) + np.arange(4)
    template = np.frombuffer(body, np.uint8)
    first = template[places].copy().view("<u4")
    count = int(first.max() - first.min()) + 1 if len(first) else 0
    for number, name in enumerate(names):
        copy = template.copy()
        copy[places] = (first + np.uint32(number * count)).view(np.uint8)
        text = name.encode()
        length = struct.pack("<BI", 0x58, len(text)) if protocol < 4 else bytes([0x8C, len(text)])
        raw, parts = copy.tobytes(), []
        for size in lengths:
            parts.append(raw[:size])
            raw = raw[size + len(marker) :]
        parts[:-1] = [part[: len(part) - len(length)] for part in parts[:-1]]
        yield struct.pack("<BH", 0x4D, number) + (length + text).join(parts)


def write_torch(path: Path, simple: Path) -> None:
    """Writes a file of the size of NAS-Bench-201-v1_1-096897.pth."""
    start = b"".join(pickle.dumps(each, 2) for each in (LEGACY_TORCH, 1001, {"little_endian": True}))
    with path.open("wb") as file:
        file.write(start + b"\x80\x02}(X\x0a\x00\x00\x00arch2infos}")
        _write_items(file, records_of(simple, shuffled_cells(), legacy=True))
        file.write(b"u." + pickle.dumps([], 2))


def _write_items(file: io.BufferedWriter, items: Iterator[bytes]) -> None:
    for number, item in enumerate(items):
        if number % 1000 == 0:
            file.write(b"u(" if number else b"(")
        file.write(item)
    file.write(b"u")


def write_archive(path: Path, simple: Path, names: list[str]) -> None:
    """Writes an archive of NATS-Bench in its size: bz2 streams one after the other, most repeated."""
    with path.open("wb") as file:
        file.write(bz2.compress(b"\x80\x04}(\x8c\x0aarch2infos}"))
        rest: dict[bytes, bytes] = {}
        for number, item in enumerate(records_of(simple, names)):
            cut = item.index(b"all_results")
            if item[cut:] not in rest:
                rest = {item[cut:]: bz2.compress(item[cut:])}
            head = (b"u(" if number else b"(") if number % 1000 == 0 else b""
            file.write(bz2.compress(head + item[:cut]) + rest[item[cut:]])
        file.write(bz2.compress(b"uu."))


# Opening and searching

OPEN = """
import json, resource, sys, time
import jax, numpy, pyarrow.parquet, jaxnas as jn
from jaxnas.tables.table import Table
jax.numpy.zeros(3).block_until_ready()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
table = Table.read(sys.argv[1])
read = time.perf_counter() - started
started = time.perf_counter()
bench = jn.TableBenchmark(table)
bench.prices.block_until_ready()
opened = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"read": read, "benchmark": opened, "before": before * 1024 / 1e6, "peak": peak * 1024 / 1e6}))
"""

RUN = """
import json, os, sys, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import jaxnas as jn
bench = jn.load(sys.argv[1])
space = bench.space.enumerated() if sys.argv[2] == "rows" else bench.space
strategy = jn.regularized_evolution(space)
options = json.loads(sys.argv[3])
jn.run(strategy, bench, seed=0, **options)
cpu = time.process_time()
for seed in range(1, 21):
    jn.run(strategy, bench, seed=seed, **options)
queries = 20 * options["num_trials"] * options["num_runs"]
print(json.dumps({"queries_a_second_of_a_core": queries / (time.process_time() - cpu)}))
"""
"""Runs on one core: on several, threads that wait for each other count as CPU time."""


def run_part(name: str, folder: Path, simple: Path | None) -> dict[str, float]:
    """Returns the figures of a part."""
    table = folder / "out" / "nb101-cifar10"
    python = [sys.executable, "-c"]
    if name == "shipped":
        return measured([*python, OPEN, "nb201-cifar10-v1"])
    if name == "tfrecord":
        path = folder / "nasbench_full.tfrecord"
        if not path.exists():
            write_tfrecord(path)
        return imported("nb101", path, folder / "out") | {"gigabytes": path.stat().st_size / 1e9}
    if name == "open":
        return measured([*python, OPEN, str(table)])
    if name == "search":
        options = json.dumps(SEARCH)
        found = {kind: measured([*python, RUN, str(table), kind, options]) for kind in ("rows", "vectors")}
        return {f"{kind}_{key}": value for kind, figures in found.items() for key, value in figures.items()}
    if simple is None:
        raise ValueError(f"Expected --simple FOLDER, or --simple-sizes FOLDER for sizes, got none for {name}.")
    if name == "simple":
        names = folder / "names.json"
        names.write_text(json.dumps(shuffled_cells()))
        with tempfile.TemporaryDirectory(dir=folder) as root:
            links = link_files(simple, Path(root) / "links")
            return measured([*python, READ_LINKS, str(links), str(Path(root) / "out"), str(names)])
    importer, file_name, write = {
        "archive": ("nats-tss", "NATS-tss-v1_0-3ffb9.pickle.pbz2", lambda *to: write_archive(*to, shuffled_cells())),
        "sizes": ("nats-sss", "NATS-sss-v1_0-50262.pickle.pbz2", lambda *to: write_archive(*to, all_sizes())),
        "torch": ("nb201", "NAS-Bench-201-v1_1-096897.pth", write_torch),
    }[name]
    path = folder / file_name
    if not path.exists():
        write(path, simple)
    return imported(importer, path, folder / "out") | {"gigabytes": path.stat().st_size / 1e9}


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--simple", type=Path)
    parser.add_argument("--simple-sizes", type=Path)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures = {}
        for name in options.parts:
            figures[name] = run_part(name, folder, options.simple_sizes if name == "sizes" else options.simple)
            shown = ", ".join(f"{key} {value:,.2f}" for key, value in figures[name].items())
            print(f"{name}: {shown}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
