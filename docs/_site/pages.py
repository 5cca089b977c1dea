"""All generated pages."""

import re
from pathlib import Path

from _site import api, catalog_pages, commands, results, tables
from _site.text import save

ROOT = Path(__file__).parents[2]


def write(folder: Path) -> None:
    """Writes the generated pages to a folder within the documentation."""
    for module in (catalog_pages, tables, api, commands, results):
        module.write(folder)
    for name in ("CHANGELOG", "CONTRIBUTING"):
        save(folder / f"{name.lower()}.md", _moved((ROOT / f"{name}.md").read_text(encoding="utf-8")))
    scripts = (ROOT / "experiments/README.md").read_text(encoding="utf-8")
    save(folder / "experiments.md", re.sub(r"\[([^]]*)\]\([^)]*\.py\)", r"`\1`", scripts))


def _moved(text: str) -> str:
    """Returns a page of the repository's root as one of the folder."""
    return text.replace("](docs/", "](../")
