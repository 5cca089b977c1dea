"""One step of a one-shot search, and the program that makes many: pure, compiled once for a method, space and task."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas.checks import unknown_name
from jaxnas.search.one_shot.base import Method, Problem, Sample, SearchRecipe, one_hot, shape_of
from jaxnas.spaces.base import Space
from jaxnas.tasks.base import Split, Task
from jaxnas.tasks.goals import GOALS, Goal
from jaxnas.training.compilation import ONE_THREAD
from jaxnas.training.config import FLOAT32
from jaxnas.training.networks import Gated, MixedNetworks, Networks, SharedNetworks, Variables

IDLE = ("frozen", "decay")
_ALPHA, _WEIGHTS, _BATCHES, _PERTURBATION = range(4)
"""What the keys of a step are for."""


class State(NamedTuple):
    """The state of a search: parameters of the supernet with their momentum, alpha with the moments
    of Adam, and the memory of the hypergradient.
    """

    parameters: Any
    momentum: Any
    alpha: Any
    moments: Any
    memory: jax.Array


class Schedule(NamedTuple):
    """The inputs of steps besides the state, all traced: one program serves every length of search.

    Attributes:
        num_steps: of the whole search, the end of the cosine.
        learning_rate, alpha_rate: at the first step, of weights and of alpha.
        fixed: int32[E], the choices that are no longer open, -1 for those that are.
    """

    key: jax.Array
    num_steps: jax.Array
    learning_rate: jax.Array
    alpha_rate: jax.Array
    fixed: jax.Array


class Setting(NamedTuple):
    """The static arguments of a compiled program; hashable."""

    method: Method
    networks: SharedNetworks

    @property
    def space(self) -> Space:
        """Returns the search space."""
        return self.networks.space

    @property
    def goal(self) -> Goal:
        """Returns the goal of the task."""
        return GOALS[self.networks.spec.goal]

    @property
    def sample_kind(self) -> str:
        """Returns the kind of sample of a step: `"weights"`, a mixture, or `"arch"`, one architecture at a time."""
        if self.method.paths is not None:
            return "arch"

        def drawn(key: jax.Array) -> Sample:
            return self.method.sample(key, self.method.init(key, shape_of(self.space)), jnp.float32(0))

        found = jax.eval_shape(drawn, jax.random.key(0))
        return "weights" if found.arch is None else "arch"


def setting_of(method: Method, networks: Networks, task: Task) -> Setting:
    """Returns the setting of a method. Raises ValueError if it cannot search a space on a task."""
    space = networks.space
    if not isinstance(networks, SharedNetworks):
        raise ValueError(
            f"Expected a space whose networks can share their arrays, as those of a CellSpace, an MLPSpace "
            f"or a SizeSpace do, got {space.name}, a {type(space).__name__}."
        )
    if isinstance(networks, MixedNetworks):
        networks = replace(networks, partial=method.partial)
    elif method.partial != 1:
        raise ValueError(f"Expected a space whose choices can be mixed for parts of channels, got {space.name}.")
    setting = Setting(method, networks)
    if networks.config.precision != FLOAT32:
        raise ValueError(
            f"Expected a config in {FLOAT32}, in which supernets are trained, got {networks.config.precision}."
        )
    if setting.sample_kind == "weights" and not isinstance(networks, MixedNetworks):
        raise ValueError(
            f"Expected a space whose choices can be mixed for {method.name}, as those of a CellSpace can, got "
            f"{space.name}, a {type(space).__name__}; methods of single paths, such as rsps and spos, search it."
        )
    if method.recipe.idle not in IDLE:
        raise unknown_name("idle", method.recipe.idle, IDLE)
    if not task.validation.num_examples:
        raise ValueError(f"Expected a task with validation data to choose by, got {task.name} without.")
    jax.eval_shape(networks.init, jax.random.key(0))
    return setting


def outputs_of(setting: Setting, parameters: Any, sample: Sample, inputs: jax.Array) -> jax.Array:
    """Returns the outputs [N, K] of the part of the supernet that a sample runs."""
    networks, gates = setting.networks, sample.gates
    choice: Any = sample.weights if sample.arch is None else sample.arch
    if gates is not None and isinstance(networks, MixedNetworks):
        choice = Gated(choice, *gates)
    return networks.apply(Variables(parameters), choice, inputs, mode="train").outputs


def initial(setting: Setting, key: jax.Array) -> State:
    """Returns the state before the first step."""
    weights_key, alpha_key = jax.random.split(key)
    parameters = setting.networks.init(weights_key).parameters
    momentum = jax.tree.map(jnp.zeros_like, parameters)
    alpha = setting.method.init(alpha_key, shape_of(setting.space))
    moments = optax.scale_by_adam(*setting.method.recipe.betas).init(alpha)
    return State(parameters, momentum, alpha, moments, jnp.float32(0))


@functools.partial(jax.jit, static_argnums=0, compiler_options=ONE_THREAD)
def advanced(
    setting: Setting, data: tuple[Split, Split], state: State, start: jax.Array, stop: jax.Array, schedule: Schedule
) -> tuple[State, jax.Array]:
    """Returns the state after the steps from `start` to before `stop`, and the mean losses of
    weights and of alpha over them, float32[2]; NaN for alpha if a method has none.
    """
    step = make_step(setting, data, schedule)

    def body(number: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        state, losses = step(carry[0], number)
        return state, carry[1] + losses

    state, sums = jax.lax.fori_loop(start, stop, body, (state, jnp.zeros(2)))
    return state, sums / (stop - start)


def make_step(setting: Setting, data: tuple[Split, Split], schedule: Schedule) -> Callable:
    """Returns `(state, number) -> (state, losses float32[2])`, one step: first of alpha, then of the weights."""
    method, loss = setting.method, loss_of(setting)
    trained = setting.networks.trained()

    def step(state: State, number: jax.Array) -> tuple[State, jax.Array]:
        key = jax.random.fold_in(schedule.key, number)
        keys = [jax.random.fold_in(key, purpose) for purpose in range(4)]
        t = number / schedule.num_steps
        rate = schedule.learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * t))
        size = setting.networks.config.batch_size
        halves = [_batch(jax.random.fold_in(keys[_BATCHES], n), each, size) for n, each in enumerate(data)]

        def sample(alpha: Any, key: jax.Array) -> Sample:
            return _with_fixed(method.sample(key, alpha, t), schedule.fixed)

        value = jnp.float32(jnp.nan)
        if method.hypergradient is not None:
            problem = make_problem(setting, halves, state.momentum, rate, sample)
            state, value = _alpha_step(method, problem, state, t, keys[_ALPHA], schedule.alpha_rate)
        gradient, used, training_loss = _weight_gradient(setting, loss, state, sample, halves[0], t, keys)
        parameters, momentum = updated(method.recipe, trained, state.parameters, state.momentum, gradient, used, rate)
        return state._replace(parameters=parameters, momentum=momentum), jnp.stack([training_loss, value])

    return step


def loss_of(setting: Setting) -> Callable:
    """Returns `(parameters, sample, (inputs, labels)) -> float32[]`, the mean loss."""
    goal = setting.goal
    return lambda parameters, sample, batch: goal.loss(outputs_of(setting, parameters, sample, batch[0]), batch[1])


def summed(goal: Goal, outputs: jax.Array, labels: jax.Array) -> Any:
    """Returns the sums over examples of a goal's measures of each, a pytree of scalars."""
    return jax.tree.map(lambda values: values.sum(-1, dtype=jnp.float32), goal.measure(outputs, labels))


def score_of(goal: Goal, sums: Any, num_examples: int | jax.Array) -> jax.Array:
    """Returns the score of sums, larger is better: the proportion of examples that count, or the metric."""
    value = goal.value(sums)
    return value / num_examples if goal.counts else goal.metric.better * value


def make_problem(setting: Setting, halves: list[tuple], momentum: Any, rate: jax.Array, sample: Callable) -> Problem:
    """Returns the problem of a hypergradient, given a batch (inputs, labels) of the weights' half and one of alpha's.

    Args:
        momentum: of the weights.
        rate: their learning rate.
        sample: `(alpha, key) -> Sample`.
    """
    method, loss, goal = setting.method, loss_of(setting), setting.goal
    trained = setting.networks.trained()
    own, other = halves

    def score(parameters: Any, sample: Sample) -> jax.Array:
        sums = summed(goal, outputs_of(setting, parameters, sample, other[0]), other[1])
        return score_of(goal, sums, len(other[1]))

    return Problem(
        sample,
        lambda parameters, sample: loss(parameters, sample, own),
        lambda parameters, sample: loss(parameters, sample, other),
        score,
        lambda parameters, gradient: updated(method.recipe, trained, parameters, momentum, gradient, None, rate)[0],
        rate,
    )


def _batch(key: jax.Array, split: Split, size: int) -> tuple[jax.Array, jax.Array]:
    """Returns the inputs and labels of examples drawn at random, each in a view drawn at random."""
    example_key, view_key = jax.random.split(key)
    views, count = split.inputs.shape[:2]
    examples = jax.random.randint(example_key, (size,), 0, count)
    return split.inputs[jax.random.randint(view_key, (size,), 0, views), examples], split.labels[examples]


def _with_fixed(sample: Sample, fixed: jax.Array) -> Sample:
    """Returns a sample with the choices that are no longer open."""
    if sample.weights is None:
        return sample
    hot = one_hot(jnp.maximum(fixed, 0), sample.weights.shape[-1])
    return sample._replace(weights=jnp.where(fixed[:, None] >= 0, hot, sample.weights))


def _alpha_step(
    method: Method, problem: Problem, state: State, t: jax.Array, key: jax.Array, rate: jax.Array
) -> tuple[State, jax.Array]:
    """Returns the state with alpha after its step, and the value that alpha descended."""
    assert method.hypergradient is not None
    alpha, recipe = state.alpha, method.recipe
    value, gradient, memory = method.hypergradient(problem, state.parameters, alpha, state.memory, key)
    if method.regularize is not None:
        gradient = jax.tree.map(jnp.add, gradient, jax.grad(method.regularize)(alpha, t))
    gradient = jax.tree.map(lambda a, b: a + recipe.alpha_decay * b, gradient, alpha)
    change, moments = optax.scale_by_adam(*recipe.betas).update(gradient, state.moments)
    moved = state._replace(alpha=jax.tree.map(lambda a, b: a - rate * b, alpha, change), moments=moments, memory=memory)
    # Before it begins to move, the moments stay as well, or the first step would be of old gradients.
    state_after = jax.tree.map(lambda new, old: jnp.where(t >= method.warmup, new, old), moved, state)
    return state_after, value


def _weight_gradient(
    setting: Setting, loss: Callable, state: State, sample: Callable, batch: tuple, t: jax.Array, keys: list
) -> tuple[Any, Any, jax.Array]:
    """Returns the gradient in the weights, the mask of the weights that it uses (None: all), and the loss."""
    method, value_and_grad = setting.method, jax.value_and_grad(loss)
    if method.paths is not None:
        return _gradient_of_paths(setting, state.parameters, method.paths(keys[_WEIGHTS]), batch, loss)
    drawn = sample(state.alpha, keys[_WEIGHTS])
    if method.perturb is not None:
        on_weights = lambda weights: loss(state.parameters, drawn._replace(weights=weights), batch)  # noqa: E731
        drawn = drawn._replace(weights=method.perturb(keys[_PERTURBATION], drawn.weights, on_weights, t))
    value, gradient = value_and_grad(state.parameters, drawn, batch)
    if drawn.arch is None or method.recipe.idle == "decay":
        return gradient, None, value
    return gradient, setting.networks.used(drawn.arch), value


def _gradient_of_paths(
    setting: Setting, parameters: Any, archs: jax.Array, batch: tuple, loss: Callable
) -> tuple[Any, Any, jax.Array]:
    """Returns the summed gradient of several architectures, the mask of the weights used, and the mean loss."""
    teacher = None
    if setting.method.distils:
        taught = outputs_of(setting, parameters, Sample(arch=archs[0]), batch[0])
        teacher = jax.lax.stop_gradient(jax.nn.softmax(taught, axis=-1))

    def distilled(parameters: Any, arch: jax.Array) -> jax.Array:
        outputs = outputs_of(setting, parameters, Sample(arch=arch), batch[0])
        return optax.softmax_cross_entropy(outputs, teacher).mean()

    def add(total: Any, numbered: tuple) -> tuple[Any, tuple]:
        number, arch = numbered

        def own(parameters: Any) -> jax.Array:
            labeled = loss(parameters, Sample(arch=arch), batch)
            return labeled if teacher is None else jnp.where(number == 0, labeled, distilled(parameters, arch))

        value, gradient = jax.value_and_grad(own)(parameters)
        return jax.tree.map(jnp.add, total, gradient), (value, setting.networks.used(arch))

    zeros = jax.tree.map(jnp.zeros_like, parameters)
    total, (values, used) = jax.lax.scan(add, zeros, (jnp.arange(len(archs)), archs))
    together = None if setting.method.recipe.idle == "decay" else jax.tree.map(lambda each: each.max(0), used)
    return total, together, values.mean()


def updated(
    recipe: SearchRecipe, trained: Any, parameters: Any, momentum: Any, gradient: Any, used: Any, rate: jax.Array
) -> tuple[Any, Any]:
    """Returns parameters and momentum after a step of SGD with Nesterov momentum.

    Args:
        trained: 1 for trained values, 0 for those that never change.
        used: 1 for values that this step uses; unused ones keep their value and momentum. None: all are used.
    """
    gradient = jax.tree.map(lambda mask, each: mask * each, trained, gradient)
    norm = jnp.sqrt(sum((each * each).sum() for each in jax.tree.leaves(gradient)) + 1e-12)
    factor = jnp.minimum(1.0, recipe.clip / norm)
    used = jax.tree.map(lambda mask: jnp.ones((), jnp.float32), trained) if used is None else used

    def moved(mask: Any, own: Any, weight: jax.Array, speed: jax.Array, slope: jax.Array) -> tuple:
        slope = mask * (factor * slope + recipe.weight_decay * weight)
        faster = recipe.momentum * speed + slope
        change = rate * mask * (slope + recipe.momentum * faster)
        return jnp.where(own > 0, weight - change, weight), jnp.where(own > 0, faster, speed)

    pairs = jax.tree.map(moved, trained, used, parameters, momentum, gradient)
    return jax.tree.transpose(jax.tree.structure(parameters), jax.tree.structure((0, 0)), pairs)
