"""Makes one page of each kind with the commands, and visits each in a browser, wide and narrow, light and dark.

Claim: no page has a console message, asks for another file, is wider than its window, cuts off text, or shows an empty
figure, at 400 and 1,400 pixels, light and dark.
Command: python experiments/robustness/pages.py [--out FOLDER] [--only NAME,..] [--keep] (needs `pip install playwright`
and Chromium, found by its name or by `JAXNAS_CHROMIUM`)
Run time: four minutes on two cores, of which the commands take most.
Output: a line for each fault; the pages and a screenshot of each visit in the folder. Last line: a JSON object with the
numbers of pages, visits and faults.
Page: docs/robustness.md

`--keep` visits the pages that are in the folder, without making them again. `predict` writes no page: its figures are
opened. What is wider than the window within a scrolling region counts as seen, and so does text that ends in
an ellipsis or is hidden for screen readers only.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CELLS, PERCEPTRONS, SHORT = "nb201-shifted-digits", "mlp-small-shifted-digits-v1", ("--runs", "20", "--trials", "50")
PROXIES = f"{CELLS}-proxies-v2"
COMMANDS = {
    "one-objective": ("compare", "--benchmark", f"{CELLS}-v1", *SHORT),
    "perceptrons": ("compare", "--benchmark", PERCEPTRONS, *SHORT),
    "two-objectives": ("compare", "--benchmark", f"{CELLS}-v1", "--objective", "accuracy,log-flops", *SHORT),
    "proxy-as-objective": (
        *("compare", "--benchmark", f"{CELLS}-v1", "--columns", PROXIES, "--objective", "accuracy,nwot", *SHORT),
    ),
    "within-a-limit": ("compare", "--benchmark", f"{CELLS}-v1", "--objective", "accuracy,flops<=1000000", *SHORT),
    "several-tables": (
        *("compare", "--benchmark", f"nb201-cifar10-v1,nb201-cifar100-v1,nb201-mnist5k-v1,{CELLS}-v1", *SHORT),
    ),
    "transfer": ("compare", "--benchmark", f"{CELLS}-v1", "--sources", "nb201-cifar10-v1", *SHORT),
    "search-cells": ("search", "--space", "nb201", "--task", "shifted-digits", "--trials", "4", "--epochs", "1"),
    "search-perceptrons": ("search", "--space", "mlp", "--task", "shifted-digits", "--trials", "12", "--epochs", "2"),
    "one-shot": ("oneshot", "--space", "nb201", "--task", "shifted-digits", "--steps", "20"),
    "explorer": ("explore", f"{CELLS}-v1"),
    "explorer-perceptrons": ("explore", PERCEPTRONS),
    "predict": ("predict", f"{CELLS}-v1", "--predictors", "gp_wl,blr", "--train", "10,30", "--repetitions", "3"),
    "reproduction": ("reproduce", "nb201_tables"),
}
WIDTHS, SCHEMES = (400, 1400), ("light", "dark")
FAULTS = """() => {
  const found = [], wide = document.documentElement.clientWidth;
  const shown = (part) => part.checkVisibility({ visibilityProperty: true }) && part.getBoundingClientRect().width > 0;
  const within = (part, test) => part && (test(getComputedStyle(part)) || within(part.parentElement, test));
  const place = (part) => `${part.tagName.toLowerCase()}#${part.closest("[id]")?.id ?? ""}`;
  const named = (part) => `${place(part)} ${part.textContent.trim().slice(0, 40)}`;
  const width = document.documentElement.scrollWidth;
  if (width > wide) found.push(`the page is ${width} wide`);
  for (const part of document.querySelectorAll("body *")) {
    if (!shown(part) || part.closest(".visually-hidden, .skip")) continue;
    const style = getComputedStyle(part), box = part.getBoundingClientRect(), inSvg = part.closest("svg");
    const scrolls = within(part, (each) => ["auto", "scroll"].includes(each.overflowX));
    if (!scrolls && !part.closest(".readout") && (box.right > wide + 1 || box.left < -1))
      found.push(`beyond the window: ${named(part)}`);
    if (!inSvg && ["hidden", "clip"].includes(style.overflowX) && style.textOverflow !== "ellipsis"
      && part.scrollWidth > part.clientWidth + 1) found.push(`cut off: ${named(part)}`);
    if (part.tagName === "text" && inSvg) {
      const frame = inSvg.getBoundingClientRect();
      if (box.left < frame.left - 2 || box.right > frame.right + 2) found.push(`cut off in a figure: ${named(part)}`);
    }
    if (part.tagName === "FIGURE" && !part.querySelector("svg path, svg rect, svg circle, svg line, canvas, img"))
      found.push(`empty figure: ${named(part)}`);
  }
  return found;
}"""


def main() -> int:
    """Makes the pages, visits each, and returns 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", default=",".join(COMMANDS))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = options.out or Path(tempfile.mkdtemp(prefix="jaxnas-pages-"))
    names = options.only.split(",")
    failed = [] if options.keep else [name for name in names if not made(name, folder / name)]
    faults = [f"{name}: the command failed" for name in failed]
    pages = [page for name in names for page in pages_of(folder / name)]
    faults += visits(pages, folder)
    print("\n".join(faults))
    visited = len(pages) * len(WIDTHS) * len(SCHEMES)
    print(json.dumps({"folder": str(folder), "pages": len(pages), "visits": visited, "faults": len(faults)}))
    return int(bool(faults))


def made(name: str, folder: Path) -> bool:
    """Returns whether a command wrote its page into a folder."""
    out = folder / "page.html" if COMMANDS[name][0] == "explore" else folder
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "jaxnas", *COMMANDS[name], "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    (folder / "output.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.returncode == 0


def pages_of(folder: Path) -> list[Path]:
    """Returns the pages in a folder; its figures if there are none."""
    return sorted(folder.rglob("*.html")) or sorted(folder.glob("*.svg"))


def visits(pages: list[Path], folder: Path) -> list[str]:
    """Returns a line for each fault that a visit of a page shows, after writing screenshots."""
    from playwright.sync_api import sync_playwright

    faults = []
    with sync_playwright() as driver:
        path = os.environ.get("JAXNAS_CHROMIUM") or shutil.which("chromium")
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for page in pages:
            name = page.relative_to(folder).with_suffix("").as_posix()
            for width in WIDTHS:
                for scheme in SCHEMES:
                    picture = folder / "pictures" / f"{name.replace('/', '-')}-{width}-{scheme}.png"
                    found = faults_of(browser, page, width, scheme, picture)
                    faults += [f"{name} at {width}, {scheme}: {each}" for each in dict.fromkeys(found)]
        browser.close()
    return faults


def faults_of(browser: Any, file: Path, width: int, scheme: str, picture: Path) -> list[str]:
    """Returns what is wrong with a page in a window of a width, in a color scheme, after taking a picture of it."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, found = context.new_page(), []
    page.on("console", lambda message: found.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("requestfailed", lambda request: found.append(f"asked for {request.url[:200]}"))
    if file.suffix == ".svg":
        page.set_content(file.read_text(encoding="utf-8"))
    else:
        page.goto(file.resolve().as_uri())
    page.wait_for_timeout(500)
    if file.suffix == ".html":
        page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        page.wait_for_timeout(200)
        found += page.evaluate(FAULTS)
    page.screenshot(path=picture, full_page=True)
    context.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
