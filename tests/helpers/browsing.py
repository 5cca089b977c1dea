"""A real browser for the pages: Debian's Chromium, driven by Playwright; tests skip where one of them is absent."""

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def browser():
    """Returns a headless Chromium, found by `JAXNAS_CHROMIUM` or by its name."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = os.environ.get("JAXNAS_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("needs Chromium: install Debian's package chromium, or set JAXNAS_CHROMIUM to its path")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def visit(browser):
    """Returns a function that opens a file, and returns the page; console errors and requests fail the test at its end.

    Arguments: the file; width and height of the window; further arguments of a context, such as `java_script_enabled`.
    """
    contexts, complaints = [], []

    def open_page(path: Path, width: int = 1280, height: int = 900, **arguments):
        context = browser.new_context(viewport={"width": width, "height": height}, **arguments)
        contexts.append(context)
        page = context.new_page()
        url = path.resolve().as_uri()
        page.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                request.url.partition("#")[0] != url
                and not request.url.startswith("blob:")  # what a page saves, out of memory
                and complaints.append(f"asked for {request.url[:200]}")
            ),
        )
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == [], complaints


@pytest.fixture
def axe_violations():
    """Returns a function that returns what axe-core finds serious or critical in a page: a line for each violation."""
    path = os.environ.get("JAXNAS_AXE")
    if not path or not Path(path).exists():
        pytest.skip("needs axe-core: set JAXNAS_AXE to the path of axe.min.js, from the npm package axe-core")

    def violations(page) -> list[str]:
        page.evaluate(Path(path).read_text())
        found = page.evaluate("async () => (await axe.run()).violations")
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    return violations
