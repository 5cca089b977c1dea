"""Tables of trainings whose curves hold a metric, not counts: shards, files, scores, benchmarks and cards."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.samples import SMALL_MLP, make_task

import jaxnas as jn
from jaxnas.report.explorer.explorer import write_explorer
from jaxnas.report.sentences import option_texts
from jaxnas.spaces.recurrent.space import RECURRENT_3
from jaxnas.tables.building import baselines, plan
from jaxnas.tables.building.card import table_card
from jaxnas.tables.building.verification import _same_counts, _similar_counts, _standard_errors
from jaxnas.tables.curves import table_of_curves
from jaxnas.tables.manifest import base_manifest, baselines_of
from jaxnas.tables.table import Table, write
from jaxnas.tasks.named import task_named
from jaxnas.training.config import TrainConfig, config_to_dict
from jaxnas.training.curves import Curves
from jaxnas.training.trainer import Trainer

RANDOM = np.random.RandomState(0)
EPOCHS, SEEDS = (1, 2), (0, 1)


@pytest.fixture(scope="module")
def made():
    """Returns a table of made-up cross entropies of all classes on `hmm`, its curves and its trainer."""
    trainer = Trainer(RECURRENT_3, task_named("hmm"), num_epochs=2)
    representatives, class_of = np.unique(RECURRENT_3.classes(), return_inverse=True)
    shape = (len(representatives), len(SEEDS), len(EPOCHS))
    splits = {name: (1.2 + RANDOM.rand(*shape)).astype(np.float32) for name in ("train", "validation", "test")}
    splits["test"] = splits["test"][..., -1:]
    loss = np.ones(shape, np.float32)
    loss[5, 1, 1] = splits["validation"][5, 1, 1] = np.nan
    first = np.ones(shape[:2], np.float32)
    curves = Curves(**splits, loss=loss, first_loss=first, first_gradient_norm=first)
    manifest = {
        **base_manifest(RECURRENT_3, trainer.task, EPOCHS, SEEDS),
        "training": config_to_dict(trainer.config) | {"test": "last"},
        "licence": "CC0-1.0",
    }
    sizes = {"num_parameters": np.ones(len(representatives)), "num_flops": np.ones(len(representatives))}
    examples = dict.fromkeys(("train", "validation", "test"), 1000)
    trained = np.ones(len(representatives), bool)
    table = table_of_curves(manifest, class_of, representatives, sizes, curves._asdict(), trained, examples)
    return table, curves, trainer


def test_a_table_keeps_the_metric_and_a_benchmark_maximizes_its_negative(made, tmp_path):
    table, curves, trainer = made
    written = write(table, tmp_path, table_card(table, trainer.task, "recurrent-3", "hmm", None))
    read = Table.read(tmp_path)
    assert read.metric == jn.tasks.Metric("cross entropy", "nats", -1)
    assert read.column("validation").denominator is None
    np.testing.assert_array_equal(read.scores("validation"), curves.validation)
    assert read.manifest["content_hash"] == written.manifest["content_hash"]
    bench = jn.TableBenchmark(read)
    assert bench.held_out.optimum == pytest.approx(-np.nanmin(curves.test[..., -1].mean(1)), rel=1e-6)
    observed = bench.query(jn.Query(RECURRENT_3.arch_at(0), 1, 0), jn.simulation.run_key(0, 0))
    assert observed.score == -curves.validation[table.class_of[0], 0, 1]


def test_the_card_names_the_metric_and_the_optimizer(made):
    table, _, trainer = made
    card = table_card(table, trainer.task, "recurrent-3", "hmm", None)
    for text in (
        "Validation cross entropy of",
        "Adam, decay of the mean of gradients 0.9",
        "norm of at most 1.0",
        "gate False",
    ):
        assert text in card
    for text in ("accuracy", "correctly", "SGD"):
        assert text not in card


def test_shards_hold_either_counts_or_a_metric(made, tmp_path):
    _, curves, _ = made
    chunk = plan.Chunk("one", tuple(range(len(curves.train))))
    (tmp_path / "shards").mkdir()
    plan.shard_path(tmp_path, chunk).write_bytes(plan.shard_bytes(chunk, curves))
    found = plan.read_shard(tmp_path, chunk, (2, 2, 1))
    np.testing.assert_array_equal(found["validation"], curves.validation)


def test_trainings_are_compared_by_their_metric_failures_included(made):
    _, curves, _ = made
    assert _same_counts(curves, curves).passed
    other = curves._replace(test=curves.test + np.float32(1e-6))
    assert not _same_counts(other, curves).passed
    assert _similar_counts(other, curves).passed
    worse = curves._replace(validation=curves.validation + np.float32(0.2))
    assert not _similar_counts(worse, curves).passed
    assert np.isfinite(_standard_errors(worse.validation, curves.validation))


def test_a_card_of_counts_by_sgd_says_so():
    table = Table.read("nb201-shifted-digits-v1")
    table = replace(table, manifest=table.manifest | {"training": config_to_dict(TrainConfig())})
    card = table_card(table, task_named("shifted-digits"), "nb201", "shifted-digits", None)
    assert "SGD, Nesterov momentum 0.9, learning rate 0.2" in card
    assert "correctly classified examples" in card
    assert "norm of at most" not in card


def test_lines_to_beat_are_means_over_seeds_in_card_explorer_and_page(made, tmp_path, monkeypatch):
    """Of made-up trainings of three cells: one of tanh failed, all of the LSTM."""
    table, _, trainer = made
    values = np.asarray([[[1.5], [1.7]], [[1.25], [1.35]], [[1.0], [1.0]]], np.float32)
    loss = np.asarray([[[1.0], [np.nan]], [[1.0], [1.0]], [[np.nan], [np.nan]]], np.float32)
    curves = Curves(values, values - 0.125, values, loss, loss[..., 0], loss[..., 0])
    monkeypatch.setattr(Trainer, "curves", lambda self, archs, seeds: curves)
    found = baselines.baseline_scores(trainer, SEEDS)
    assert {name: (each["validation"], each["test"]) for name, each in found.items()} == {
        "tanh": (1.375, 1.5),
        "gru": (1.175, 1.3),
    }
    assert found["tanh"]["num_parameters"] < found["gru"]["num_parameters"]
    assert baselines.baseline_scores(Trainer(SMALL_MLP, make_task()), SEEDS) == {}

    manifest = table.manifest | {"references": found}
    with_lines = replace(table, manifest=manifest)
    card = table_card(with_lines, trainer.task, "recurrent-3", "hmm", None)
    assert "## Baselines" in card
    assert "| gru | 1.1750 | 1.3000 |" in card
    assert "## Baselines" not in table_card(table, trainer.task, "recurrent-3", "hmm", None)
    write(with_lines, tmp_path, card)
    assert baselines_of(Table.read(tmp_path).manifest)["gru"] == {"validation": -1.175, "test": -1.3}
    text = "gru 1.3 nats, tanh 1.5 nats (mean test cross entropy)"
    assert text in write_explorer(Table.read(tmp_path), RECURRENT_3, tmp_path / "page.html").read_text()
    lines = option_texts({"references": baselines_of(manifest), "metric": manifest["metric"]})
    assert text in lines[0]
