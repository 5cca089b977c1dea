"""Gives importers damaged files, and checks that each ends in one line: no traceback, hang, gigabyte or call.

Claim: of 10,000 mutated files of each format every one is either read or refused by a ValueError of one line, within
five seconds of CPU and a gigabyte, and none writes a file. Undamaged, each file is read.
Command: python experiments/robustness/importers.py [--number 10000] [--seed 0] [FORMAT ..]
Run time: two hours; 100 of each are a test, of parts unless the importer reads only a whole benchmark.
Output: for each format how many were read and refused, and the slowest. Last line: a JSON object with the figures.
Page: docs/importing.md

A mutation changes, removes, repeats or inserts bytes of a file in the format's layout, as small as the importer reads
it: of the file itself, and for compressed files also of what is within.
"""

import argparse
import bz2
import itertools
import json
import os
import pickle
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.robustness import made_files
from jaxnas.tables.published.named import importer_named

SLOWEST_SECONDS, MOST_MEGABYTES = 5, 1000
INTERESTING = (b"\xff" * 4, b"\x00" * 4, b"\x7f\xff\xff\xff", b".", b"(", b"u.", b"cos\nsystem\n", b"R")
"""What mutations insert besides random bytes: large numbers, ends, marks, names of functions."""


class Format(NamedTuple):
    """A file to damage: the importer, what it is given, the file in it, and how its bytes are packed.

    `is_part` where it is a part of a benchmark, which the importer refuses undamaged, too.
    """

    importer: str
    given: Path
    damaged: Path
    compress: Callable[[bytes], bytes] | None = None
    decompress: Callable[[bytes], bytes] | None = None
    is_part: bool = False


def formats(folder: Path) -> dict[str, Format]:
    """Returns a file in the layout of each format that its importer reads, which are made in a folder."""
    return small(folder) | whole(folder / "whole")


def whole(folder: Path) -> dict[str, Format]:
    """Returns a file of a whole benchmark for each importer that reads no part of one."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = made_files.shuffled_cells()
    macro = made_files.macro(folder / "macro.json")
    graph = made_files.graphs(folder / "proteins.bench", "proteins")
    costs = made_files.hw_nas_bench(folder / "costs.pickle", cells, shared=True)
    latencies = made_files.help_latencies(folder / "help", cells)
    micro = ["64-41414-{}_{}{}_{}{}{}".format(*digits) for digits in itertools.product("0123", repeat=6)]
    tasks = made_files.transnas(folder / "transnas.pth", {"micro": micro}, shared=True)
    return {
        "nb-macro": Format("nb-macro", macro, macro),
        "nb-graph": Format("nb-graph", graph, graph),
        "hw-nas-bench": Format("hw-nas-bench", costs, costs),
        "help": Format("help", latencies, latencies / "str_arch2idx.pt"),
        "transnas": Format("transnas", tasks, tasks),
    }


def small(folder: Path) -> dict[str, Format]:
    """Returns a file of a few architectures in the layout of each format."""
    cells = made_files.shuffled_cells()
    few = cells[:2]
    simple = folder / "simple"
    simple.mkdir(parents=True)
    record = {str(epochs): made_files.architecture(few[0], 0, epochs, (777,)) for epochs in (12, 200)}
    packed = bz2.compress(pickle.dumps(record, 4))
    (simple / "000000.pickle.pbz2").write_bytes(packed)
    sizes = folder / "sizes"
    sizes.mkdir()
    record = {hp: made_files.architecture("8:8:8:16:32", 0, int(hp), (777,)) for hp in ("01", "12", "90")}
    (sizes / "000000.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(record, 4)))
    rows = [
        made_files.nasbench101_row("b5fb4f6193360330", epochs, "0101001000010000", _OPERATIONS, (1, 2, 3, 4), 10.0)
        for epochs in (4, 12, 36, 108)
    ]
    tfrecord = folder / "nasbench_full.tfrecord"
    tfrecord.write_bytes(made_files.tfrecord(rows))
    macro = folder / "macro.json"
    macro.write_text(made_files.macro(macro).read_text()[:2000] + "}")
    graph = folder / "cora.bench"
    numbers = {"valid_perf": 0.5, "perf": 0.5, "latency": 0.1, "para": np.float64(0.2)}
    graph.write_bytes(pickle.dumps(dict.fromkeys(range(20), numbers), 3))
    micro = ["64-41414-{}_{}{}_{}{}{}".format(*digits) for digits in itertools.product("0123", repeat=6)][:20]
    benchmark = made_files.whole_benchmark(few, {"less": 12, "full": 200})
    asr = made_files.asr(folder / "asr", [[[1, 0], [1, 0, 0], [2, 0, 0, 1]]])
    latencies = made_files.help_latencies(folder / "help", few)
    costs = made_files.hw_nas_bench(folder / "costs.pickle", few)
    scores = made_files.suite_zero(
        folder / "zc_nasbench201.json", {"(4, 0, 3, 1, 4, 3)": 1.0, "(0, 0, 0, 0, 0, 0)": 2.0}
    )
    archive = made_files.nats_archive(folder / "archive.pbz2", few, {"12": 12})
    found = {
        "nats-tss": Format("nats-tss", simple, simple / "000000.pickle.pbz2", bz2.compress, bz2.decompress),
        "nats-archive": Format("nats-tss", archive, archive, bz2.compress, bz2.decompress),
        "nats-sss": Format("nats-sss", sizes, sizes / "000000.pickle.pbz2", bz2.compress, bz2.decompress),
        "nb101": Format("nb101", tfrecord, tfrecord),
        "nb-macro": Format("nb-macro", macro, macro, is_part=True),
        "nb-graph": Format("nb-graph", graph, graph, is_part=True),
        "nb-asr": Format("nb-asr", asr, asr / "nb-asr-e40-1234.pickle"),
        "hw-nas-bench": Format("hw-nas-bench", costs, costs, is_part=True),
        "help": Format("help", latencies, latencies / "str_arch2idx.pt", is_part=True),
        "suite-zero": Format("suite-zero", scores, scores),
    }
    for name, write in (("legacy", made_files.legacy_torch), ("zip", made_files.zipped_torch)):
        path = write(folder / f"{name}.pth", benchmark)
        found[f"nb201-{name}"] = Format("nb201", path, path)
    path = made_files.transnas(folder / "transnas.pth", {"micro": micro})
    return found | {"transnas": Format("transnas", path, path, is_part=True)}


_OPERATIONS = "input,conv3x3-bn-relu,conv3x3-bn-relu,output"


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """Returns bytes with one to four mutations; in half of the cases a byte is another one."""
    found = bytearray(data)
    if random.integers(0, 2):
        found[random.integers(0, len(found))] = random.integers(0, 256)
        return bytes(found)
    for _ in range(random.integers(1, 5)):
        at = int(random.integers(0, len(found) + 1))
        length = int(random.integers(1, 1 + max(1, len(found) // 8)))
        match int(random.integers(0, 6)):
            case 0:
                found[at : at + 1] = bytes([random.integers(0, 256)])
            case 1:
                del found[at : at + length]
            case 2:
                found[at:at] = found[at : at + length]
            case 3:
                found[at:at] = random.bytes(int(random.integers(1, 20)))
            case 4:
                found[at:at] = INTERESTING[random.integers(0, len(INTERESTING))]
            case 5:
                del found[at:]
        if not found:
            break
    return bytes(found)


def attack(each: Format, number: int, seed: int) -> dict[str, float]:
    """Returns how many mutated files were read and refused, and the slowest in seconds.

    Raises RuntimeError where one ended otherwise, took too long or too much memory, or wrote a file, and where the file
    is not read undamaged.
    """
    original = each.damaged.read_bytes()
    inside = original if each.decompress is None else each.decompress(original)
    read = importer_named(each.importer)
    if not each.is_part and not list(read(each.given, each.given.parent / "work", lambda *_: None)):
        raise RuntimeError(f"Expected tables of the undamaged {each.damaged.name}, got none.")
    figures = {"read": 0, "refused": 0, "slowest": 0.0}
    before, memory_before = sorted(os.listdir()), _megabytes()
    for position in range(number):
        random = np.random.default_rng([seed, position])
        inner = each.compress is not None and position % 2
        data = each.compress(mutated(inside, random)) if inner else mutated(original, random)
        each.damaged.write_bytes(data)
        started = time.process_time()
        try:
            next(iter(read(each.given, each.given.parent / "work", lambda *_: None)), None)
            figures["read"] += 1
        except ValueError as error:
            figures["refused"] += 1
            if "Expected " not in str(error) or "\n" in str(error):
                raise RuntimeError(f"mutation {position} of seed {seed} gives {error!r}") from error
        except Exception as error:
            raise RuntimeError(f"mutation {position} of seed {seed} gives {type(error).__name__}") from error
        figures["slowest"] = max(figures["slowest"], time.process_time() - started)
        memory = _megabytes() - memory_before
        if figures["slowest"] > SLOWEST_SECONDS or memory > MOST_MEGABYTES or sorted(os.listdir()) != before:
            raise RuntimeError(f"mutation {position} of seed {seed}: {figures['slowest']:.1f} s, {memory:.0f} MB")
    each.damaged.write_bytes(original)
    return figures


def _megabytes() -> float:
    """Returns the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formats", nargs="*", metavar="FORMAT")
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as empty:
        known = formats(Path(folder) / "files")
        os.chdir(empty)
        for name in options.formats or known:
            results[name] = attack(known[name], options.number, options.seed)
            print(f"{name:14}", ", ".join(f"{key} {value:,.3g}" for key, value in results[name].items()), flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
