"""The one-shot methods: each is a function of a space that returns its record, made of samplers, hypergradients,
regularizers, perturbations and selections.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import checked_size
from jaxnas.search.one_shot import perturbations, samplers
from jaxnas.search.one_shot.base import Gates, Method, Sample, SearchRecipe, check_equal_choices, small_normal, softmax
from jaxnas.search.one_shot.hypergradients import first, score_function, unrolled
from jaxnas.search.one_shot.regularizers import beta_decay
from jaxnas.search.one_shot.samplers import linear
from jaxnas.search.one_shot.selection import (
    NUM_CANDIDATES,
    TUNING,
    best_drawn,
    best_of,
    by_perturbation,
    evolved,
    most_probable,
)
from jaxnas.spaces.base import Space

CITES = {
    "darts": ("liu2019darts",),
    "darts2": ("liu2019darts",),
    "gdas": ("dong2019gdas",),
    "gdas_reference": ("dong2019gdas",),
    "gdas_full": ("dong2019gdas",),
    "snas": ("xie2019snas",),
    "drnas": ("chen2021drnas",),
    "pc_darts": ("xu2020pcdarts",),
    "beta_darts": ("ye2022betadarts",),
    "sdarts_random": ("chen2020smoothdarts",),
    "sdarts_adversarial": ("chen2020smoothdarts",),
    "darts_pt": ("wang2021dartspt",),
    "rsps": ("li2019random",),
    "spos": ("guo2020spos",),
    "fairnas": ("chu2021fairnas",),
    "enas": ("pham2018enas",),
    "sandwich": ("yu2019universally",),
}
FIRST_BOUND = 0.03
"""Of the perturbations of SmoothDARTS at the start of the search."""
GDAS_TEMPERATURES, SNAS_TEMPERATURES = (10.0, 0.1), (10.0, 1.0)
"""The first and the last."""


def darts(space: Space) -> Method:
    """Returns DARTS of first order: a mixture whose alpha follows the loss at the present weights.

    Liu, Simonyan and Yang, ICLR 2019.
    """
    check_equal_choices(space, "a mixture")
    return Method("darts", samplers.softmax_mixture, most_probable, first)


def darts2(space: Space) -> Method:
    """Returns DARTS of second order: alpha follows the loss after one step of the weights (see `darts`)."""
    return darts(space)._replace(name="darts2", hypergradient=unrolled, passes=5.0)


def gdas(space: Space, *, rule: str = "selected") -> Method:
    """Returns GDAS: one operation an edge runs, drawn by a Gumbel softmax whose temperature falls.

    Dong and Yang, CVPR 2019.

    Args:
        rule: the gradient for choices that are not taken: `"selected"`, `"reference"` as the authors'
            program, or `"full"`, for which all run; see `jaxnas.search.one_shot.samplers.gumbel_hard`.
    """
    check_equal_choices(space, "a Gumbel softmax")
    known = (("rule", rule), ("temperatures", GDAS_TEMPERATURES))
    sample = samplers.gumbel_hard(rule, linear(*GDAS_TEMPERATURES))
    return Method("gdas", sample, most_probable, first, hyperparameters=known)


def gdas_reference(space: Space) -> Method:
    """Returns GDAS with the gradient of the authors' program."""
    return gdas(space, rule="reference")._replace(name="gdas_reference")


def gdas_full(space: Space) -> Method:
    """Returns GDAS with the usual straight-through gradient, for which all operations run."""
    return gdas(space, rule="full")._replace(name="gdas_full")


def snas(space: Space) -> Method:
    """Returns SNAS: a mixture drawn by a Gumbel softmax whose temperature falls, without its cost of resources.

    Xie, Zheng, Liu and Lin, ICLR 2019. The paper trains weights and alpha on the same data; here alpha has its own
    half, as other methods do.
    """
    check_equal_choices(space, "a mixture")
    known = (("temperatures", SNAS_TEMPERATURES),)
    return Method("snas", samplers.gumbel_soft(linear(*SNAS_TEMPERATURES)), most_probable, first, hyperparameters=known)


def drnas(space: Space) -> Method:
    """Returns DrNAS, mixtures drawn from Dirichlet distributions, without its progressive schedule.

    Chen, Wang, Cheng, Tang and Hsieh, ICLR 2021; its figures on NAS-Bench-201 were made without that schedule. Alpha
    decays instead of being drawn to the uniform distribution.
    """
    check_equal_choices(space, "a mixture")

    def probabilities(alpha: jax.Array) -> jax.Array:
        return samplers.concentrations(alpha) / samplers.concentrations(alpha).sum(-1, keepdims=True)

    return Method(
        "drnas",
        samplers.dirichlet,
        most_probable,
        first,
        probabilities=probabilities,
        hyperparameters=(("divergence", 0.0),),
    )


def pc_darts(space: Space, *, partial: int = 2, warmup: float = 0.3) -> Method:
    """Returns PC-DARTS: operations see one of `partial` parts of the channels, and edges into one node share a weight.

    The edges' weights multiply all channels. In a cell of which all edges are kept they only scale. The paper has 4
    parts of 16 channels; cells here have 4 channels, of which one alone would be mixed. Alpha does not move in the
    first share `warmup` of the steps. Xu et al., ICLR 2020.
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
        return Sample(weights=softmax(alpha["choices"]), gates=Gates(scores / sums[targets]))

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


def beta_darts(space: Space, *, largest: float = 50.0) -> Method:
    """Returns DARTS of first order with beta-decay of the probabilities, whose weight grows from 0 to `largest`.

    Ye, Li, Li, Chen, Fan and Ouyang, CVPR 2022.
    """
    known = (("largest", largest),)
    return darts(space)._replace(name="beta_darts", regularize=beta_decay(largest), hyperparameters=known)


def sdarts_random(space: Space, *, largest: float = 0.3) -> Method:
    """Returns SmoothDARTS with random perturbations: weights learn with noise up to a bound that grows to `largest`.

    So weights do well for mixtures around the present one. Chen and Hsieh, ICML 2020.
    """
    perturb = perturbations.random(linear(FIRST_BOUND, largest))
    return darts(space)._replace(name="sdarts_random", perturb=perturb, hyperparameters=(("largest", largest),))


def sdarts_adversarial(space: Space, *, largest: float = 0.3) -> Method:
    """Returns SmoothDARTS with adversarial perturbations, those within the bound that raise the training loss most."""
    perturb = perturbations.adversarial(linear(FIRST_BOUND, largest))
    known = (("largest", largest),)
    passes = 2.0 + perturbations.NUM_STEPS + 2 / 3  # seven gradients and two losses
    return darts(space)._replace(name="sdarts_adversarial", perturb=perturb, hyperparameters=known, passes=passes)


def darts_pt(space: Space) -> Method:
    """Returns DARTS of first order that ends with the choices whose removal hurts most.

    See `jaxnas.search.one_shot.selection.by_perturbation`. Wang, Cheng, Chen, Tang and Hsieh, ICLR 2021.
    """
    return darts(space)._replace(name="darts_pt", select=by_perturbation, hyperparameters=(("tuning", TUNING),))


def rsps(space: Space, *, num_candidates: int = NUM_CANDIDATES) -> Method:
    """Returns random search with parameter sharing: random paths are trained, and the best of `num_candidates` random
    architectures by the supernet is taken.

    Li and Talwalkar, UAI 2019.
    """
    known = (("num_candidates", num_candidates),)
    select = best_of(num_candidates)
    return Method("rsps", samplers.uniform_path(space), select, passes=1.0, hyperparameters=known)


def spos(space: Space, *, num_candidates: int = NUM_CANDIDATES) -> Method:
    """Returns SPOS: random paths are trained, and regularized evolution on the supernet's scores takes one.

    Guo et al., "Single Path One-Shot", ECCV 2020.
    """
    return rsps(space, num_candidates=num_candidates)._replace(name="spos", select=evolved(num_candidates))


def fairnas(space: Space, *, num_candidates: int = NUM_CANDIDATES) -> Method:
    """Returns FairNAS with strict fairness: a step adds the gradients of as many paths as there are choices, each
    choice of each decision in one of them. The best of `num_candidates` random architectures is taken.

    Chu, Zhang and Xu, ICCV 2021.
    """
    paths, passes = samplers.latin_square(space), float(len(space.decisions[0].values))
    return rsps(space, num_candidates=num_candidates)._replace(name="fairnas", paths=paths, passes=passes)


def enas(space: Space, *, entropy: float = 1e-4) -> Method:
    """Returns ENAS with a controller of independent choices: each step trains one architecture that it draws and then
    rewards it by the score of another one; the best of 100 drawn ones is taken.

    Pham, Guan, Zoph, Le and Dean, ICML 2018. The paper's controller is a recurrent network. The logits are bounded as
    its are.
    """
    check_equal_choices(space, "a controller")
    return Method(
        "enas",
        samplers.policy,
        best_drawn(),
        score_function(lambda alpha: jax.nn.log_softmax(samplers.policy_logits(alpha), axis=-1), entropy=entropy),
        probabilities=lambda alpha: softmax(samplers.policy_logits(alpha)),
        passes=1 + 1 / 3,  # the reward is one forward pass
        # The logits move by at most half of alpha: five times the travel for as much freedom.
        recipe=SearchRecipe(travel=30.0, alpha_decay=0.0),
        hyperparameters=(("entropy", entropy),),
    )


def sandwich(space: Space, *, num_random: int = 2, num_candidates: int = NUM_CANDIDATES) -> Method:
    """Returns the sandwich rule, for spaces of sizes: a step adds the gradients of the largest network, of the smallest
    and of `num_random` others, and all but the largest learn its outputs. The best of `num_candidates` random
    architectures is taken.

    Yu and Huang, ICCV 2019. Raises ValueError on a space without sizes, decisions whose values are ascending whole
    numbers.
    """
    checked_size("num_random", num_random, 0)
    last = [len(decision.values) - 1 if _is_size(decision.values) else 0 for decision in space.decisions]
    if not any(last):
        raise ValueError(f"Expected a space of sizes for the sandwich rule, such as an MLPSpace, got {space.name}.")
    return rsps(space, num_candidates=num_candidates)._replace(
        name="sandwich",
        paths=samplers.sandwich(space, np.asarray(last, np.int32), num_random),
        distils=True,
        passes=float(2 + num_random),
        hyperparameters=(("num_random", num_random), ("num_candidates", num_candidates)),
    )


def _is_size(values: Sequence) -> bool:
    return all(isinstance(value, int | np.integer) for value in values) and list(values) == sorted(set(values))
