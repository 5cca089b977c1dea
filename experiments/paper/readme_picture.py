"""Makes the picture of a report that the README shows.

Claim: the picture is a screenshot of the page that `jaxnas compare` writes on its defaults.
Command: python experiments/paper/readme_picture.py (needs Chromium, found by its name or by `JAXNAS_CHROMIUM`)
Run time: half a minute on two cores.
Output: docs/images/report.png, below 200 kB. The last line printed is a JSON object with its size.
Page: README.md
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

PANELS = """<!doctype html>
<style>
  body {{ margin: 0; display: flex; overflow: hidden }}
  div {{ width: 50vw; height: 100vh; overflow: hidden }}
  iframe {{ border: 0; width: {width}px; height: {height}px; transform: scale({scale}); transform-origin: 0 0 }}
</style>
<div><iframe src="left.html"></iframe></div>
<div><iframe src="right.html"></iframe></div>
"""
WITHOUT_START = "<style>.skip, .masthead, #search { display: none } #result { border: 0; margin: 0 }</style>"


@dataclass(frozen=True)
class Config:
    """Where the picture goes, and its measures in pixels: two panels of one page, side by side."""

    out: Path = Path("docs/images/report.png")
    page_width: int = 1100
    page_height: int = 1060
    scale: float = 0.75
    most_bytes: int = 200_000


CONFIG = Config()


def screenshot(page: Path, out: Path, config: Config) -> None:
    """Writes a picture of the start of a report and, next to it, of its curves."""
    chromium = os.environ.get("JAXNAS_CHROMIUM") or shutil.which("chromium")
    if not chromium:
        sys.exit("Expected Chromium: install it, or set JAXNAS_CHROMIUM to its path.")
    page.with_name("left.html").write_text(page.read_text())
    page.with_name("right.html").write_text(page.read_text() + WITHOUT_START)
    panels = page.with_name("panels.html")
    panels.write_text(PANELS.format(width=config.page_width, height=config.page_height, scale=config.scale))
    width, height = round(2 * config.page_width * config.scale), round(config.page_height * config.scale)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000"]
    command = [chromium, *options, f"--window-size={width},{height}", f"--screenshot={out}", panels.as_uri()]
    subprocess.run(command, check=True, capture_output=True)


def _write_small(picture: Path, out: Path) -> None:
    """Writes a picture with 256 colors, chosen so that thin lines keep theirs."""
    out.parent.mkdir(parents=True, exist_ok=True)
    colors = Image.open(picture).convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE)
    colors.save(out, optimize=True)


def main(config: Config = CONFIG) -> None:
    """Runs the default comparison, and writes the picture of its page."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "jaxnas", "compare", "--out", folder], check=True)
        picture = Path(folder, "picture.png")
        screenshot(Path(folder, "report.html"), picture, config)
        _write_small(picture, config.out)
    size = config.out.stat().st_size
    print(json.dumps({"file": str(config.out), "bytes": size}))
    if size > config.most_bytes:
        sys.exit(f"Expected at most {config.most_bytes} bytes, got {size}.")


if __name__ == "__main__":
    main()
