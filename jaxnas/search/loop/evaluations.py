"""The answers of a search: in turn, or of several workers at once, noted in the journal in the order they come in."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import jax
import numpy as np

from jaxnas import catalog
from jaxnas.benchmarks.base import HostBenchmark, Outcome, Shareable
from jaxnas.benchmarks.penalized import Penalized
from jaxnas.execution.base import Ended, Workers
from jaxnas.search.loop.journaled import Journaled
from jaxnas.search.loop.parallel_ask_tell import ParallelAskTell
from jaxnas.simulation.ask_tell import AskTell
from jaxnas.spaces.base import checked
from jaxnas.strategies.base import Query, Strategy, make, observed
from jaxnas.strategies.named import strategy_named


def check_parallel(strategy: Strategy, bench: HostBenchmark, num_workers: int) -> None:
    """Raises ValueError if a strategy has to observe each result before it is asked again, naming others."""
    if num_workers > 1 and not strategy.parallel:
        known = ", ".join(name for name in catalog.STRATEGIES if _is_parallel(name, bench))
        raise ValueError(
            f"Expected a strategy that can be asked again before it is told, for {num_workers} workers, such as "
            f"{known}, got {strategy.name}."
        )


def _is_parallel(name: str, bench: HostBenchmark) -> bool:
    try:
        return make(strategy_named(name), bench).parallel
    except ValueError:  # it needs sizes, say, that the benchmark does not know
        return False


def answers_in_turn(
    loop: AskTell, bench: HostBenchmark, num_trials: int, may_begin: Callable[[], bool]
) -> Iterator[Outcome]:
    """Yields the outcomes of the trials of a search, each of which ends before the next one begins."""
    while loop.num_told < num_trials and may_begin():
        query = loop.ask()
        checked(query.arch, bench.space.decisions)
        outcome = bench.answer(query, loop.query_key())
        loop.tell(outcome.observation)
        yield outcome


def answered(bench: Shareable, kind: str, *arguments: Any) -> Any:
    """Returns the reply of a copy of a benchmark.

    To `"answer"`, of a resolved query: its outcome, and the part that other copies may learn. To `"fresh"`: the score.
    """
    if kind == "fresh":
        return bench.fresh_score(*arguments)
    (query,) = arguments
    outcome = bench.answer(query, jax.random.key(0))  # the query names its run: nothing is drawn
    return outcome, bench.learned(query)


def parallel_answers(
    loop: ParallelAskTell,
    bench: HostBenchmark,
    shared: Shareable,
    workers: Workers,
    num_workers: int,
    num_trials: int,
    may_begin: Callable[[], bool],
) -> Iterator[Outcome]:
    """Yields the outcomes of the trials of a search, in the order in which its strategy observes them.

    Outcomes in the journal come first, each when as many queries run as then did; queries that ran when
    the journal ended are asked again.

    Args:
        loop: of the strategy; it observes all that is yielded.
        bench: `shared`, as `journaled` and `penalized` wrap it.
        shared: the benchmark whose copies the workers have.
        workers: they call `answered`.
        may_begin: whether another trial may begin; those that run are awaited regardless.
    """
    penalty, journal = _layers(bench)
    sent: dict[int, Query] = {}
    beginning = True
    while True:
        while beginning and loop.num_asked < num_trials and len(loop.running) < num_workers:
            beginning = may_begin()
            if beginning:
                _, query = loop.ask()
                checked(query.arch, loop.space.decisions)
        if not loop.running:
            return
        recalled = None if journal is None else journal.recalled(loop.running)
        if recalled is None:
            number, outcome = _next_answer(loop, shared, workers, sent)
            if journal is not None:
                journal.note(number, loop.running[number], outcome)
        else:
            number, outcome = recalled
        if penalty is not None:
            outcome = penalty.less_penalty(loop.running[number], outcome)
        loop.tell(number, outcome.observation)
        yield outcome


def _layers(bench: HostBenchmark) -> tuple[Penalized | None, Journaled | None]:
    penalty = bench if isinstance(bench, Penalized) else None
    inner = bench if penalty is None else cast(HostBenchmark, penalty.bench)
    return penalty, inner if isinstance(inner, Journaled) else None


def _next_answer(
    loop: ParallelAskTell, bench: Shareable, workers: Workers, sent: dict[int, Query]
) -> tuple[int, Outcome]:
    """Returns the number and the outcome of the first trial to be answered, after sending those that were not."""
    for number, query in loop.running.items():
        if number not in sent:
            resolved = bench.resolved(query, loop.query_key(number))
            if bench.knows(resolved):
                return number, bench.answer(resolved, loop.query_key(number))
            sent[number] = resolved
            workers.begin(number, "answer", resolved)
    number, ended = _first(workers)
    return number, _outcome_of(bench, sent.pop(number), ended)


def _first(workers: Workers) -> tuple[Any, Ended]:
    """Returns the name of the first call to end, and its end."""
    found = workers.first()
    assert found is not None
    return found


def _outcome_of(bench: Shareable, query: Query, ended: Ended) -> Outcome:
    """Returns the outcome of a resolved query, after the benchmark has learned of it."""
    if not ended.failure:
        outcome, found = ended.value
        bench.learn(query, found)
        return outcome
    price = float(bench.price(np.asarray(query.arch)[None], int(query.fidelity))[0])
    return Outcome(observed(np.nan, price, max(int(query.seed), 0)), np.float64(np.nan), ended.failure)


def fresh_scores_in_turn(
    bench: HostBenchmark, archs: Sequence[np.ndarray], num_fresh: int, show: Callable[[int, str], None]
) -> np.ndarray:
    """Returns the scores of further evaluations of architectures, float64[A, S]."""
    scores = np.full((len(archs), num_fresh), np.nan)
    for count, place in enumerate(np.ndindex(scores.shape), start=1):
        scores[place] = bench.fresh_score(archs[place[0]], place[1])
        show(count, "")
    return scores


def parallel_fresh_scores(
    bench: HostBenchmark,
    workers: Workers,
    archs: Sequence[np.ndarray],
    num_fresh: int,
    show: Callable[[int, str], None],
) -> np.ndarray:
    """Returns the scores of further evaluations of architectures, float64[A, S], first from the journal."""
    _, journal = _layers(bench)
    scores = np.full((len(archs), num_fresh), np.nan)
    for place in np.ndindex(scores.shape):
        arch, number = archs[place[0]], place[1]
        known = None if journal is None else journal.recalled_fresh(arch, number)
        if known is None:
            workers.begin(place, "fresh", np.asarray(arch), number)
        else:
            scores[place] = known
    while workers.num_begun:
        show(scores.size - workers.num_begun, "")
        place, ended = _first(workers)
        scores[place] = np.nan if ended.failure else ended.value
        if journal is not None:
            journal.note_fresh(archs[place[0]], place[1], scores[place])
    show(scores.size, "")
    return scores
