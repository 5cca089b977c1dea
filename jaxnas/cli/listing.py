"""`jaxnas list`: the catalog's contents."""

import argparse
import json
from typing import Any

from jaxnas import catalog
from jaxnas.benchmarks.surrogate_files import folder_of
from jaxnas.files import MANIFEST_FILE
from jaxnas.predictors.named import predictor_named
from jaxnas.predictors.zero_cost.named import proxy_named
from jaxnas.search.one_shot.named import method_named
from jaxnas.spaces.named import space_named
from jaxnas.strategies.named import strategy_named
from jaxnas.tables.format import read_manifest
from jaxnas.tables.manifest import fidelities_of
from jaxnas.tables.published.named import importer_named
from jaxnas.tables.shipped import PACKS, SURROGATES, find, shipped_ids


def run(options: argparse.Namespace) -> int:
    """Prints everything in the catalog, and the tables that ship. Returns the exit code."""
    found = {
        "spaces": {name: f"{space_named(name).num_architectures:,} architectures" for name in catalog.SPACES},
        "tasks": {name: _first_line(catalog.find(name, catalog.TASKS).__doc__) for name in catalog.TASKS},
        "strategies": {name: _first_line(strategy_named(name).__doc__) for name in catalog.STRATEGIES},
        "proxies": {name: proxy_named(name).text for name in catalog.PROXIES},
        "predictors": {name: _first_line(predictor_named(name).__doc__) for name in catalog.PREDICTORS},
        "one-shot methods": {name: _first_line(method_named(name).__doc__) for name in catalog.ONE_SHOT},
        "importers": {name: _first_line(importer_named(name).__doc__) for name in catalog.IMPORTERS},
        "surrogates": {name: _modeled(name) for name in shipped_ids(SURROGATES)},
        "tables": {name: _described(read_manifest(find(name))) for name in shipped_ids()},
        "packs": {name: _pack_described(read_manifest(find(name))) for name in shipped_ids(PACKS)},
    }
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for kind, entries in found.items():
        print(kind)
        for name, text in entries.items():
            print(f"  {name:24} {text}")
    return 0


def _modeled(name: str) -> str:
    manifest = json.loads((folder_of(name) / MANIFEST_FILE).read_text(encoding="utf-8"))
    size, fitted = manifest["space"]["num_architectures"], manifest["fitted_to"]["classes"]
    return f"{size:,} architectures, fitted to {fitted:,}"


def _first_line(text: str | None) -> str:
    """Returns the first line of a docstring, without its "Returns"; empty without one."""
    return (text or "").strip().partition("\n")[0].removeprefix("Returns ")


def _described(manifest: dict[str, Any]) -> str:
    size, epochs = manifest["space"]["num_architectures"], fidelities_of(manifest)[-1].epoch
    text = f"{size:,} architectures, {len(manifest['seeds'])} seed(s), {epochs} epochs"
    return f"{text}, published" if "source" in manifest else text


def _pack_described(manifest: dict[str, Any]) -> str:
    return f"{len(manifest['columns'])} columns for tables of the space {manifest['space']['name']}"
