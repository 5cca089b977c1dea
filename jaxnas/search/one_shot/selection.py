"""Which architecture a search ends with: functions `(trained, generator) -> int32[D]`."""

from collections.abc import Callable

import jax
import numpy as np

from jaxnas.checks import checked_size
from jaxnas.search.one_shot.base import Trained
from jaxnas.search.one_shot.samplers import uniform
from jaxnas.simulation.ask_tell import AskTell
from jaxnas.strategies.base import observed
from jaxnas.strategies.regularized_evolution import regularized_evolution

Select = Callable[[Trained, np.random.Generator], np.ndarray]
NUM_CANDIDATES, NUM_EXAMPLES, NUM_AGAIN = 1000, 256, 10
TUNING = 0.05
"""The share of a search's steps that weights are trained for after each decision of `by_perturbation`."""


def most_probable(trained: Trained, generator: np.random.Generator) -> np.ndarray:
    """Returns the choice of each decision that has the largest probability."""
    return trained.probabilities.argmax(-1).astype(np.int32)


def best_of(num_candidates: int) -> Select:
    """Returns the selection of the best of random architectures by the supernet, as of Li and Talwalkar (UAI 2019).

    They are scored on 256 validation examples, and the ten best of them again, on all.
    """
    checked_size("num_candidates", num_candidates)

    def select(trained: Trained, generator: np.random.Generator) -> np.ndarray:
        keys = jax.random.split(jax.random.key(int(generator.integers(2**31))), num_candidates)
        archs = np.unique(np.asarray(jax.jit(jax.vmap(uniform(trained.space)))(keys)), axis=0)
        first = trained.scores(archs, NUM_EXAMPLES)
        kept = archs[np.argsort(-first, kind="stable")[:NUM_AGAIN]]
        return kept[int(np.argmax(trained.scores(kept)))]

    return select


def best_drawn(num_candidates: int = 100) -> Select:
    """Returns the selection of the best by the supernet of architectures drawn by their probabilities, as ENAS ends."""
    checked_size("num_candidates", num_candidates)

    def select(trained: Trained, generator: np.random.Generator) -> np.ndarray:
        sums = trained.probabilities.cumsum(-1)
        drawn = generator.uniform(size=(num_candidates, len(sums), 1)) * sums[:, -1:]
        archs = np.unique((drawn > sums).sum(-1).astype(np.int32), axis=0)
        return archs[int(np.argmax(trained.scores(archs, NUM_EXAMPLES)))]

    return select


def evolved(num_candidates: int) -> Select:
    """Returns the selection by regularized evolution on the supernet's scores, as of Guo et al. (ECCV 2020).

    The evolution is the strategy of the catalog; an architecture that it asks for again is not scored again.
    """
    checked_size("num_candidates", num_candidates)

    def select(trained: Trained, generator: np.random.Generator) -> np.ndarray:
        strategy = regularized_evolution(trained.space)
        key = jax.random.key(int(generator.integers(2**31)))
        loop, known = AskTell(strategy, num_trials=num_candidates, key=key), dict[bytes, float]()
        for _ in range(num_candidates):
            arch = np.asarray(trained.space.canonical(loop.ask().arch), np.int32)
            if arch.tobytes() not in known:
                known[arch.tobytes()] = float(trained.scores(arch[None], NUM_EXAMPLES)[0])
            loop.tell(observed(known[arch.tobytes()]))
        best = sorted(known, key=known.__getitem__, reverse=True)[:NUM_AGAIN]
        kept = np.stack([np.frombuffer(each, np.int32) for each in best])
        return kept[int(np.argmax(trained.scores(kept)))]

    return select


def by_perturbation(trained: Trained, generator: np.random.Generator) -> np.ndarray:
    """Returns the architecture of DARTS-PT (Wang et al., ICLR 2021): the choice of a decision whose removal
    from the mixture hurts most, one decision after another in random order.

    As in the authors' program, the weights of the choices that remain are not divided by their sum: this
    compares contributions, and removing zeros does no harm. If all choices do harm, it takes the wrong one.
    """
    num_decisions, num_choices = trained.probabilities.shape
    fixed = np.full(num_decisions, -1, np.int32)
    for decision in generator.permutation(num_decisions):
        weights = fixed_weights(trained.probabilities, fixed)
        without = np.repeat(weights[None], num_choices, axis=0)
        without[np.arange(num_choices), decision, np.arange(num_choices)] = 0
        fixed[decision] = int(np.argmin(trained.mixture_scores(without)))
        if (fixed < 0).any():
            trained = trained.tuned(fixed, max(round(TUNING * trained.num_steps), 1))
    return fixed


def fixed_weights(weights: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Returns weights [E, K] with one-hot rows for fixed choices, int32[E], -1 for none."""
    hot = np.eye(weights.shape[1], dtype=np.float32)[np.maximum(fixed, 0)]
    return np.where(fixed[:, None] >= 0, hot, weights).astype(np.float32)
