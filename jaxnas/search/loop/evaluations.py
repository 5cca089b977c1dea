"""The answers of a search: in turn, or of several workers at once, noted in the journal in the order they come in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import cast

import numpy as np

from jaxnas import catalog
from jaxnas.benchmarks.base import HostBenchmark, Outcome
from jaxnas.benchmarks.penalized import Penalized
from jaxnas.search.loop.journaled import Journaled
from jaxnas.search.loop.parallel_ask_tell import ParallelAskTell
from jaxnas.search.loop.workers import Reply, Workers
from jaxnas.simulation.ask_tell import AskTell
from jaxnas.spaces.base import checked
from jaxnas.strategies.base import Strategy, make


def check_parallel(strategy: Strategy, bench: HostBenchmark, num_workers: int) -> None:
    """Raises ValueError where a strategy has to be told each result before it is asked again, naming others."""
    if num_workers > 1 and not strategy.parallel:
        known = ", ".join(name for name in catalog.STRATEGIES if _is_parallel(name, bench))
        raise ValueError(
            f"Expected a strategy that can be asked again before it is told, for {num_workers} workers, such as "
            f"{known}, got {strategy.name}."
        )


def _is_parallel(name: str, bench: HostBenchmark) -> bool:
    try:
        return make(catalog.strategy(name), bench).parallel
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


def parallel_answers(
    loop: ParallelAskTell,
    bench: HostBenchmark,
    workers: Workers,
    num_trials: int,
    may_begin: Callable[[], bool],
) -> Iterator[Outcome]:
    """Yields the outcomes of the trials of a search, in the order in which its strategy is told them.

    First those of the journal, each when as many queries run as then did; what ran when the journal ended is asked
    again.

    Args:
        loop: of the strategy; it is told all that is yielded.
        bench: that of the workers, as `journaled` and `penalized` wrap it.
        may_begin: whether another trial may begin; those that run are awaited whatever it says.
    """
    penalty, journal = _layers(bench)
    answers: dict[int, Future[Reply]] = {}
    beginning = True
    while True:
        while beginning and loop.num_asked < num_trials and len(loop.running) < workers.num_workers:
            beginning = may_begin()
            if beginning:
                _, query = loop.ask()
                checked(query.arch, loop.space.decisions)
        if not loop.running:
            return
        recalled = None if journal is None else journal.recalled(loop.running)
        if recalled is None:
            number, outcome = _next_answer(loop, workers, answers)
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


def _next_answer(loop: ParallelAskTell, workers: Workers, answers: dict[int, Future[Reply]]) -> tuple[int, Outcome]:
    """Returns the number and the outcome of the first trial to be answered, after sending those that were not."""
    queries = {number: workers.bench.resolved(query, loop.query_key(number)) for number, query in loop.running.items()}
    for number, query in queries.items():
        if number not in answers:
            if workers.bench.knows(query):
                return number, workers.bench.answer(query, loop.query_key(number))
            answers[number] = workers.answer(query)
    number = _first(answers)
    return number, workers.outcome_of(queries[number], answers.pop(number).result())


def _first(answers: Mapping[int, Future[Reply]]) -> int:
    """Returns the number of an answer that has come, of several the first asked."""
    done = wait(answers.values(), return_when=FIRST_COMPLETED).done
    return min(number for number, answer in answers.items() if answer in done)


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
    """Returns the scores of further evaluations of architectures, float64[A, S], those of the journal first."""
    _, journal = _layers(bench)
    scores = np.full((len(archs), num_fresh), np.nan)
    waiting: dict[int, Future[Reply]] = {}
    for place in np.ndindex(scores.shape):
        arch, number = archs[place[0]], place[1]
        known = None if journal is None else journal.recalled_fresh(arch, number)
        if known is None:
            waiting[int(np.ravel_multi_index(place, scores.shape))] = workers.fresh_score(arch, number)
        else:
            scores[place] = known
    while waiting:
        show(scores.size - len(waiting), "")
        first = _first(waiting)
        place = np.unravel_index(first, scores.shape)
        reply = waiting.pop(first).result()
        scores[place] = np.nan if reply.failure else reply.value
        if journal is not None:
            journal.note_fresh(archs[int(place[0])], int(place[1]), scores[place])
    show(scores.size, "")
    return scores
