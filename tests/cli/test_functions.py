"""Each command is a function of the same arguments: what one prints or writes, the other returns."""

import json
from pathlib import Path

import numpy as np
import pytest

import jaxnas as jn
from experiments.robustness import made_files
from jaxnas.cli.main import main
from jaxnas.cli.parser import COMMANDS
from jaxnas.report.comparison_files import write_again

TABLE, ARCH = "nb201-mnist5k-v1", "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
FUNCTIONS = {
    "compare": jn.compare,
    "search": jn.NAS.search,
    "oneshot": jn.OneShot.search,
    "build": jn.build,
    "proxies": jn.proxies.build_pack,
    "import": jn.benchmarks.import_table,
    "predict": jn.predict,
    "fit-surrogate": jn.analysis.fit_surrogate,
    "fresh": jn.sessions.fresh,
    "serve": jn.Session,
    "verify": jn.verify,
    "explore": jn.explore,
    "show": jn.show,
    "reproduce": jn.reproduce,
    "report": write_again,
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_command_but_the_list_has_a_function():
    assert {*COMMANDS} - {"list"} == {*FUNCTIONS}
    assert all(function.__doc__ for function in FUNCTIONS.values())
    page = Path(__file__).parents[2] / "docs/how_it_works.md"
    assert [name for name in COMMANDS if f"| `{name}" not in page.read_text()] == []


def test_show(capsys):
    assert main(["show", ARCH, "--space", "nb201"]) == 0
    assert capsys.readouterr().out == jn.show(ARCH, jn.NB201) + "\n"
    assert jn.show(12, "nb201", task="digits", out="cell.svg").startswith("architecture")
    assert Path("cell.svg").is_file()


def test_verify(capsys):
    assert main(["verify", TABLE]) == 0
    assert [f"passed: {check.text}" for check in jn.verify(TABLE)] == capsys.readouterr().out.splitlines()


def test_explore(capsys):
    assert main(["explore", "mlp-small-shifted-digits-v1"]) == 0
    page = Path("jaxnas-out/explore-mlp-small-shifted-digits-v1.html")
    assert capsys.readouterr().out == f"Explorer: {page}\n"
    written = page.read_text()
    assert jn.explore("mlp-small-shifted-digits-v1", command="jaxnas explore mlp-small-shifted-digits-v1") == page
    assert page.read_text() == written


def test_import(capsys):
    path = made_files.macro(Path("nas-bench-macro_cifar10.json"))
    assert main(["import", "nb-macro", str(path)]) == 0
    folder = Path("jaxnas-out/import-nb-macro-cifar10")
    written = (folder / "manifest.json").read_text()
    assert jn.import_table("nb-macro", path) == [folder]
    assert (folder / "manifest.json").read_text() == written


def test_reproduce(capsys):
    assert main(["reproduce", "nb201_tables", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-2])
    found = jn.reproduce("nb201_tables")
    assert [figure.as_dict() for figure in found.figures["nb201_tables"]] == printed["nb201_tables"]
    assert found.page == Path("jaxnas-out/reproduce-nb201_tables/reproduction.html")


def test_predict(capsys):
    options = ["--predictors", "knn", "--train", "10", "--repetitions", "2", "--test", "20"]
    assert main(["predict", "recurrent-3-digits-rows-v1", *options, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = jn.predict("recurrent-3-digits-rows-v1", "knn", train=[10], repetitions=2, test=20)
    assert printed | {"command": ""} == json.loads(json.dumps(found))


def test_fit_surrogate_and_load(capsys):
    options = ["--predictor", "knn", "--runs", "0", "--fraction", "0.5"]
    assert main(["fit-surrogate", "recurrent-3-digits-rows-v1", *options, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    folder = Path("jaxnas-out/fit-surrogate-recurrent-3-digits-rows-surrogate-v1")
    read = jn.load(folder)
    assert isinstance(read, jn.benchmarks.SurrogateBenchmark)
    found = jn.fit_surrogate("recurrent-3-digits-rows-v1", predictor="knn", runs=0, fraction=0.5)
    assert (found.report, found.folder) == (printed, folder)
    assert read.content_hash == jn.load(folder).content_hash
    with pytest.raises(ValueError, match=r"^Expected no noise, protocol or columns with a surrogate"):
        jn.load(folder, protocol="default")


def test_compare_writes_to_a_folder_named_after_its_table():
    options = ["--strategies", "random_search", "--runs", "3", "--trials", "5", "--quiet"]
    assert main(["compare", "--benchmark", "recurrent-3-digits-rows-v1", *options]) == 0
    summary = json.loads(Path("jaxnas-out/compare-recurrent-3-digits-rows-v1/summary.json").read_text())
    bench = jn.load("recurrent-3-digits-rows-v1")
    found = jn.compare("random_search", bench, num_runs=3, num_trials=5).result()
    regrets = summary["strategies"]["random_search"]["regret_mean"]
    np.testing.assert_array_equal(found["strategies"]["random_search"]["regret_mean"], regrets)
