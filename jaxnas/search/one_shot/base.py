"""The parts of a one-shot method: pure functions that choose which parts of a supernet run in a
step, how the parameters `alpha` of the choices change, and which architecture is taken in the end.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import cardinalities

INITIAL_SCALE = 1e-3


class Gates(NamedTuple):
    """The factor and the offset of each decision's output, float32[E] both, or None.

    One and zero change nothing; their gradients are those from a straight-through estimator.
    Networks whose choices cannot be mixed have none.
    """

    scale: jax.Array | None = None
    offset: jax.Array | None = None


class Sample(NamedTuple):
    """The part of a supernet that runs: a mixture by `weights`, float32[E, K], or one architecture `arch`, int32[D].

    The other one is None. `gates` are on the decisions, None for none; to a mixture's nothing is added.
    """

    weights: jax.Array | None = None
    arch: jax.Array | None = None
    gates: Gates | None = None


class Problem(NamedTuple):
    """The quantities that a hypergradient may request in one step.

    Attributes:
        sample: `(alpha, key) -> Sample`, at the present progress of the search.
        training_loss, validation_loss: `(parameters, sample) -> float32[]`, on a batch of the half of the data that
            weights learn from, and of the half that alpha learns from.
        validation_score: likewise, the proportion that counts.
        updated: `(parameters, gradient) -> parameters` after the optimizer's own step.
        learning_rate: of the weights, at this step.
    """

    sample: Callable[[Any, jax.Array], Sample]
    training_loss: Callable[[Any, Sample], jax.Array]
    validation_loss: Callable[[Any, Sample], jax.Array]
    validation_score: Callable[[Any, Sample], jax.Array]
    updated: Callable[[Any, Any], Any]
    learning_rate: jax.Array


class Hypergradient(Protocol):
    """`(problem, parameters, alpha, memory, key) -> (value, gradient, memory)`: the value that alpha
    descends, float32[], its gradient in alpha, and the memory for the next call, float32[], 0 at first.
    """

    def __call__(
        self, problem: Problem, parameters: Any, alpha: Any, memory: jax.Array, key: jax.Array, /
    ) -> tuple[jax.Array, Any, jax.Array]:
        """Returns the value, the gradient in alpha and the memory."""
        ...


class Trained(NamedTuple):
    """The quantities that a selection may use after the search; architectures and weights are NumPy arrays.

    Attributes:
        space: the search space.
        probabilities: of the choices, float32[E, K].
        scores: `(archs int32[n, D], num_examples=None) -> float64[n]`, the score of each architecture by the supernet
            on validation examples, all by default.
        mixture_scores: `(weights float32[n, E, K]) -> float64[n]`, likewise of mixtures.
        tuned: `(fixed int32[E], num_steps) -> Trained` after further steps on the weights, with the choices of some
            decisions fixed, -1 for the others.
        num_steps: of the search.
    """

    space: Space
    probabilities: np.ndarray
    scores: Callable[..., np.ndarray]
    mixture_scores: Callable[[np.ndarray], np.ndarray]
    tuned: Callable[[np.ndarray, int], "Trained"]
    num_steps: int


class SearchRecipe(NamedTuple):
    """How weights and alpha are trained.

    Weights: SGD with Nesterov momentum, a cosine schedule to zero, decay and a bound on the gradient's norm. Alpha:
    Adam, its decay added to the gradient. `travel` is alpha's learning rate times the number of steps, 6 in
    NAS-Bench-201 (3e-4 in 50 epochs of 391 steps): Adam moves a number by no more, so a shorter search needs a
    larger rate. `idle` is the treatment of operations that a step does not run: `"frozen"` or `"decay"`.
    """

    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 5.0
    travel: float = 6.0
    alpha_decay: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    idle: str = "frozen"


def small_normal(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Returns an alpha near zero, float32 of a shape (decisions, choices): all choices are as probable at first."""
    return INITIAL_SCALE * jax.random.normal(key, shape)


def softmax(alpha: Any) -> jax.Array:
    """Returns the probabilities of the choices, [E, K]."""
    return jax.nn.softmax(alpha, axis=-1)


class Method(NamedTuple):
    """A one-shot method, made by a factory `(space, ...) -> Method`.

    Progress `t` is a number from 0 to 1, never a count of epochs.

    Attributes:
        name: its name in reports.
        sample: `(key, alpha, t) -> Sample`, of a step; weights and alpha are given samples of different keys.
        select: `(trained, generator) -> int32[D]`, the architecture that is taken; see `Trained`.
        hypergradient: how alpha learns; None for methods without alpha.
        init: `(key, (E, K)) -> alpha`, any pytree.
        probabilities: `alpha -> float32[E, K]`.
        regularize: `(alpha, t) -> float32[]`, added to alpha's loss; None for none.
        perturb: `(key, weights, loss, t) -> weights`, of the mixture that weights learn with; `loss` is a function of
            weights. None for none.
        paths: `(key) -> int32[P, D]`, architectures whose gradients are added in one step of the weights, instead of
            `sample`; None for one sample.
        distils: whether the first of several paths teaches the others.
        warmup: the share of the steps before alpha begins to move.
        partial: of how many parts of the channels the operations see one.
        passes: forward and backward passes of a step, for reports of cost.
        recipe: how weights and alpha are trained.
        hyperparameters: pairs (name, value), for reports.
    """

    name: str
    sample: Callable[[jax.Array, Any, jax.Array], Sample]
    select: Callable[[Trained, np.random.Generator], np.ndarray]
    hypergradient: Hypergradient | None = None
    init: Callable[[jax.Array, tuple[int, int]], Any] = small_normal
    probabilities: Callable[[Any], jax.Array] = softmax
    regularize: Callable[[Any, jax.Array], jax.Array] | None = None
    perturb: Callable[..., jax.Array] | None = None
    paths: Callable[[jax.Array], jax.Array] | None = None
    distils: bool = False
    warmup: float = 0.0
    partial: int = 1
    passes: float = 2.0
    recipe: SearchRecipe = SearchRecipe()
    hyperparameters: tuple[tuple[str, object], ...] = ()


def shape_of(space: Space) -> tuple[int, int]:
    """Returns the shape (decisions, choices) of an alpha; the largest number if decisions differ in choices."""
    sizes = cardinalities(space.decisions)
    return len(sizes), int(max(sizes))


def check_equal_choices(space: Space, what: str) -> None:
    """Raises ValueError if the decisions of a space have different numbers of choices."""
    sizes = cardinalities(space.decisions)
    if len(set(map(int, sizes))) > 1:
        raise ValueError(
            f"Expected a space with as many choices in each decision for {what}, got {space.name} with "
            f"{min(sizes)} to {max(sizes)}."
        )


def one_hot(arch: jax.Array, num_choices: int) -> jax.Array:
    """Returns an architecture as the weights of a mixture, float32[E, K]."""
    return jax.nn.one_hot(jnp.asarray(arch), num_choices, dtype=jnp.float32)
