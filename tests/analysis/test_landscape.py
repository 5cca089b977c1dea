"""The landscape: plain references on small graphs, functions with a known landscape, the published count of optima."""

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import final

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import MIXED, SMALL
from scipy.sparse.csgraph import shortest_path
from scipy.stats import spearmanr

import jaxnas as jn
from jaxnas.analysis import landscape as of
from jaxnas.spaces.base import Decision, Space
from jaxnas.spaces.search_space import SearchSpace
from jaxnas.tables.columns import Column, run_counts

CUBE = SearchSpace("cube", tuple(Decision(name, range(4)) for name in "abc"))
ARCHS = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def make_table(space, scores, seed_noise=0.0, num_seeds=2) -> jn.Table:
    """Returns a table of these validation scores [A], which the seeds scatter around; test is the same plus 0.01."""
    noise = seed_noise * np.random.RandomState(0).randn(len(scores), num_seeds, 1)
    values = np.repeat(np.asarray(scores, float)[:, None, None], num_seeds, axis=1) + noise
    values = np.concatenate([values / 2, values], axis=2)
    return jn.Table.from_arrays(space, "known", values, values + 0.01, [1, 2], metric=jn.tasks.Metric("height", ""))


def random_graph(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the neighbors of a random symmetric graph, own rows last, and the numbers of neighbors."""
    upper = np.triu(np.random.RandomState(seed).rand(size, size) < 2.5 / size, 1)
    linked = upper | upper.T
    degrees = linked.sum(1)
    neighbors = np.repeat(np.arange(size)[:, None], degrees.max() + 1, axis=1)
    for row in range(size):
        neighbors[row, : degrees[row]] = np.flatnonzero(linked[row])
    return neighbors, degrees


def plateau_of(row: int, scores, neighbors) -> list[int]:
    found, waiting = {row}, [row]
    while waiting:
        more = [each for each in neighbors[waiting.pop()] if scores[each] == scores[row] and each not in found]
        found.update(more)
        waiting += more
    return sorted(found)


def summit_of(row: int, scores, neighbors) -> int:
    """Returns where ascent ends, one step at a time."""

    def best(rows):
        return max((each for one in rows for each in neighbors[one]), key=lambda each: scores[each])

    while True:
        plateau = plateau_of(row, scores, neighbors)
        upward = [each for each in (best([row]), best(plateau)) if scores[each] > scores[row]]
        if not upward:
            return plateau[0]
        row = upward[0]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("num_levels", [3, 10, 10_000])
def test_summits_are_where_a_climb_step_by_step_ends(seed, num_levels):
    neighbors, _ = random_graph(60, seed)
    scores = np.random.RandomState(seed).randint(0, num_levels, 60).astype(float)
    assert of.summits(scores, neighbors).tolist() == [summit_of(row, scores, neighbors) for row in range(60)]


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_shortest_paths(seed):
    neighbors, _ = random_graph(60, seed)
    linked = np.zeros((60, 60))
    linked[np.arange(60)[:, None], neighbors] = 1
    wanted = shortest_path(linked, unweighted=True)[:, [3, 5]].min(1)
    assert of.distances(neighbors, np.asarray([3, 5])).tolist() == np.where(np.isinf(wanted), -1, wanted).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_autocorrelation_is_that_of_long_walks(seed):
    neighbors, degrees = random_graph(12, seed)
    scores = np.random.RandomState(seed).rand(12)
    step = np.zeros((12, 12))
    for row in range(12):
        for each in neighbors[row, : degrees[row]]:
            step[row, each] += 1 / degrees[row]
    weights = degrees / degrees.sum()
    pairs = [weights[:, None] * np.linalg.matrix_power(step, lag) for lag in range(5)]
    centered = scores - weights @ scores
    wanted = [centered @ each @ centered / (weights @ centered**2) for each in pairs]
    assert of.walk_autocorrelation(scores, neighbors, degrees, 4) == pytest.approx(wanted)


def test_an_additive_function_has_main_effects_only_and_a_known_autocorrelation():
    parts = np.random.RandomState(0).rand(3, 4)
    found = of.landscape(make_table(CUBE, sum(parts[axis][ARCHS[:, axis]] for axis in range(3))))
    effects = found["effects"]
    variances = parts.var(axis=1)
    for axis, decision in enumerate(effects["decisions"]):
        assert decision["name"] == "abc"[axis]
        assert decision["share"] == pytest.approx(variances[axis] / variances.sum(), abs=1e-6)
        means = [value["mean"] for value in decision["values"]]
        assert means == pytest.approx(parts[axis] - parts[axis].mean(), abs=1e-6)
        assert [value["value"] for value in decision["values"]] == ["0", "1", "2", "3"]
    assert [pair["share"] for pair in effects["interactions"]] == pytest.approx([0, 0, 0], abs=1e-9)
    assert effects["higher_order_share"] == pytest.approx(0, abs=1e-9)
    # A move draws one of three decisions and another of its four values: a part keeps 2/3 - 1/3 * 1/3 of itself.
    assert found["autocorrelation"]["values"][:3] == pytest.approx([1, 5 / 9, 25 / 81])
    assert found["autocorrelation"]["correlation_length"] == pytest.approx(-1 / np.log(5 / 9))
    assert found["optima"]["num_local"] == 1


def test_a_product_of_two_decisions_is_an_interaction_and_one_of_three_is_of_higher_order():
    signs = 2 * (ARCHS % 2) - 1
    effects = of.landscape(make_table(CUBE, signs[:, 0] * signs[:, 2]))["effects"]
    assert effects["interactions"][0] == {"first": "a", "second": "c", "share": pytest.approx(1)}
    assert effects["higher_order_share"] == pytest.approx(0, abs=1e-9)
    effects = of.landscape(make_table(CUBE, signs.prod(axis=1)))["effects"]
    assert sum(each["share"] for each in effects["decisions"] + effects["interactions"]) == pytest.approx(0, abs=1e-9)
    assert effects["higher_order_share"] == pytest.approx(1)


def test_a_function_of_the_distance_to_one_peak_has_one_optimum_and_correlates_perfectly():
    far = (np.asarray([2, 0, 3]) != ARCHS).sum(1)
    found = of.landscape(make_table(CUBE, 0.9 - 0.1 * far))
    assert found["optima"] == {
        "num_local": 1,
        "num_without_better_neighbor": 1,
        "num_global_found_by": 1.0,
        "best": [
            {
                "architecture": "2-0-3",
                "row": 35,
                "validation": pytest.approx(0.9),
                "test": pytest.approx(0.91),
                "basin_share": 1.0,
            }
        ],
    }
    distance = found["fitness_distance"]
    assert distance["correlation"] == pytest.approx(-1)
    assert distance["distances"] == [0, 1, 2, 3]
    assert distance["means"] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert distance["counts"] == [1, 9, 27, 27]


def table_of_counts(counts) -> jn.Table:
    """Returns a table of SMALL by classes, of counts of 1,009 images [G, S, 1]."""
    representatives, class_of = np.unique(SMALL.classes(), return_inverse=True)
    manifest = jn.Table.from_arrays(SMALL, "known", *np.zeros((2, 125, 3, 1)), [1]).manifest
    column = Column(counts, ("class", "run", "fidelity"), "count", 1, denominator=1009)
    columns = {"validation": column, "test": column}
    return jn.Table(manifest, {}, class_of.astype(np.int32), columns, representatives.astype(np.int32))


def counts_of_small() -> np.ndarray:
    """Returns counts that the largest class is the best by."""
    classes, sizes = np.unique(SMALL.classes(), return_counts=True)
    counts = np.random.RandomState(1).randint(0, 990, (len(classes), 3, 1))
    counts[sizes.argmax()] = [[996], [997], [999]]
    return counts


@final
@dataclass(frozen=True)
class Chain(Space):
    """A space of five architectures in a row, with one neighbor at the ends, whose rows beyond repeat them."""

    name: str = "chain"
    decisions: tuple[Decision, ...] = (Decision("place", range(5)),)

    def moves(self, arch):
        return jnp.clip(jnp.stack([arch - 1, arch + 1]), 0, 4)


def test_numbers_of_neighbors_may_differ():
    found = of.landscape(jn.TableBenchmark(make_table(Chain(), [0.1, 0.3, 0.2, 0.5, 0.4]), space=Chain()))
    assert [(each["row"], each["basin_share"]) for each in found["optima"]["best"]] == [(3, 0.6), (1, 0.4)]
    assert found["optima"]["num_global_found_by"] == 0.6
    assert found["fitness_distance"]["counts"] == [1, 2, 1, 1]
    # Ends weigh half as much as the others: the mean is 0.3125, a move from an end goes to its one neighbor.
    scores, weights = np.asarray([0.1, 0.3, 0.2, 0.5, 0.4]) - 0.3125, np.asarray([1, 2, 2, 2, 1]) / 8
    ahead = np.asarray([scores[1], *(scores[:-2] + scores[2:]) / 2, scores[3]])
    wanted = (weights * scores * ahead).sum() / (weights * scores**2).sum()
    assert found["autocorrelation"]["values"][1] == pytest.approx(wanted, abs=1e-5)


def test_neighbors_of_one_class_are_one_optimum():
    classes = SMALL.classes()
    found = of.landscape(jn.TableBenchmark(table_of_counts(counts_of_small()), space=SMALL))
    top = found["optima"]["best"][0]
    members = np.flatnonzero(classes == classes[top["row"]])
    assert len(members) == np.unique(classes, return_counts=True)[1].max()
    assert top["validation"] == pytest.approx((996 + 997 + 999) / 3 / 1009)
    neighbors = np.stack([SMALL.index(SMALL.neighbors(SMALL.arch_at(row))) for row in range(125)])
    connected = plateau_of(top["row"], classes, neighbors)
    assert len(connected) > 1
    assert found["optima"]["num_local"] <= found["optima"]["num_without_better_neighbor"] - len(connected) + 1
    assert found["neutrality"]["share_equal_class"] == pytest.approx((classes[neighbors] == classes[:, None]).mean())


def test_scores_are_those_that_regrets_rank_by():
    bench = jn.TableBenchmark(table_of_counts(counts_of_small()), space=SMALL)
    found = of.landscape(bench)
    assert found["optima"]["best"][0]["validation"] == bench.validation_scores(rows_of(bench)).max()
    assert found["optima"]["best"][0]["test"] == bench.held_out.optimum


def test_noise_is_that_of_the_seeds():
    scores = np.random.RandomState(2).normal(0, 0.1, 64)
    found = of.landscape(make_table(CUBE, scores, seed_noise=0.05, num_seeds=40))
    assert found["noise"]["seed_std"] == pytest.approx(0.05, rel=0.05)
    assert found["noise"]["architecture_std"] == pytest.approx(scores.std(), rel=0.1)
    assert found["noise"]["intraclass_correlation"] == pytest.approx(0.8, abs=0.06)
    means = np.asarray([found["neutrality"]["share_within_noise"], found["neutrality"]["share_equal_class"]])
    # Differences of neighbors have deviation 0.1 * sqrt(2), a standard error is 0.05 / sqrt(40).
    assert means == pytest.approx([0.045, 0], abs=0.03)


@pytest.mark.parametrize(
    ("space", "scores"),
    [
        (MIXED, np.full(12, 0.5)),
        (SearchSpace("one", (Decision("only", (1,)),)), np.asarray([0.5])),
        (MIXED, np.where(np.arange(12) % 3, np.arange(12) / 12, np.nan)),
        (MIXED.enumerated(), np.arange(12) / 12),
    ],
)
def test_any_complete_table_has_a_landscape_in_json(space, scores):
    table = make_table(space, scores, num_seeds=1)
    found = of.landscape(jn.TableBenchmark(table, space=space))
    assert found == json.loads(json.dumps(found, allow_nan=False))
    assert found["noise"] is None
    assert found["neutrality"]["share_within_noise"] is None
    assert sum(found["scores"]["validation"]["counts"]) == len(scores)
    assert found["optima"]["num_global_found_by"] > 0
    assert found["sizes"] == {"parameters": None, "flops": None}


def test_failed_architectures_are_the_worst():
    scores = np.where(np.arange(12) % 3, 0.3 + np.arange(12) / 100, np.nan)
    found = of.mean_scores(jn.TableBenchmark(make_table(MIXED, scores)))[:, -1]
    assert found[::3] == pytest.approx(0.31)
    assert found[11] == pytest.approx(0.41)


def test_an_incomplete_table_has_none():
    table = make_table(MIXED, np.arange(12) / 12)
    with pytest.raises(ValueError, match="Expected a complete table"):
        of.landscape(table.with_columns({"num_runs": run_counts(2 * (np.arange(12) > 0), None)}))


def test_scores_of_a_weighted_benchmark_are_less_the_size():
    plain = jn.load("nb201-mnist5k-v1")
    bench = jn.penalized(plain, 1e-5)
    wanted = (
        bench.table.scores("validation")[:, :, -1].mean(axis=1) - 1e-5 * bench.table.columns["num_parameters"].values
    )
    assert of.mean_scores(bench)[:, -1] == pytest.approx(wanted, abs=1e-6)
    found, unweighted = of.landscape(bench), of.landscape(plain)
    assert found["optima"]["best"][0]["validation"] == pytest.approx(wanted.max(), abs=1e-6)
    assert found["noise"]["seed_std"] == pytest.approx(unweighted["noise"]["seed_std"], rel=1e-6)
    assert found["noise"]["architecture_std"] != pytest.approx(unweighted["noise"]["architecture_std"], rel=1e-2)


def test_without_a_table_there_is_none():
    bench = jn.benchmarks.FunctionBenchmark(MIXED, lambda arch: arch.sum(), id="a-sum")
    with pytest.raises(ValueError, match=r"^Expected a benchmark with a table, got a-sum without"):
        of.landscape(bench)


def test_the_landscape_of_the_shipped_table_fits_together():
    bench = jn.load("nb201-mnist5k-v1")
    found = of.landscape(bench)
    assert found["num_architectures"] == sum(found["fitness_distance"]["counts"]) == 15_625
    assert found["optima"]["best"][0]["test"] <= bench.held_out.optimum
    assert found["fidelities"]["values"] == list(bench.fidelities)
    assert found["fidelities"]["spearman_with_last"][-1] == pytest.approx(1)
    effects = found["effects"]
    shares = [each["share"] for each in effects["decisions"] + effects["interactions"]]
    assert sum(shares) + effects["higher_order_share"] == pytest.approx(1)
    assert len(effects["interactions"]) == 15
    wanted = spearmanr(bench.validation_scores(rows_of(bench)), bench.sizes("flops", rows_of(bench))).statistic
    assert found["sizes"]["flops"] == pytest.approx(wanted, abs=1e-3)


def rows_of(bench) -> np.ndarray:
    return np.arange(bench.space.num_architectures)[:, None]


def test_optima_of_the_published_table_are_counted_as_published():
    folder = os.environ.get("JAXNAS_CHECK_DATA")
    if not folder:
        pytest.skip("JAXNAS_CHECK_DATA is not set: no official data to compare with")
    import pandas as pd

    official = pd.read_parquet(Path(folder) / "nasbench201_cifar10.parquet").set_index("arch_str")
    cells = itertools.product([operation.name for operation in jn.NB201.operations], repeat=6)
    official = official.loc[["|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*cell) for cell in cells]]
    columns = [official[name].to_numpy()[:, None, None] / 100 for name in ("val_acc_200", "test_acc_200")]
    # Architectures without a better neighbor: 13 on validation, 18 on test, where two of them are equal neighbors.
    for scores, num_local, num_without_better in ((columns, 13, 13), (columns[::-1], 17, 18)):
        found = of.landscape(jn.Table.from_arrays(jn.NB201, "cifar10", *scores, [200]))["optima"]
        assert (found["num_local"], found["num_without_better_neighbor"]) == (num_local, num_without_better)
        assert found["best"][0]["validation"] == pytest.approx(scores[0].max())
