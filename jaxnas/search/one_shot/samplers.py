"""The part of a supernet that runs in a step: functions `(key, alpha, t) -> Sample`, and architectures for weights."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.checks import unknown_name
from jaxnas.search.one_shot.base import Gates, Sample, check_equal_choices, one_hot
from jaxnas.spaces.base import Space
from jaxnas.spaces.enumerated import MAX_ENUMERABLE

RULES = ("selected", "reference", "full")
"""What the gradient of a Gumbel softmax with one choice has for the choices that were not taken."""
ENAS_BOUND, ENAS_TEMPERATURE = 2.5, 5.0
Sampler = Callable[[jax.Array, Any, jax.Array], Sample]


def linear(first: float, last: float) -> Callable[[jax.Array], jax.Array]:
    """Returns the function of progress that goes from one value to another in a straight line."""
    return lambda t: first + (last - first) * t


def softmax_mixture(key: jax.Array, alpha: jax.Array, t: jax.Array) -> Sample:
    """Returns all choices by their probabilities, as DARTS does (Liu et al., ICLR 2019)."""
    return Sample(weights=jax.nn.softmax(alpha, axis=-1))


def gumbel_soft(temperature: Callable[[jax.Array], jax.Array]) -> Sampler:
    """Returns the sampler of relaxed choices, as SNAS has them (Xie et al., ICLR 2019): softmax of log-probabilities
    with Gumbel noise, by a temperature that follows progress.
    """

    def sample(key: jax.Array, alpha: jax.Array, t: jax.Array) -> Sample:
        return Sample(weights=_relaxed(key, alpha, temperature(t)))

    return sample


def gumbel_hard(rule: str, temperature: Callable[[jax.Array], jax.Array]) -> Sampler:
    """Returns the sampler of one choice a decision with the gradient of a relaxed one, as GDAS has it (Dong and Yang,
    CVPR 2019).

    The value is one-hot, the gradient is taken from the relaxed choice h. The rules differ in the gradient for the
    choices that are not taken, which is added to the gradient of h[k] with the output of the choice k that is taken:
    `"selected"`: nothing. `"reference"`: the sum of the output's gradient, since the authors' program adds each such h
    to the output as a number. `"full"`: the output that the operation would give; all of them run then. Only
    `"selected"` and `"reference"` run one operation an edge. All three are biased. `"selected"` counts a choice that is
    not taken as one that gives zeros, `"reference"` as one that gives ones: on outputs less one, it has the gradient of
    `"selected"`. If the taken choice looks better than this reference, it is drawn more often, good or not; if it looks
    worse, the draws spread. Adding one has no effect before a normalization, which takes constants out.
    """
    if rule not in RULES:
        raise unknown_name("a rule", rule, RULES)

    def sample(key: jax.Array, alpha: jax.Array, t: jax.Array) -> Sample:
        relaxed = _relaxed(key, alpha, temperature(t))
        taken = jnp.argmax(relaxed, axis=-1).astype(jnp.int32)
        hard = jax.lax.stop_gradient(one_hot(taken, alpha.shape[-1]) - relaxed) + relaxed
        if rule == "full":
            return Sample(weights=hard)
        scale = jnp.take_along_axis(hard, taken[:, None], axis=1)[:, 0]
        others = hard.sum(1) - scale if rule == "reference" else jnp.zeros_like(scale)
        # Exactly 1 and 0: rounding would make another network of it.
        return Sample(arch=taken, gates=Gates(_valued(1, scale), _valued(0, others)))

    return sample


def _relaxed(key: jax.Array, alpha: jax.Array, temperature: jax.Array) -> jax.Array:
    noise = jax.random.gumbel(key, alpha.shape)
    return jax.nn.softmax((jax.nn.log_softmax(alpha, axis=-1) + noise) / temperature, axis=-1)


def _valued(value: float, differentiated: jax.Array) -> jax.Array:
    """Returns a value with the gradient of something else."""
    return value + (differentiated - jax.lax.stop_gradient(differentiated))


def concentrations(alpha: jax.Array) -> jax.Array:
    """Returns the concentrations of DrNAS's Dirichlet distributions."""
    return jax.nn.elu(alpha) + 1


def dirichlet(key: jax.Array, alpha: jax.Array, t: jax.Array) -> Sample:
    """Returns weights drawn from a Dirichlet distribution on each edge, with pathwise gradients (Chen et al.,
    "DrNAS", ICLR 2021).
    """
    return Sample(weights=jax.random.dirichlet(key, concentrations(alpha)))


def policy(key: jax.Array, alpha: jax.Array, t: jax.Array) -> Sample:
    """Returns one choice a decision by its probability; see `policy_logits`."""
    return Sample(arch=jax.random.categorical(key, policy_logits(alpha)).astype(jnp.int32))


def policy_logits(alpha: jax.Array) -> jax.Array:
    """Returns logits that are bounded, as in ENAS."""
    return ENAS_BOUND * jnp.tanh(alpha / ENAS_TEMPERATURE)


def uniform_path(space: Space) -> Sampler:
    """Returns the sampler of one architecture, for any alpha: uniform over the classes of the space
    if it can be enumerated, otherwise over its architectures.

    Of architectures, the cells with many dead edges would be drawn most.
    """
    draw = uniform(space)
    return lambda key, alpha, t: Sample(arch=draw(key))


def uniform(space: Space) -> Callable[[jax.Array], jax.Array]:
    """Returns the function of a key that draws an architecture as `uniform_path` does, int32[D]."""
    classes = getattr(space, "classes", None)
    if classes is None or space.num_architectures > MAX_ENUMERABLE:
        return lambda key: jnp.asarray(space.sample(key), jnp.int32)
    archs = np.asarray(space.arch_at(np.unique(classes())), np.int32)
    return lambda key: jnp.asarray(archs)[jax.random.randint(key, (), 0, len(archs))]


def latin_square(space: Space) -> Callable[[jax.Array], jax.Array]:
    """Returns the function of a key that draws as many architectures as decisions have choices, int32[K, D], such that
    each choice of each decision is in one of them (Chu et al., "FairNAS", ICCV 2021).

    Raises ValueError if decisions have different numbers of choices.
    """
    check_equal_choices(space, "fair paths")
    num_decisions, num_choices = len(space.decisions), len(space.decisions[0].values)

    def draw(key: jax.Array) -> jax.Array:
        keys = jax.random.split(key, num_decisions)
        return jax.vmap(lambda each: jax.random.permutation(each, num_choices), out_axes=1)(keys).astype(jnp.int32)

    return draw


def sandwich(space: Space, largest: np.ndarray, num_random: int) -> Callable:
    """Returns the function of a key that gives the largest, the smallest and random architectures, int32[P, D] (Yu and
    Huang, ICCV 2019); the largest comes first, to teach the others.
    """

    def draw(key: jax.Array) -> jax.Array:
        drawn = jax.vmap(space.sample)(jax.random.split(key, num_random))
        fixed = jnp.asarray(np.stack([largest, np.zeros_like(largest)]), jnp.int32)
        return jnp.concatenate([fixed, jnp.asarray(drawn, jnp.int32)])

    return draw
