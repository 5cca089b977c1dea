"""Transformers: one function for the network of a fixed architecture, and of a traced one, which is masked.

Layers are normalized first (Xiong et al., ICML 2020): x + mixer(norm(x)), then x + hidden(norm(x)) with rectifiers. A
step's numbers enter by a linear map, to which its position adds learned numbers. With one label an example, the outputs
of the last normalization are averaged over the real steps.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.spaces.layers.steps import num_features, steps_of
from jaxnas.spaces.transformers.space import FIRST_LAYER, MIXERS, PER_LAYER, TransformerSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training.recorder import BLOCK, FEATURES, LINEAR, NORM, OUTPUT, RECTIFIER, SILENT, Recorder

TAPS = 5
EPSILON = 1e-5
AROUND = {
    "input_kernel": ("features", "width"),
    "positions": ("steps", "width"),
    "norm_scale": ("width",),
    "norm_bias": ("width",),
    "head_kernel": ("width", "outputs"),
    "head_offset": ("outputs",),
}
"""The arrays around the layers, with the meanings of their axes."""
IN_LAYER = {
    "mix_scale": ("width",),
    "mix_bias": ("width",),
    "query_kernel": ("width", "width"),
    "query_offset": ("width",),
    "key_kernel": ("width", "width"),
    "key_offset": ("width",),
    "value_kernel": ("width", "width"),
    "value_offset": ("width",),
    "taps_kernel": ("taps", "heads"),
    "given_kernel": ("width", "width"),
    "given_offset": ("width",),
    "hidden_scale": ("width",),
    "hidden_bias": ("width",),
    "expand_kernel": ("width", "hidden"),
    "expand_offset": ("hidden",),
    "contract_kernel": ("hidden", "width"),
    "contract_offset": ("width",),
}
"""The arrays of a layer."""
OF_MIXER = {
    "query": ("attention",),
    "key": ("attention",),
    "value": MIXERS[:2],
    "taps": ("conv5",),
    "given": MIXERS[:2],
}
"""The mixers that use arrays whose names begin so; all use the others."""


class Layer(NamedTuple):
    """The choices of an architecture for a layer; `mixer` is a position in the space's mixers."""

    heads: Any
    hidden: Any
    mixer: Any


class Decided(NamedTuple):
    """The choices of an architecture, numbers or traced arrays."""

    depth: Any
    width: Any
    layers: list[Layer]


def decided(space: TransformerSpace, arch: Any) -> Decided:
    """Returns the choices of an architecture: arrays if it is traced, ints for a tuple of ints."""
    values: list[Any] = [space.widths, space.heads, space.hidden]
    widths, heads, hidden = values if isinstance(arch, tuple) else [jnp.asarray(each) for each in values]
    starts = range(FIRST_LAYER, len(space.decisions), PER_LAYER)
    layers = [Layer(heads[arch[start]], hidden[arch[start + 1]], arch[start + 2]) for start in starts]
    return Decided(arch[0] + 1, widths[arch[1]], layers)


def sizes_of(space: TransformerSpace, spec: TaskSpec) -> dict[str, int]:
    """Returns the lengths of the axes of arrays, the largest choice for searched ones."""
    around = {"features": num_features(spec), "steps": spec.shape[0], "outputs": spec.num_outputs, "taps": TAPS}
    return {**around, "width": space.widths[-1], "heads": space.heads[-1], "hidden": space.hidden[-1]}


def outputs(
    space: TransformerSpace,
    spec: TaskSpec,
    choice: Decided,
    arrays: dict[str, Any],
    inputs: jax.Array,
    show: Recorder = SILENT,
    mode: str = "evaluate",
) -> jax.Array:
    """Returns the outputs [N, K], or [N, T, K] if the goal has one a step, of inputs [N, T, F] or tokens [N, T].

    Args:
        choice: if traced, arrays have the largest sizes, and the parts beyond the architecture's are masked. For ints,
            arrays have the architecture's sizes, and only for its layers.
        show: a recorder of the inner arrays. Steps are the rows of its images.
        mode: `"identity"`: without normalization.
    """
    steps, real = steps_of(spec, inputs)
    live = jnp.arange(arrays["input_kernel"].shape[1]) < choice.width
    within = Within(live, choice.width, real, mode == "identity")
    x = show.rows(LINEAR, steps @ arrays["input_kernel"], live=live) + arrays["positions"]
    x = show.rows(BLOCK, jnp.where(live, x, 0), 0, live)
    for number, (own, layer) in enumerate(zip(arrays["layers"], choice.layers, strict=False)):
        if isinstance(choice.depth, int):
            x = _layer(space, number, layer, own, within, show, x)
        else:
            parts = show.branches([functools.partial(_layer, space, number, layer, own, within), lambda inside, x: x])
            x, found = jax.lax.cond(number < choice.depth, *parts, x)
            show.add(found)
    x = _norm(x, arrays["norm_scale"], arrays["norm_bias"], within, show)
    x = show.rows(FEATURES, x, live=live)
    if not GOALS[spec.goal].each_step:
        x = jnp.where(real[..., None], x, 0).sum(1) / jnp.maximum(real.sum(1), 1)[:, None]
    return show.rows(LINEAR, x @ arrays["head_kernel"], OUTPUT) + arrays["head_offset"]


class Within(NamedTuple):
    """The context of all layers: which of the numbers of a step are the architecture's own, bool[W], how many they are,
    which steps are real, bool[N, T], and whether normalization is omitted.
    """

    live: jax.Array
    width: Any
    real: jax.Array
    plain: bool


def _norm(x: jax.Array, scale: jax.Array, bias: jax.Array, within: Within, show: Recorder) -> jax.Array:
    """Returns layer normalization over the live numbers of a step; 0 beyond them."""
    live, width, _, plain = within
    x = show.rows(NORM, x, live=live)
    if plain:
        return x
    centered = jnp.where(live, x - x.sum(-1, keepdims=True) / width, 0)
    variance = (centered * centered).sum(-1, keepdims=True) / width
    return jnp.where(live, centered * jax.lax.rsqrt(variance + EPSILON) * scale + bias, 0)


def _layer(
    space: TransformerSpace, number: int, layer: Layer, own: dict, within: Within, show: Recorder, x: jax.Array
) -> jax.Array:
    """Returns the steps [N, T, W] after a layer, the first of which has the number 0."""
    live, width = within.live, within.width
    numbers = jnp.arange(x.shape[-1])
    in_head = (numbers * layer.heads // width == jnp.arange(_num_heads(space, layer))[:, None]) & live  # [H, W]
    mixers = {"attention": _attention, "conv5": _convolution, "fourier": _fourier}
    arguments = (own, in_head.astype(x.dtype), width / layer.heads, within.real)
    y = _norm(x, own["mix_scale"], own["mix_bias"], within, show)
    if isinstance(layer.mixer, int):
        y = mixers[space.mixers[layer.mixer]](show, *arguments, y)
    else:
        branches = show.branches([mixers[name] for name in space.mixers])
        y, found = jax.lax.switch(layer.mixer, branches, *arguments, y)
        show.add(found)
    x = x + jnp.where(live, y, 0)
    y = _norm(x, own["hidden_scale"], own["hidden_bias"], within, show)
    own_units = jnp.arange(own["expand_offset"].size) < layer.hidden
    hidden = _linear(show, own, "expand", y, own_units)
    hidden = jnp.where(own_units, jax.nn.relu(show.rows(RECTIFIER, hidden, live=own_units)), 0)
    x = x + jnp.where(live, _linear(show, own, "contract", hidden, live), 0)
    return show.rows(BLOCK, x, number + 1, live=live)


def _num_heads(space: TransformerSpace, layer: Layer) -> int:
    return layer.heads if isinstance(layer.heads, int) else space.heads[-1]


def _linear(show: Recorder, own: dict, name: str, x: jax.Array, live: jax.Array) -> jax.Array:
    """Returns a linear map, of whose outputs some are the architecture's own."""
    return show.rows(LINEAR, x @ own[f"{name}_kernel"], live=live) + own[f"{name}_offset"]


def _attention(show: Recorder, own: dict, in_head: jax.Array, size: Any, real: jax.Array, x: jax.Array) -> jax.Array:
    """Returns scaled attention to the real steps, by each head's part of the numbers. Masked heads add nothing."""
    live = in_head.any(0)
    query, key, value = (_linear(show, own, name, x, live) for name in ("query", "key", "value"))
    of_head = in_head[None, :, None]  # [1, H, 1, W]
    scores = jnp.einsum("nhtc,nsc->nhts", query[:, None] * of_head, key) / jnp.sqrt(size)
    weights = jax.nn.softmax(jnp.where(real[:, None, None], scores, -1e9), axis=-1)
    mixed = (jnp.einsum("nhts,nsc->nhtc", weights, value) * of_head).sum(1)
    return _linear(show, own, "given", mixed, live)


def _convolution(show: Recorder, own: dict, in_head: jax.Array, size: Any, real: jax.Array, x: jax.Array) -> jax.Array:
    """Returns a convolution over five steps, with one kernel for the numbers of a head."""
    live = in_head.any(0)
    value = jnp.where(real[..., None], _linear(show, own, "value", x, live), 0)
    taps, reach = own["taps_kernel"] @ in_head, TAPS // 2
    padded = jnp.pad(value, ((0, 0), (reach, reach), (0, 0)))
    shifted = [padded[:, tap : tap + x.shape[1]] * taps[tap] for tap in range(TAPS)]
    mixed = show.rows(LINEAR, sum(shifted[1:], shifted[0]), live=live)
    return _linear(show, own, "given", mixed, live)


def _fourier(show: Recorder, own: dict, in_head: jax.Array, size: Any, real: jax.Array, x: jax.Array) -> jax.Array:
    """Returns the real part of the Fourier transform over steps and over the numbers of each head, of variance kept."""
    num_steps = x.shape[1]
    of_steps = 2 * np.pi / num_steps * np.outer(np.arange(num_steps), np.arange(num_steps))
    numbers = jnp.arange(x.shape[2])
    within = (numbers - in_head.T @ jnp.arange(len(in_head)) * size).astype(x.dtype)
    together = in_head.T @ in_head
    of_numbers = 2 * np.pi / size * (within[:, None] * within)
    x = jnp.where(real[..., None], x, 0)
    cosines = jnp.einsum("ts,nsc->ntc", np.cos(of_steps).astype(np.float32), x) @ (together * jnp.cos(of_numbers))
    sines = jnp.einsum("ts,nsc->ntc", np.sin(of_steps).astype(np.float32), x) @ (together * jnp.sin(of_numbers))
    return (cosines - sines) / jnp.sqrt(num_steps * size)


def is_used(name: str, mixer: str) -> bool:
    """Returns whether layers of a mixer use an array of a name."""
    return mixer in OF_MIXER.get(name.partition("_")[0], MIXERS)


class TransformerNetwork(nnx.Module):
    """The network of one architecture: `network(inputs, train=False) -> outputs`.

    Attributes:
        around, layers: the arrays around the layers, and the arrays of each layer.
    """

    def __init__(self, space: TransformerSpace, spec: TaskSpec, arch: tuple[int, ...], arrays: dict[str, Any]):
        """Makes the network with arrays of the architecture's sizes."""
        self.space, self.spec, self.arch = space, spec, arch
        self.around = nnx.Dict({name: nnx.Param(arrays[name]) for name in AROUND})
        self.layers = nnx.List(
            [nnx.Dict({name: nnx.Param(value) for name, value in layer.items()}) for layer in arrays["layers"]]
        )

    def __call__(self, inputs: jax.Array, train: bool = False) -> jax.Array:
        """Returns the outputs [N, K], or [N, T, K] if the goal has one a step."""
        arrays: dict[str, Any] = {name: value[...] for name, value in self.around.items()}
        arrays["layers"] = [{name: value[...] for name, value in layer.items()} for layer in self.layers]
        return outputs(self.space, self.spec, decided(self.space, self.arch), arrays, inputs)
