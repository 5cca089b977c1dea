"""What notebooks show of spaces, tasks, tables, architectures and comparisons is HTML that parses, with their facts."""

from xml.etree import ElementTree

import numpy as np
import pytest

import jaxnas as jn
from jaxnas.notebook import fact_table
from jaxnas.spaces.named import space_named
from jaxnas.tasks.named import task_named


def facts_of(html: str) -> dict[str, str]:
    """Returns the facts of a table, by name."""
    rows = ElementTree.fromstring(html).iter("tr")
    return {row.findtext("th"): row.findtext("td") for row in rows}


def test_text_of_others_is_no_markup_and_empty_facts_are_skipped():
    html = fact_table("<b>", {"<i>": "</td><script>", "nothing": None, "empty": "", "zero": 0})
    assert facts_of(html) == {"<i>": "</td><script>", "zero": "0"}


@pytest.mark.parametrize("name", ["nb201", "mlp-small", "recurrent-3", "darts"])
def test_a_space_shows_its_decisions(name):
    space = space_named(name)
    facts = facts_of(space._repr_html_())
    assert list(facts) == [decision.name for decision in space.decisions]
    assert facts[space.decisions[0].name].startswith(str(space.decisions[0].values[0]))


def test_a_task_shows_its_classes_and_the_simplest_baseline():
    features, labels = np.arange(180, dtype=np.float32).reshape(90, 2), np.array(["cat"] * 60 + ["dog"] * 30)
    facts = facts_of(jn.tasks.task_from_arrays(features, labels, name="pets")._repr_html_())
    assert facts["inputs"] == "vectors, 2"
    assert "cat: " in facts["training examples a class"]
    assert float(facts["test accuracy of the most frequent class"]) == pytest.approx(2 / 3, abs=0.06)


def test_tasks_without_classes_show_their_goal():
    targets = np.linspace(0, 1, 80)
    task = jn.tasks.task_from_arrays(targets[:, None], targets, goal="value", name="line")
    assert facts_of(task._repr_html_())["goal"] == "value"
    assert facts_of(task_named("spoken-digits")._repr_html_())["inputs"].startswith("sequences")


@pytest.mark.parametrize("name", ["nb201-cifar10-v1", "mlp-small-shifted-digits-v1"])
def test_a_table_shows_its_facts(name):
    bench = jn.load(name)
    facts = facts_of(bench._repr_html_())
    assert facts["content hash"] == bench.content_hash
    assert facts["different networks"] == f"{len(bench.table.representatives):,}"


def test_a_pack_has_no_scores_to_show():
    pack = jn.Table.read("nb201-mnist5k-proxies-v2")
    assert "runs of each" not in facts_of(pack._repr_html_())


def test_an_architecture_is_drawn():
    arch = jn.NB201.arch_at(7)
    found = jn.show(arch, jn.NB201)
    assert found == jn.show(7, jn.NB201) == jn.show(jn.NB201.to_str(arch), "nb201")
    assert jn.NB201.drawing(arch) in found._repr_html_()


def test_a_comparison_shows_table_curves_and_page():
    comparison = jn.compare("random_search,local_search", "nb201-cifar10-v1", num_trials=20, num_runs=10)
    shown = comparison._repr_html_()
    assert "local_search" in shown
    assert "<svg" in shown
    page = comparison.page()
    assert page.html.lower().startswith("<!doctype html>")
    assert 'srcdoc="&lt;' in page._repr_html_()
