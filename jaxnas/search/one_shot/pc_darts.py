"""PC-DARTS: DARTS on a part of the channels, with weights of edges (Xu et al., ICLR 2020)."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.search.one_shot.base import Method, Sample, check_equal_choices, small_normal, softmax
from jaxnas.search.one_shot.hypergradients import first
from jaxnas.search.one_shot.selection import most_probable
from jaxnas.spaces.base import Space

CITES = ("xu2020pcdarts",)


def pc_darts(space: Space, *, partial: int = 4, warmup: float = 0.3) -> Method:
    """Returns PC-DARTS: operations see one of `partial` parts of the channels, and edges into one node share a weight.

    In a cell of which all edges are kept, the edges' weights only scale. Alpha does not move in the first share
    `warmup` of the steps.
    """
    check_equal_choices(space, "a mixture")
    targets = np.asarray(
        [target for _, target in getattr(space, "edges", [(0, n) for n in range(len(space.decisions))])]
    )

    def init(key: jax.Array, shape: tuple[int, int]) -> dict[str, jax.Array]:
        keys = jax.random.split(key)
        return {"choices": small_normal(keys[0], shape), "edges": small_normal(keys[1], (shape[0], 1))[:, 0]}

    def sample(key: jax.Array, alpha: dict[str, jax.Array], t: jax.Array) -> Sample:
        scores = jnp.exp(alpha["edges"])
        sums = jax.ops.segment_sum(scores, targets, int(targets.max()) + 1)
        return Sample(weights=softmax(alpha["choices"]) * (scores / sums[targets])[:, None])

    return Method(
        "pc_darts",
        sample,
        most_probable,
        first,
        init,
        probabilities=lambda alpha: softmax(alpha["choices"]),
        warmup=warmup,
        partial=partial,
        hyperparameters=(("partial", partial), ("warmup", warmup)),
    )
