"""Random search."""

import functools

from jaxnas.strategies.base import Query, Strategy


@functools.cache
def random_search(space) -> Strategy:
    """Returns random search: every trial is a uniform draw from the space, with replacement.

    The baseline of NAS: Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search",
    UAI 2019.
    """

    def init(key, num_trials):
        return ()

    def ask(state, t, key):
        return Query(space.sample(key))

    def tell(state, t, query, observation):
        return state

    return Strategy("random_search", init, ask, tell, parallel=True)
