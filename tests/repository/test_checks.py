"""Counts, seeds and names: what is out of range is refused in one line that says the range."""

import numpy as np
import pytest
from helpers.samples import GRID, MIXED, random_bench

import jaxnas as jn
from jaxnas import prng
from jaxnas.benchmarks.penalized import objective_of
from jaxnas.checks import checked_seed, checked_size, failure_of, is_file_name
from jaxnas.cli.parser import make_parser
from jaxnas.spaces.decisions import checked

FIRST = jn.random_search(GRID)


class WithoutTextError(Exception):
    def __str__(self) -> str:
        raise KeyError("no text")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("one\ntwo\n" * 10_000), "ValueError: one"),
        (ValueError("x" * 10_000_000), "ValueError: " + "x" * 500),
        (SystemExit(), "SystemExit: no message"),
        (WithoutTextError(), "KeyError: 'no text'"),
    ],
)
def test_failures_of_functions_are_one_short_line(error, text):
    def fails(architecture):
        raise error

    assert failure_of(error) == text
    if isinstance(error, Exception):
        bench = jn.benchmarks.EvaluatorBenchmark(MIXED, fails)
        assert bench.answer(jn.Query(np.asarray([1, 2, 0], np.int32), np.int32(0)), prng.make_key(0)).failure == text


@pytest.mark.parametrize("seed", [2**32, -1, 1.5, float("nan"), 2**63, None, "1"])
def test_seeds_are_whole_numbers_in_range(seed):
    for call in (
        lambda: checked_seed(seed),
        lambda: prng.make_key(seed),
        lambda: jn.simulation.run_key(seed, 0),
        lambda: jn.run(FIRST, random_bench("mixed"), num_trials=1, num_runs=1, seed=seed),
        lambda: jn.NAS(MIXED, evaluator=len, strategy="random_search", seed=seed),
    ):
        with pytest.raises(ValueError, match=r"^Expected a seed that is a whole number from 0 to 4,294,967,295, got"):
            call()


def test_the_largest_seed_is_another_one_than_the_others():
    keys = [np.asarray(prng.jax.random.key_data(prng.make_key(seed, "hash"))) for seed in (0, 1, 2**31, 2**32 - 1)]
    assert len({key.tobytes() for key in keys}) == 4
    assert checked_seed(np.int64(7)) == 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: jn.CellSpace(10**5, ("none", "skip_connect")), "Expected num_nodes of at most 100, which have 4,950"),
        (lambda: jn.CellSpace(3.0, ("none", "skip_connect")), "Expected at least 2 nodes, got 3.0"),
        (lambda: jn.MLPSpace(max_layers=10**9), "Expected max_layers of at most 1,000, whose kernels"),
        (lambda: jn.MLPSpace(max_units=10**9), "Expected max_units of at most 16,384, whose kernels"),
        (
            lambda: jn.MLPSpace(max_layers=100, max_units=4096),
            "Expected layers of at most 268,435,456 weights together",
        ),
        (
            lambda: jn.TrainConfig(num_epochs=10**9),
            "Expected num_epochs of at most 100,000, each of which is a fidelity",
        ),
        (lambda: jn.TrainConfig(batch_size=10**9), "Expected batch_size of at most 1,048,576"),
        (lambda: jn.TrainConfig(num_epochs=1.5), "Expected num_epochs of 1 or more, got 1.5"),
        (
            lambda: jn.run(FIRST, random_bench("mixed"), num_trials=10**9),
            "Expected num_trials of at most 119,304 in 1,000 runs, whose results take up 4 GiB, got 1,000,000,000",
        ),
        (
            lambda: jn.NAS(MIXED, evaluator=len, strategy="random_search").search(10**30),
            "Expected num_trials of at most 10,000,000, all of which are kept in memory",
        ),
        (
            lambda: jn.run(FIRST, random_bench("mixed"), first_run=2**31, num_trials=1),
            "Expected runs of numbers from 0",
        ),
        (lambda: jn.Decision("a", ()), "Expected a decision 'a' with one or more values, got none"),
        (lambda: jn.SearchSpace("s", ()), "Expected one or more decisions of different names, got none"),
        (
            lambda: jn.SearchSpace("s", (jn.Decision("a", (1, 2)), jn.Decision("a", (3, 4)))),
            "Expected one or more decisions of different names, got a, a",
        ),
        (lambda: checked([0, 0.7, 0], MIXED.decisions), "Expected an architecture of integers, got float64"),
        (lambda: MIXED.decode([0, np.nan, 0]), "Expected an architecture of integers, got float64"),
        (
            lambda: objective_of("accuracy-1e400*flops", ["flops"]),
            "Expected weight to be a number of at least 0, got inf",
        ),
        (lambda: checked_size("n", 10**20, 1, 9, "say why"), "Expected n of at most 9, say why, got 100,000,"),
    ],
)
def test_what_no_memory_could_hold_and_what_means_nothing_is_refused(make, message):
    with pytest.raises(ValueError, match=r".") as error:
        make()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "--trials", "9" * 31],
        ["compare", "--trials", "2147483648"],
        ["compare", "--seed", str(2**63)],
        ["compare", "--runs", "9" * 5000],
        ["build", "--space", "nb201", "--task", "digits", "--shard", f"1/{'9' * 5000}"],
        ["build", "--space", "nb201", "--task", "digits", "--id", "../victim"],
        ["build", "--space", "nb201", "--task", "digits", "--id", "a" * 200],
    ],
)
def test_options_out_of_range_are_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        make_parser().parse_args(arguments)
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "xpected " in lines[0]
    assert len(lines[0]) < 400 or "shard" in lines[0]


def test_names_of_files_are_plain():
    assert all(map(is_file_name, ["nb201-mnist5k-v1", "a", "mine_1.0"]))
    assert not any(
        map(is_file_name, ["", ".", "..", "../a", "a/b", "a\\b", "a\n", "é", "-a", "a b", None, 3, "a" * 101])
    )
