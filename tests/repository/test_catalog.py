"""Names of the catalog, and of files of users: found, checked, and loaded again when a file has changed."""

import os

import pytest

from jaxnas import catalog
from jaxnas.spaces.named import checked_space
from jaxnas.strategies.named import strategy_named


@pytest.mark.parametrize("kind", ["SPACES", "TASKS", "STRATEGIES", "PROXIES", "PREDICTORS", "ONE_SHOT", "IMPORTERS"])
def test_every_name_leads_to_an_object_with_a_docstring(kind):
    known = getattr(catalog, kind)
    for name in known:
        assert catalog.find(name, known).__doc__, name


def test_references_are_those_of_the_module():
    from jaxnas.strategies import bananas

    assert catalog.cites("bananas", catalog.STRATEGIES) == bananas.CITES


def test_a_file_is_loaded_once_and_again_when_it_has_changed(tmp_path):
    path = tmp_path / "mine.py"
    for number in (1, 2):
        path.write_text(f"def search_{number}(space):\n    return {number}\n")
        os.utime(path, (number, number))
        found = strategy_named(f"{path}:search_{number}")
        assert found(None) == number
        assert strategy_named(f"{path}:search_{number}") is found
    with pytest.raises(ValueError, match=r"^Did you mean search_2\? Expected a name in .*, got 'search_1'"):
        strategy_named(f"{path}:search_1")


def test_a_file_that_fails_says_why_and_can_be_mended(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("1 / 0\n")
    with pytest.raises(ValueError, match="cannot be imported, ZeroDivisionError: division by zero"):
        strategy_named(f"{path}:search")
    path.write_text("def search(space):\n    return space\n")
    assert strategy_named(f"{path}:search")(3) == 3


def test_wrong_kinds_are_named():
    with pytest.raises(ValueError, match=r"^Did you mean nsga2.*Expected a strategy of .*, got 'nsga3'"):
        strategy_named("nsga3")
    with pytest.raises(ValueError, match=r"to be a search space, got int without decisions"):
        checked_space(3)
