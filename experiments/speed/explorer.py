"""Measures how long the explorer of a table with 15,625 classes takes to open in a browser.

Claim: the page draws every class within two seconds of being opened from disk, and is smaller than four megabytes.
Command: python experiments/speed/explorer.py (needs `pip install playwright` and a Chromium)
Run time: about 20 seconds.
Output: for a table of NAS-Bench-201 in which every architecture is a class, with the scores of `nb201-mnist5k-v1`, and
for one with random scores over 200 epochs, which compress badly: seconds to write the page, its bytes, milliseconds
from the start of its loading to its first drawing, each time in a new browser. Last line: a JSON object with the
figures.
Page: none
"""

import json
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

import jaxnas as jn
from jaxnas.report.explorer.explorer import write_explorer


@dataclass(frozen=True)
class Config:
    """Which tables are opened, and how often."""

    benchmark: str = "nb201-mnist5k-v1"
    num_seeds: int = 3
    num_epochs: int = 200
    num_images: int = 2_000
    repeats: int = 5
    width: int = 1280
    height: int = 900


CONFIG = Config()


def every_architecture_a_class() -> jn.Table:
    """Returns the shipped table with the scores of each class repeated for its members."""
    table = jn.Table.read(CONFIG.benchmark)
    whole = jn.Table.from_arrays(
        jn.NB201,
        "members",
        table.validation[table.class_of],
        table.test[table.class_of],
        table.fidelities,
        {split: table.columns[split].denominator for split in ("validation", "test")},
    )
    sizes = {name: table.columns[name] for name in ("num_parameters", "num_flops")}
    return whole.with_columns({name: each._replace(values=each.values[table.class_of]) for name, each in sizes.items()})


def random_scores() -> jn.Table:
    """Returns a table of random counts, the worst case for compression."""
    shape = (2, jn.NB201.num_architectures, CONFIG.num_seeds, CONFIG.num_epochs)
    counts = np.random.RandomState(0).randint(0, CONFIG.num_images, shape, np.int32)
    return jn.Table.from_arrays(jn.NB201, "random", *counts, range(1, CONFIG.num_epochs + 1), CONFIG.num_images)


def milliseconds_to_open(path: Path) -> list[float]:
    """Returns the times from the start of loading to the first drawing, each in a new browser."""
    chromium = os.environ.get("JAXNAS_CHROMIUM") or shutil.which("chromium")
    times = []
    for _ in range(CONFIG.repeats):
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": CONFIG.width, "height": CONFIG.height})
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-drawn]")
            times.append(float(page.evaluate("document.documentElement.dataset.drawn")))
            browser.close()
    return times


def main() -> None:
    """Writes and opens both pages."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in (("members", every_architecture_a_class), ("random", random_scores)):
            table = make()
            start = time.perf_counter()
            path = write_explorer(table, jn.NB201, Path(folder) / f"{name}.html")
            seconds = time.perf_counter() - start
            times = milliseconds_to_open(path)
            figures[name] = {
                "num_classes": len(table.representatives),
                "write_seconds": round(seconds, 2),
                "bytes": path.stat().st_size,
                "open_milliseconds": statistics.median(times),
                "open_milliseconds_largest": max(times),
            }
            print(name, figures[name])
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
