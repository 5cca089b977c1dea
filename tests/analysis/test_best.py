"""The best cells of a table, against a plain count."""

import numpy as np
from helpers.samples import SMALL

import jaxnas as jn
from jaxnas.analysis.best import NUM_CELLS, best_cells
from jaxnas.simulation.trials import Trials
from jaxnas.strategies.base import Observation, Query


def test_best_cells_are_the_best_classes_and_count_the_runs_that_ended_on_them():
    random = np.random.RandomState(0)
    scores = random.uniform(0.2, 0.9, (2, SMALL.num_architectures, 2, 1)).astype(np.float32)
    bench = jn.TableBenchmark(jn.Table.from_arrays(SMALL, "noise", *scores, [1]), space=SMALL)
    archs = random.randint(0, 5, (50, 20, 3)).astype(np.int32)
    told = random.rand(50, 20).astype(np.float32)
    told[0] = np.nan
    zeros = np.zeros((50, 20), np.int32)
    trials = Trials(Query(archs, zeros), Observation(told, np.ones_like(told), zeros))
    cells = best_cells({"search": trials}, bench)
    means = scores.mean(axis=2)[..., 0]
    best = np.argsort(-means[0])[:NUM_CELLS]
    assert [cell["row"] for cell in cells] == best.tolist()
    last = [archs[run, np.argmax(told[run])] @ (25, 5, 1) for run in range(1, 50)]
    for cell in cells:
        np.testing.assert_allclose([cell["validation"], cell["test"]], means[:, cell["row"]], rtol=1e-6)
        assert cell["found_by"]["search"] == last.count(cell["row"]) / 50
        assert SMALL.index(SMALL.from_str(cell["architecture"])) == cell["row"]
        assert cell["drawing"].startswith("<svg")
        assert "parameters" not in cell


def test_cells_are_ranked_by_a_weighted_objective():
    sizes = np.arange(SMALL.num_architectures, 0, -1)
    scores = np.linspace(0.1, 0.9, SMALL.num_architectures)[:, None, None]
    columns = {"num_parameters": (sizes, "parameters"), "num_flops": (sizes, "multiply-accumulates")}
    table = jn.Table.from_arrays(SMALL, "line", scores, scores, [1], columns=columns)
    bench = jn.penalized(jn.TableBenchmark(table, space=SMALL), 1.0)
    zeros = np.zeros((2, 1), np.int32)
    trials = Trials(Query(zeros[..., None] + 124, zeros), Observation(zeros.astype(np.float32), zeros + 1, zeros))
    best = best_cells({"search": trials}, bench)[0]
    assert (best["row"], best["parameters"], best["found_by"]) == (124, 1, {"search": 1.0})
