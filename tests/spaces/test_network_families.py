"""Families of networks: traced and static networks are one function, with one gradient; sizes are as published."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers.samples import make_graphs, make_task

import jaxnas as jn
from jaxnas.spaces.darts.network import Stack, blocks
from jaxnas.spaces.darts.space import DARTS, OPERATIONS, genes
from jaxnas.spaces.graph_networks.network import GraphStates
from jaxnas.spaces.graph_networks.space import GraphNetworkSpace
from jaxnas.spaces.layers.blocks import slot_sizes, traced_slot, unpack
from jaxnas.spaces.layers.depthwise import convolve_depthwise, multiply_depthwise
from jaxnas.spaces.macro.baselines import BASELINE_CHAINS, ChainBaselines
from jaxnas.spaces.macro.network import Chain
from jaxnas.spaces.macro.space import NB_MACRO, BlockSpace
from jaxnas.spaces.sizes.network import Widths
from jaxnas.spaces.sizes.space import NATS_SSS, SizeSpace
from jaxnas.spaces.transformers.space import TransformerSpace
from jaxnas.tasks.base import TaskSpec
from jaxnas.training import loop, recorder
from jaxnas.training.config import TrainConfig
from jaxnas.training.networks import ScoredNetworks, SharedNetworks, Variables, networks_of

FEW_BLOCKS = BlockSpace("few-blocks", (2,))
FEW_SIZES = SizeSpace(5, (2, 4, 6), "few-sizes")
FEW_GRAPHS = GraphNetworkSpace(("gat", "gin", "cheb", "skip"), "few-graphs")
FEW_TRANSFORMERS = TransformerSpace(2, (4, 8), (1, 2), (3, 6), name="few-transformers")
PUBLISHED_CELLS = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
"""DARTS_V2 of Liu et al.; published are 3.3 million parameters."""
OTHER_CELLS = (
    "Genotype(normal=[('avg_pool_3x3', 0), ('dil_conv_5x5', 1), ('sep_conv_5x5', 0), ('max_pool_3x3', 2), "
    "('skip_connect', 1), ('skip_connect', 3), ('sep_conv_3x3', 2), ('dil_conv_3x3', 4)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('sep_conv_5x5', 0), ('skip_connect', 1), ('dil_conv_3x3', 0), ('dil_conv_5x5', 2), ('avg_pool_3x3', 1), "
    "('avg_pool_3x3', 3), ('sep_conv_3x3', 1), ('dil_conv_5x5', 4)], reduce_concat=[2, 3, 4, 5])"
)
KINDS = {
    "macro": (FEW_BLOCKS, Chain(2, 5, 1), ("21", "10")),
    "baselines": (ChainBaselines("few", (2,)), Chain(2, 5, 1), ("0", "1")),
    "sizes": (FEW_SIZES, Widths(1), ("4:2:6:6:4",)),
    "darts": (DARTS, Stack(2, 2), (OTHER_CELLS,)),
    "graphs": (FEW_GRAPHS, GraphStates(3), ("0012/gat-gin-skip-cheb",)),
    "transformers": (FEW_TRANSFORMERS, None, ("4/2-3-attention/1-6-fourier", "4/2-6-conv5", "8/2-3-fourier")),
}
SHAPE, NUM_CLASSES = (6, 5, 1), 3
SPEC = TaskSpec("images", "class", SHAPE, NUM_CLASSES)
SPECS = {"graphs": TaskSpec("graphs", "class", (5, 7), NUM_CLASSES)}


def examples_and_labels(kind: str) -> tuple[jax.Array, jax.Array]:
    task = make_graphs() if kind == "graphs" else make_task()
    return jnp.asarray(task.train.inputs[0, :16]), jnp.asarray(task.train.labels[:16])


def unchanged(kind, number, x, live):
    """A tap that changes nothing."""
    assert kind in recorder.KINDS
    assert x.ndim == 4
    return (x if live is None else x * live[:, None, None, None]), ()


def loss_of(outputs: jax.Array, labels: jax.Array) -> jax.Array:
    return (jax.nn.log_softmax(outputs) * jax.nn.one_hot(labels, NUM_CLASSES)).sum()


def networks_for(kind: str) -> ScoredNetworks:
    space, network, _ = KINDS[kind]
    return networks_of(space, TrainConfig(network=network), SPECS.get(kind, SPEC))


@functools.cache
def programs(kind: str):
    """Returns networks, their initial arrays and what they compute, compiled once."""
    networks = networks_for(kind)

    @jax.jit
    def measure(arch, variables, images, labels):
        def loss(parameters):
            found = networks.apply(variables._replace(parameters=parameters), arch, images, mode="train")
            return loss_of(found.outputs, labels), found

        gradients, trained = jax.grad(loss, has_aux=True)(variables.parameters)
        evaluated = networks.apply(variables, arch, images, mode="evaluate").outputs
        shown = networks.tapped(variables, arch, images, unchanged, mode="evaluate")[0]
        return trained, jnp.stack([evaluated, shown]), gradients, networks.kernels(arch)[:2]

    return networks, jax.jit(networks.init), measure


@jax.jit
def static_measures(network, images, labels):
    """Returns what a network gives in training, its gradients, and what it gives in evaluation before."""
    evaluated = network(images)

    def loss(network):
        momentum = (0.0,) if jax.tree.leaves(nnx.state(network, nnx.BatchStat)) else ()
        outputs = network(images, True, *momentum)
        return loss_of(outputs, labels), outputs

    gradients, outputs = nnx.grad(loss, has_aux=True)(network)
    return outputs, gradients, evaluated, nnx.state(network, nnx.BatchStat)


def assert_close(found, expected) -> None:
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-5 * max(1, np.abs(other).max()))


TEXTS = [(kind, text) for kind in KINDS if kind != "darts" for text in KINDS[kind][2]]


@pytest.mark.nightly
@pytest.mark.parametrize(("kind", "text"), TEXTS)
def test_static_and_traced_networks_are_one_function_with_one_gradient(kind, text):
    """The static network has the arrays of its architecture only; where there are masks, those of narrow layers."""
    networks, init, measure = programs(kind)
    arch = networks.space.canonical(networks.space.from_str(text))
    choices = tuple(arch.tolist())
    random = np.random.RandomState(1)
    variables = jax.tree.map(
        lambda values: values + random.uniform(0.05, 0.2, values.shape).astype(np.float32),
        init(jax.random.key(0), arch),
    )
    images, labels = examples_and_labels(kind)
    trained, evaluated, gradients, (live, layer) = measure(arch, variables, images, labels)
    network = networks.module(choices, variables)
    outputs, expected, static_evaluated, changed = nnx.jit(static_measures.__wrapped__)(network, images, labels)
    assert_close(trained.outputs, outputs)
    for each in evaluated.reshape(-1, *static_evaluated.shape):  # the second is that with taps
        assert_close(each, static_evaluated)
    mapped = networks.module(choices, Variables(gradients, trained.statistics))
    assert_close(nnx.state(mapped, nnx.Param), expected)
    assert_close(nnx.state(mapped, nnx.BatchStat), changed)
    squares = [sum((values**2).sum() for values in jax.tree.leaves(each)) for each in (gradients, expected)]
    np.testing.assert_allclose(*squares, rtol=1e-3)  # no gradient for what the network has not
    if isinstance(networks, SharedNetworks):  # an architecture is a path of the supernet
        used, fixed = networks.used(arch), networks.trained()
        for slope, mask, each in zip(*map(jax.tree.leaves, (gradients, used, fixed)), strict=True):
            assert each == 0 or not np.any(np.where(np.asarray(mask) > 0, 0, slope))
    paths = jax.tree.leaves_with_path(nnx.to_pure_dict(nnx.state(network, nnx.Param)))
    kernels = [values.size for path, values in paths if str(path[-1].key).endswith("kernel")]
    assert sum(float(values.sum()) for values in jax.tree.leaves(live)) == sum(kernels)
    assert len({int(each) for values in jax.tree.leaves(layer) for each in np.unique(values)} - {-1}) == len(kernels)
    size = networks.size(choices)
    assert size.num_parameters == sum(values.size for values in jax.tree.leaves(nnx.state(network, nnx.Param)))


@pytest.mark.nightly
def test_static_and_traced_networks_of_darts_are_one_function():
    """Gradients are those of slots: the whole network with gradients would take half a minute to compile."""
    networks, (text,) = networks_for("darts"), KINDS["darts"][2]
    arch = DARTS.canonical(DARTS.from_str(text))
    variables = jax.jit(networks.init)(jax.random.key(0), arch)
    images, _ = examples_and_labels("darts")

    @jax.jit
    def traced(arch, variables, images):
        trained = networks.apply(variables, arch, images, mode="train")
        shown = networks.tapped(variables, arch, images, unchanged)[0]
        live = networks.kernels(arch).live
        return trained, shown, sum(each.sum() for each in live)

    module = networks.module(tuple(arch.tolist()), variables)
    definition, state = nnx.split(module)

    @jax.jit
    def expected(state, images):
        network = nnx.merge(definition, state, copy=True)
        return network(images, True, 0.0), nnx.state(network, nnx.BatchStat)

    (outputs, statistics), shown, num_live = traced(arch, variables, images)
    others, changed = expected(state, images)
    assert_close(outputs, others)
    assert_close(shown, others)
    mapped = networks.module(tuple(arch.tolist()), variables._replace(statistics=statistics))
    assert_close(nnx.state(mapped, nnx.BatchStat), changed)
    arrays = jax.tree.leaves_with_path(nnx.to_pure_dict(nnx.state(module, nnx.Param)))
    assert num_live == sum(values.size for path, values in arrays if str(path[-1].key).endswith("kernel"))
    size = networks.size(tuple(arch.tolist())).num_parameters
    assert size == sum(values.size for _, values in arrays)


def test_a_path_of_the_supernet_of_darts_has_the_arrays_of_its_edges():
    """Arrays are numbered by cell, edge and operation; networks of given arrays are compared above."""
    space, network, (text,) = KINDS["darts"]
    networks, arch, made = networks_for("darts"), space.from_str(text), blocks(network, SPEC)
    shapes = jax.eval_shape(networks.init, jax.random.key(0)).parameters
    sizes = [each.shape[-1] for each in shapes["cells"]]
    numbers = [100 * cell + np.arange(14 * 7.0).reshape(14, 7, 1) + np.zeros(size) for cell, size in enumerate(sizes)]
    found = networks.own(jax.tree.map(jnp.zeros_like, shapes) | {"cells": numbers}, arch).parameters
    assert len(found) == 2 + 10 * len(sizes)
    edges = [(source, node) for node in range(2, 6) for source in range(node)]
    used, trained = networks.used(arch)["cells"], networks.trained()["cells"]
    for cell, own in enumerate(made.cells):
        named = enumerate(genes(tuple(arch.tolist())[12 * own.reduces :][:12]))
        expected = [7 * edges.index((source, 2 + n // 2)) + OPERATIONS.index(name) for n, (name, source) in named]
        assert [float(each[0]) - 100 * cell for each in found[1 + 10 * cell + 2 :][:8]] == expected
        assert np.flatnonzero(used[cell]).tolist() == expected
        arrays = [each.parameters().items() for each in own.slot]  # in a reduction cell those of inputs come first
        kernels = [sum(values.size for name, values in each if name.endswith("kernel")) for each in arrays]
        assert trained[cell].shape == shapes["cells"][cell].shape
        of_edges = [kernels[-7:] if source >= 2 else kernels[:7] for source, _ in edges]
        np.testing.assert_array_equal(trained[cell].sum(-1), of_edges)


def test_the_gradients_of_a_slot_are_those_of_its_block():
    """A slot of a reduction cell: an operation of one of its inputs, which halves, and one of a node."""
    whole = blocks(Stack(2, 2), SPEC).cells[1].slot
    slot = whole[OPERATIONS.index("sep_conv_3x3")], whole[len(OPERATIONS) + OPERATIONS.index("max_pool_3x3")]
    random = np.random.RandomState(0)
    channels = 4
    x = tuple(jnp.asarray(random.randn(channels, *shape, 3), jnp.float32) for shape in ((6, 5), (3, 3)))
    parameters, statistics = (jnp.asarray(random.uniform(0.5, 1, size), jnp.float32) for size in slot_sizes(slot))

    def loss(function, x, parameters):
        return (function(x, parameters, statistics)[0] ** 2).sum()

    run = traced_slot(slot, True)
    found = jax.jit(jax.grad(lambda choice, *inputs: loss(functools.partial(run, choice), *inputs), (1, 2)))
    for choice, block in enumerate(slot):

        def alone(x, parameters, statistics, block=block):
            return block(x, unpack(parameters, block.parameters()), unpack(statistics, block.statistics()), True)

        expected = jax.jit(jax.grad(functools.partial(loss, alone), (0, 1)))(x, parameters)
        assert_close(found(choice, x, parameters), expected)


@pytest.mark.parametrize(
    ("size", "stride", "dilation", "shape"),
    [(3, 2, 1, (6, 5)), (5, 1, 2, (7, 4)), (5, 2, 1, (1, 2))],
)
def test_depthwise_convolutions_are_those_of_xla(size, stride, dilation, shape):
    random = np.random.RandomState(0)
    x, kernel = jnp.asarray(random.randn(3, *shape, 4)), jnp.asarray(random.randn(size, size, 3))
    around = size // 2 * dilation

    def expected(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel[:, :, None],
            (stride, stride),
            [(around, around)] * 2,
            rhs_dilation=(dilation, dilation),
            dimension_numbers=("CHWN", "HWIO", "CHWN"),
            feature_group_count=3,
        )

    def measured(function):
        found, pullback = jax.vjp(function, x, kernel)
        return found, pullback(jnp.sin(jnp.arange(found.size, dtype=jnp.float32)).reshape(found.shape))

    def assert_expected(function):
        found = jax.jit(lambda: measured(function))()
        jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=2e-5), found, measured(expected))

    assert_expected(lambda x, kernel: convolve_depthwise(x, kernel, stride, dilation))
    if dilation == 1:
        assert_expected(lambda x, kernel: multiply_depthwise(x, kernel, stride))


def size_of(space, network, text: str, shape=(32, 32, 3), num_classes=10):
    choices = tuple(int(choice) for choice in space.from_str(text))
    spec = TaskSpec("images", "class", shape, num_classes)
    return networks_of(space, TrainConfig(network=network), spec).size(choices)


@pytest.mark.parametrize(
    ("text", "num_classes", "shape", "parameters", "flops"),
    [
        ("8:8:8:8:8", 10, (32, 32, 3), 0.011714, 4.481114),
        ("8:8:8:16:32", 10, (32, 32, 3), 0.049202, 6.84065),
        ("8:8:40:32:40", 100, (32, 32, 3), 0.148524, 21.831684),
        ("8:8:40:32:40", 120, (16, 16, 3), 0.149344, 5.461816),
    ],
)
def test_sizes_of_nats_bench_are_the_published_ones(text, num_classes, shape, parameters, flops):
    found = size_of(NATS_SSS, Widths(1), text, shape, num_classes)
    assert (found.num_parameters / 1e6, found.num_flops / 1e6) == (parameters, flops)


def test_sizes_of_darts_are_the_published_ones():
    assert round(size_of(DARTS, Stack(36, 20), PUBLISHED_CELLS).num_parameters / 1e6, 1) == 3.3


def test_sizes_of_the_published_macro_networks_are_those_of_their_layers():
    """Convolutions without bias, each with a scale and a shift: counted by hand for two networks."""
    published = Chain(32, 1280, 3)
    stem, head = 27 * 32 + 64, 256 * 1280 + 2560 + 12810
    shortcuts = sum(channels * 2 * channels + 4 * channels for channels in (32, 64, 128))
    assert size_of(NB_MACRO, published, "00000000").num_parameters == stem + head + shortcuts

    def bottleneck(before: int, after: int, size: int, expansion: int) -> int:
        hidden = expansion * before
        return hidden * (before + size**2 + after) + 4 * hidden + 2 * after

    large, small = bottleneck(32, 64, 5, 6), bottleneck(64, 64, 3, 3)
    found = size_of(NB_MACRO, published, "21000000")
    shortcuts -= 32 * 64 + 128
    assert found.num_parameters == stem + head + shortcuts + large + small
    flops = 27 * 32 * 1024 + 192 * (32 * 1024 + (25 + 64) * 256) + 192 * (64 + 9 + 64) * 256
    flops += 64 * 128 * 64 + 128 * 256 * 16 + 256 * 1280 * 16 + 1281 * 10
    assert found.num_flops == flops


def test_sizes_of_the_lines_to_beat_are_those_of_resnet_and_of_mobilenet():
    """Blocks are counted by hand; the basic ones of ResNet-18 give its published 11,689,512 parameters."""
    found = [size_of(BASELINE_CHAINS, Chain(32, 1280, 3), str(row)).num_parameters for row in range(2)]
    stem, head = 27 * 32 + 64, 256 * 1280 + 2560 + 12810

    def basic(before: int, after: int) -> int:
        shortcut = 0 if before == after else before * after + 2 * after
        return 9 * before * after + 9 * after * after + 4 * after + shortcut

    def bottleneck(before: int, after: int) -> int:
        hidden = 6 * before
        return hidden * (before + 9 + after) + 4 * hidden + 2 * after

    stages = ((32, 64, 1), (64, 128, 2), (128, 256, 2))
    for number, block in zip(found, (basic, bottleneck), strict=True):
        assert number == stem + head + sum(block(a, b) + count * block(b, b) for a, b, count in stages)
    published = 3 * 64 * 49 + 2 * 64 + 512 * 1000 + 1000 + 2 * basic(64, 64)
    assert published + sum(basic(c, 2 * c) + basic(2 * c, 2 * c) for c in (64, 128, 256)) == 11_689_512


ALWAYS = "macro"
"""The kind whose trace is counted in each run of the tests; `predictors/test_taps.py` compiles once for each kind."""


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=() if kind == ALWAYS else pytest.mark.nightly) for kind in KINDS if kind != "darts"],
)
def test_one_trace_serves_all_architectures(kind):
    space, _, texts = KINDS[kind]
    _, init, measure = programs(kind)
    images, labels = examples_and_labels(kind)
    for arch in [space.from_str(text) for text in texts]:
        measure(arch, init(jax.random.key(0), arch), images, labels)
    assert init._cache_size() == measure._cache_size() == 1


def test_branches_remain_in_the_training_of_several_seeds():
    space, network, texts = KINDS["macro"]
    task, config = make_task(), TrainConfig(num_epochs=2, batch_size=16, network=network)
    splits = (task.train, task.validation, task.test)
    arguments = (networks_of(space, config, SPEC), 2, space.from_str(texts[0]), jnp.arange(2), splits)
    program = loop.train_seeds.lower(*arguments).as_text()
    assert len(re.findall(r"stablehlo\.case", program)) >= 3 * 2  # two layers; forward, backward and evaluation


def test_a_space_of_another_number_of_layers_has_no_networks():
    with pytest.raises(ValueError, match=r"^Expected a space of 2, 5, 8, ... layers to train its networks, got 4"):
        jn.Trainer(SizeSpace(4, (2, 4)), make_task()).size([0, 0, 0, 0])
