"""What pages ask to cite: an entry for every strategy, space and published table, and this software as CITATION.cff
names it.
"""

import re
from pathlib import Path

import pytest

from jaxnas import catalog
from jaxnas.report import bibliography
from jaxnas.tables.format import read_manifest
from jaxnas.tables.shipped import find, shipped_ids

ROOT = Path(__file__).parents[2]
FIELDS = {
    "article": {"title", "author", "journal", "volume", "year"},
    "inproceedings": {"title", "author", "booktitle", "year"},
    "book": {"title", "author", "publisher", "year"},
}


def cited() -> dict[str, tuple[str, ...]]:
    """Returns the keys that each strategy, space, importer, proxy and predictor of the catalog is cited by."""
    kinds = (catalog.STRATEGIES, catalog.SPACES, catalog.PROXIES, catalog.IMPORTERS)
    others = {name: catalog.cites(name, known) for known in kinds for name in known}
    predictors = {f"predictor {name}": catalog.cites(name, catalog.PREDICTORS) for name in catalog.PREDICTORS}
    methods = {f"method {name}": catalog.cites(name, catalog.ONE_SHOT) for name in catalog.ONE_SHOT}
    return others | predictors | methods


def sources() -> dict[str, dict]:
    """Returns where the numbers of each published table come from."""
    manifests = {name: read_manifest(find(name)) for name in shipped_ids()}
    return {name: manifest["source"] for name, manifest in manifests.items() if "source" in manifest}


def test_every_strategy_and_space_of_the_catalog_has_references_or_explicitly_none():
    assert [name for name, keys in cited().items() if not keys] == [
        "exhaustive_search",
        "mlp",
        "mlp-small",
        "params",
        "flops",
        "n_conv",
    ]
    used = [*cited().values(), *(source["references"] for source in sources().values())]
    used += [catalog.find(name, catalog.PUBLISHED).cites for name in catalog.PUBLISHED]
    lines = [catalog.load(f"jaxnas.spaces.{kind}.baselines:CITES") for kind in ("recurrent", "macro")]
    used += [bibliography.OF_TRANSFER, *lines]
    assert {key for keys in used for key in keys} == set(bibliography.entries())


@pytest.mark.parametrize("key", bibliography.entries())
def test_entries_are_complete(key):
    entry = bibliography.entries()[key]
    kind = re.match(r"@(\w+)\{", entry)[1]
    fields = dict(re.findall(r"^  (\w+) = \{(.+)\},?$", entry, re.MULTILINE))
    assert set(fields) >= FIELDS[kind]
    assert entry.count("{") == entry.count("}")
    assert fields["year"] in key
    first_author = re.sub(r"[^a-z]", "", fields["author"].split(",")[0].lower())
    assert key.startswith(first_author)


def test_years_agree_with_the_table_of_strategies():
    text = (ROOT / "docs" / "strategies.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [\w\s-]+ \|([^|]+)\|", text, re.MULTILINE)
    named = {name: set(re.findall(r"\b(?:19|20)\d\d\b", papers)) for name, papers in rows if name in catalog.STRATEGIES}
    assert set(named) == set(catalog.STRATEGIES)
    for name, years in named.items():
        assert {re.search(r"\d{4}", key)[0] for key in cited()[name]} == years


def test_bibtex_names_software_tables_and_each_paper_once():
    results = [
        {
            "benchmark": f"nb201-task{number}-v1",
            "content_hash": f"{number:064x}",
            "space": "nb201",
            "versions": {"jaxnas": "9.9"},
            "strategies": {"nsga2": {}, "multi_objective_evolution": {}, "mine": {}},
        }
        for number in (1, 2)
    ]
    keys = re.findall(r"^@\w+\{([^,]+),", bibliography.bibtex(results), re.MULTILINE)
    tables = ["nb201-task1-v1", "nb201-task2-v1"]
    assert keys == ["jaxnas", *tables, "dong2020nasbench201", "deb2002fast", "lu2019nsganet", "real2019regularized"]
    text = bibliography.bibtex(results)
    assert f"{2:064x}" in text
    assert "Version 9.9" in text


def test_a_published_table_is_cited_by_its_papers_and_its_authors():
    source = sources()["nb201-cifar100-v1"]
    result = {"benchmark": "nb201-cifar100-v1", "content_hash": "0" * 64, "source": source, "strategies": {}}
    text = bibliography.bibtex([result])
    keys = re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE)
    assert keys == ["jaxnas", "nb201-cifar100-v1", "dong2020nasbench201", "dong2021natsbench"]
    assert "author = {Dong, Xuanyi and Yang, Yi and" in text


def test_hostile_names_are_text_in_bibtex():
    result = {
        "benchmark": "my_table-v1, x}\n@comment{\\input{/etc/passwd}",
        "content_hash": "0" * 64,
        "source": {"authors": "O'Neil & Sons_{", "references": ()},
        "versions": {"jaxnas": "0_1 %"},
        "strategies": {},
    }
    text = bibliography.bibtex([result])
    assert re.findall(r"^@.*", text, re.MULTILINE) == [
        "@misc{jaxnas,",
        "@misc{my_table-v1--x---comment--input-/etc/passwd-,",
    ]
    values = re.sub(r"\\(?:text\w+\{\}|.)", "", text)  # without what is escaped
    assert not set("%&_#$\\") & set(values.replace("my_table-v1--x---comment--input-/etc/passwd-", ""))
    assert values.count("{") == values.count("}")


def test_the_software_is_cited_as_in_citation_cff():
    citation = (ROOT / "CITATION.cff").read_text()
    assert f'title: "{bibliography.TITLE}"' in citation
    assert f'name: "{bibliography.AUTHOR}"' in citation
