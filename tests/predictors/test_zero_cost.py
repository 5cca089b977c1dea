"""Zero-cost proxies are what their formulas say, on networks small enough to compute it otherwise."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.samples import GRID, SMALL
from helpers.tiny_kind import TINY_KIND, WIDTH

import jaxnas as jn
from jaxnas import catalog
from jaxnas.predictors.zero_cost import (
    activations,
    az,
    composites,
    examples,
    gradients,
    jacobians,
    meco,
    scores,
    second_order,
    synflow,
)
from jaxnas.predictors.zero_cost.base import make_batch, sums_by_layer
from jaxnas.predictors.zero_cost.named import proxy_named
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.spaces.cells.networks import CellNetworks
from jaxnas.spaces.cells.space import NB201
from jaxnas.tasks.base import TaskSpec
from jaxnas.tasks.goals import GOALS
from jaxnas.training.config import TrainConfig


@pytest.fixture(scope="module")
def task():
    generator = np.random.default_rng(0)
    return jn.task_from_arrays(generator.normal(size=(60, 5)), generator.integers(0, 3, 60), name="points")


@pytest.fixture(scope="module")
def setting(task):
    return scores.setting_of(TINY_KIND, task, num_inits=2, batch_size=8)


PASSES = {found.source.name: found.source for found in map(proxy_named, catalog.PROXIES)}
NOT_ON_TINY = ("sizes", "zen", "meco")


@pytest.fixture(scope="module")
def both(setting):
    """Returns what each pass measures of each of the two architectures with the first key, in one compilation."""

    def measure(arch):
        passes = {name: source for name, source in PASSES.items() if name not in NOT_ON_TINY}
        return {
            name: source.measure(setting.networks, arch, setting.keys[0], setting.batch)
            for name, source in passes.items()
        }

    compiled = jax.jit(measure)
    return jax.device_get([compiled(jnp.asarray([0])), compiled(jnp.asarray([1]))])


@pytest.fixture(scope="module")
def layer(both):
    return both[0]


@pytest.fixture(scope="module")
def expected(setting):
    """Returns derivatives of the first architecture's network, by one vector of all weights, in one compilation."""
    networks, batch, arch = setting.networks, setting.batch, jnp.asarray([0])

    def derivatives(key):
        variables = networks.init(key, arch)
        flat, unflat = jax.flatten_util.ravel_pytree(variables.parameters)

        def loss(vector, part=slice(None)):
            found = variables._replace(parameters=unflat(vector))
            return networks.loss(found, arch, batch.inputs[part], batch.labels[part])

        def gated(gates):
            def tap(kind, number, x, live):
                return (x * (1 + gates[number][:, None, None]) if kind == "linear" else x), ()

            outputs = networks.tapped(variables, arch, batch.inputs, tap)[0]
            return GOALS[networks.spec.goal].loss(outputs, batch.labels)

        def outputs(vector):
            found = variables._replace(parameters=unflat(vector))
            return networks.apply(found, arch, batch.inputs, mode="train").outputs.sum(1)

        halves = [jax.grad(loss)(flat, part) for part in (slice(4), slice(4, 8))]
        return {
            "weights": variables.parameters,
            "by mask": unflat(jax.grad(lambda mask: loss(flat * mask))(jnp.ones_like(flat))),  # as Lee et al. have it
            "gradient": unflat(jax.grad(loss)(flat)),
            "flat": flat,
            "hessian": jax.hessian(loss)(flat),
            "gates": jax.grad(gated)({number: jnp.zeros((size, 8)) for number, size in SHAPES.items()}),
            "halves": [unflat(half) for half in halves],
            "jacobian": jax.jacobian(outputs)(flat),
            "kept": unflat(jnp.ones_like(flat)),
        }

    return jax.device_get(jax.jit(derivatives)(setting.keys[0]))


SHAPES = {0: WIDTH, 1: WIDTH, -1: 3}
KERNELS = ("first", "inner", "last")


def test_sums_of_gradients_are_those_of_a_mask_of_ones(layer, expected):
    found, by_mask, each = layer["gradient"], expected["by mask"], expected["gradient"]
    np.testing.assert_allclose(found["absolute"], [np.abs(by_mask[name]).sum() for name in KERNELS], rtol=1e-5)
    assert gradients.PLAIN.score(found) == pytest.approx(sum(by_mask[name].sum() for name in KERNELS), rel=1e-4)
    norms = {name: np.linalg.norm(each[name]) for name in each}
    assert gradients.GRAD_NORM.score(found) == pytest.approx(sum(norms[name] for name in KERNELS), rel=1e-5)
    assert gradients.GRAD_NORM_GLOBAL.score(found) == pytest.approx(np.linalg.norm([*norms.values()]), rel=1e-5)
    norms = [np.linalg.norm(expected["weights"][name]) for name in KERNELS]
    assert gradients.L2_NORM.score(found) == pytest.approx(sum(norms), rel=1e-6)


def test_grasp_is_that_of_the_whole_hessian(layer, expected):
    kept = np.concatenate([np.full(expected["kept"][name].size, name != "bias") for name in sorted(expected["kept"])])
    gradient = np.concatenate([expected["gradient"][name].ravel() for name in sorted(expected["gradient"])])
    score = -(kept * expected["flat"]) @ expected["hessian"].astype(np.float64) @ (kept * gradient)
    assert second_order.GRASP.score(layer["second_order"]) == pytest.approx(score, rel=1e-4)


def test_fisher_is_that_of_derivatives_by_channel_and_example(layer, expected):
    score = sum(np.square(each).mean(1).sum() / 2 for each in expected["gates"].values())
    assert gradients.FISHER.score(layer["channel_gradient"]) == pytest.approx(score, rel=1e-5)


def test_zico_is_of_two_halves_and_leaves_out_layers_without_a_gradient(layer, expected):
    score = 0.0
    for name in KERNELS:
        one, other = (half[name].astype(np.float64) for half in expected["halves"])
        there = one != other
        score += np.log(((abs(one) + abs(other))[there] / abs(one - other)[there]).sum())
    assert gradients.ZICO.score(layer["two_gradients"]) == pytest.approx(score, rel=1e-3)
    assert gradients.zico_of(np.asarray([0.0, np.e])) == pytest.approx(1)
    assert np.isnan(gradients.zico_of(np.asarray([np.nan, np.e])))


def test_synaptic_flow_is_conserved_and_scales(layer):
    found = layer["absolute"]
    np.testing.assert_allclose(found["flows"], found["output"], rtol=1e-5)  # the flow through each layer is the output
    assert synflow.SYNFLOW.score(found) == pytest.approx(np.log(3) + np.log(found["output"]), rel=1e-6)
    doubled = {"flows": 2 * found["flows"]}
    assert synflow.SYNFLOW.score(doubled) == pytest.approx(synflow.SYNFLOW.score(found) + np.log(2))
    assert synflow.SYNFLOW.score({"flows": np.zeros((1, 3))}) == -np.inf


def test_the_tangent_kernel_is_that_of_the_jacobian_and_signs_are_bounded(layer, expected):
    found, jacobian = layer["examples"], expected["jacobian"].astype(np.float64)
    np.testing.assert_allclose(found["tangent"], jacobian @ jacobian.T, rtol=1e-3, atol=1e-3)
    assert examples.NTK_TRACE.score(found) == pytest.approx((jacobian**2).sum() / len(jacobian), rel=1e-4)
    assert examples.log_condition(np.diag([1.0, 2, 8])) == pytest.approx(np.log(8))
    num_weights = sum(expected["weights"][name].size for name in KERNELS)
    assert 0 < examples.GRADSIGN.score(found) <= len(jacobian) * num_weights
    assert np.isnan(examples.log_condition(np.zeros((1, 3, 3)))).all()


def test_signs_of_rounding_do_not_count():
    """As in double precision, on a network whose first kernel has no gradient: the mean of what is normalized is 0."""
    random = np.random.default_rng(0)
    given = random.normal(size=(16, 30, 4)), random.normal(size=(4, 5)), random.normal(size=(4, 3))

    def gradients(examples, hidden, direct):
        def loss(weights, x):
            y = x @ weights["hidden"]
            normalized = (y - y.mean(0)) / jnp.sqrt(y.var(0) + 1e-5)
            return normalized.mean(0).sum() + jnp.tanh(x @ weights["direct"]).sum()

        return jax.vmap(jax.grad(loss), (None, 0))({"hidden": hidden, "direct": direct}, examples)

    live = {"hidden": 1.0, "direct": 1.0}
    single = gradients(*(jnp.asarray(each, jnp.float32) for each in given))
    with jax.enable_x64(True):
        double = jax.device_get(gradients(*map(jnp.asarray, given)))
    assert np.abs(np.sign(single["hidden"]).sum(0)).sum() > 0  # of rounding
    expected = np.abs(np.sign(double["direct"]).sum(0)).sum()
    assert examples.agreeing_signs(single, live) == examples.agreeing_signs(double, live) == expected


def test_nwot_is_the_determinant_of_shared_signs(layer, setting, expected):
    signs = np.asarray(setting.batch.inputs) @ expected["weights"]["first"] > 0
    found = layer["forward"]
    np.testing.assert_array_equal(found["agreement"], (signs[:, None] == signs).sum(-1))
    assert found["patterns"] == len(np.unique(signs, axis=1).T)
    assert activations.NWOT.score(found) == -np.inf  # four signs cannot tell eight examples apart
    distance = (signs[:, None] != signs).mean(-1)[~np.eye(8, dtype=bool)].mean()
    assert activations.RELU_DISTANCE.score(found) == pytest.approx(distance)
    codes = np.random.default_rng(0).integers(0, 2, (500, 8)).astype(np.float32)
    agreement = np.asarray(activations.agreement(jnp.asarray(codes)[:, None, None], None))
    score = activations.nwot_of(agreement)
    assert score == pytest.approx(np.linalg.slogdet((codes.T[:, None] == codes.T).sum(-1).astype(float))[1])
    assert score <= 8 * np.log(500)
    order, twice = np.random.default_rng(1).permutation(8), [0, 0, *range(2, 8)]
    assert activations.nwot_of(agreement[order][:, order]) == pytest.approx(score)
    assert activations.nwot_of(agreement[twice][:, twice]) == -np.inf


def test_linear_regions_are_counted_by_differences_on_the_way():
    points = jnp.linspace(-1, 1, 9)[None, None, None]  # one unit that changes its sign once
    found = np.asarray(activations.hashed("rectifier", 0, points, None)[1])
    assert ((found[:, 1:] != found[:, :-1]).any(0)).sum() == 1


def test_jacov_and_epe_are_those_of_known_correlations():
    count, offset = 6, jacobians.OFFSET
    expected = -count * (np.log(1 + offset) + 1 / (1 + offset))
    assert jacobians.jacov_of(np.eye(count)) == pytest.approx(expected)
    rows = np.random.default_rng(0).normal(size=(5, 40))
    found = np.asarray(jacobians.correlations(jnp.asarray(rows)))
    np.testing.assert_allclose(found, np.corrcoef(rows), atol=1e-6)
    values = np.linalg.eigvalsh(np.corrcoef(rows)) + offset
    assert jacobians.jacov_of(found) == pytest.approx(-(np.log(values) + 1 / values).sum(), rel=1e-4)
    labels = np.asarray([0, 0, 1, 1, 1])
    parts = [np.abs(np.log(np.abs(np.corrcoef(rows[labels == each])) + offset).sum()) for each in (0, 1)]
    assert jacobians.epe_of(found, labels) == pytest.approx(sum(parts), rel=1e-4)
    constant = np.asarray(jacobians.correlations(jnp.zeros((3, 4))))
    assert np.isnan(jacobians.jacov_of(constant))
    assert np.isnan(jacobians.epe_of(constant, np.zeros(3, int)))


def test_az_is_that_of_entropies_and_singular_values(both):
    layer, skip = (each["blocks"] for each in both)
    assert az.trainability_of(skip) == -np.inf  # what passes its input on leaves gradients as they are
    assert az.progressivity_of(skip) == 0
    assert -np.inf < az.trainability_of(layer) < 0
    flat = np.eye(3)[None]
    assert az.entropies_of(flat) == pytest.approx(np.log(3), abs=1e-6)
    measured_blocks = {"products": 2 * flat, "unchanged": np.zeros(1, bool), "present": np.ones(2)}
    assert az.trainability_of(measured_blocks) == pytest.approx(2 - 2 - 0.5, abs=1e-5)
    assert np.isnan(az.entropies_of(np.zeros((1, 3, 3)))).all()


def test_the_smallest_eigenvalue_is_found_without_a_solver():
    generator = np.random.default_rng(0)
    x = (generator.normal(size=(16, 2, 3, 20)) + generator.normal(size=(1, 2, 3, 20))).astype(np.float32)
    smallest = jax.jit(lambda x, live: meco.smallest_eigenvalue(meco.channel_correlations(x, live)))
    for number in (1, 5, 16):
        matrix = np.corrcoef(x[:number].reshape(number, -1)).reshape(number, number)
        assert smallest(x, np.arange(16) < number) == pytest.approx(np.linalg.eigvalsh(matrix)[0], abs=2e-5)
    assert smallest(np.concatenate([x[:15], x[:1] * 0]), np.ones(16, bool)) == pytest.approx(0, abs=1e-6)


def ones_of(kernels):
    return kernels, jax.tree.map(jnp.ones_like, kernels.live)


def test_l2_norm_counts_convolutions_at_the_published_size():
    """NASLib's stored scores are 50.971 n_conv + 27.790 within 1 %: sums over layers of norms of uniform kernels."""
    config = TrainConfig(network=Skeleton(16, 3, 5))
    networks = CellNetworks(NB201, config, TaskSpec("images", "class", (32, 32, 3), 10))
    generator = np.random.default_rng(0)
    sums = jax.jit(lambda arch: sums_by_layer(*ones_of(networks.kernels(arch))))
    for choice, number in (((2, 3, 0, 3, 1, 2), 4), ((3,) * 6, 6)):
        sizes = np.asarray(sums(jnp.asarray(choice)))
        convolutions = sizes[sizes > 0]
        assert (convolutions > 0).sum() == 15 * number + 8
        channels = {
            2304: 16,
            9216: 32,
            36864: 64,
            256: 16,
            1024: 32,
            4096: 64,
            432: 16,
            4608: 32,
            512: 32,
            18432: 64,
            2048: 64,
            640: 10,
        }
        squares = [generator.uniform(-1, 1, int(size)) ** 2 * channels[int(size)] / size for size in convolutions]
        found = gradients.L2_NORM.score({"weights": np.asarray([each.sum() for each in squares])})
        assert found == pytest.approx(50.971 * number + 27.790, rel=0.01)


def test_the_sum_of_gradient_times_weight_vanishes_where_normalization_follows():
    """The loss does not change with the scale of such a kernel (Euler's theorem); the last layer has none after it."""
    generator = np.random.default_rng(0)
    images = jn.task_from_arrays(generator.normal(size=(60, 8, 8)), generator.integers(0, 3, 60), name="squares")
    config = TrainConfig(batch_size=16, network=Skeleton(4, 1, 1))
    found = scores.setting_of(SMALL, images, config=config, num_inits=1, batch_size=32)
    arch = jnp.asarray([2, 1, 2])  # two convolutions
    layer = jax.jit(lambda key: gradients.measure_gradient(found.networks, arch, key, found.batch))(found.keys[0])
    present = np.asarray(layer["absolute"]) > 0
    *normalized, linear = sorted(np.abs(layer["products"])[present] / layer["absolute"][present])
    assert len(normalized) == 3  # with the stem
    assert normalized[-1] < 1e-5 < 1e-1 < linear


def test_parameters_are_those_published():
    """Of cells without dead edges: the benchmark counts kernels that reach no output too."""
    bench = jn.load("nb201-cifar10-v1")
    published = bench.size("parameters")
    config, spec = TrainConfig(network=Skeleton(16, 3, 5)), TaskSpec("images", "class", (32, 32, 3), 10)
    rows = np.random.default_rng(0).permutation(NB201.num_architectures)[:400]
    archs = np.asarray(NB201.arch_at(rows))
    whole = archs[(np.asarray(jax.vmap(NB201.pruned)(archs)) == archs).all(1)]
    sizes = [CellNetworks(NB201, config, spec).size(tuple(map(int, arch))).num_parameters for arch in whole]
    assert len(whole) > 100
    np.testing.assert_array_equal(sizes, jax.vmap(published)(whole))


def test_composites_are_of_ranks_and_nan_never_wins():
    one, other = np.asarray([3.0, np.nan, 1.0, 2.0]), np.asarray([1.0, 9.0, 0.0, 2.0])
    np.testing.assert_array_equal(composites.ranks(one), [4, 1, 2, 3])
    np.testing.assert_allclose(composites.log_rank([one, other]), np.log([4 * 2, 1 * 4, 2 * 1, 3 * 3]) - 2 * np.log(4))
    with pytest.raises(ValueError, match="Expected one or more columns of one shape"):
        composites.log_rank([one, other[:2]])


def test_a_batch_is_balanced_and_drawn_by_its_seed(task):
    batch = make_batch(task, 9, 3)
    assert np.bincount(batch.labels).tolist() == [3, 3, 3]
    np.testing.assert_array_equal(batch.inputs, make_batch(task, 9, 3).inputs)
    assert (np.asarray(batch.inputs) != np.asarray(make_batch(task, 9, 4).inputs)).any()


def test_scores_are_those_of_one_network_at_a_time(task, both):
    found = jn.proxies.proxy_scores(TINY_KIND, [[0], [1]], task, "snip,synflow", num_inits=2, batch_size=8)
    assert list(found) == ["snip", "synflow"]
    assert found["snip"].shape == (2, 2)
    assert found["snip"][0, 0] == pytest.approx(gradients.SNIP.score(both[0]["gradient"]), rel=1e-5)
    assert found["synflow"][1, 0] == pytest.approx(synflow.SYNFLOW.score(both[1]["absolute"]), rel=1e-5)


def test_az_is_among_the_architectures_for_each_initialization():
    parts = dict(zip(composites.AZ_PARTS, np.random.default_rng(0).normal(size=(4, 5, 2)), strict=True))
    found = scores.az_scores(parts)
    assert found.shape == (5, 2)
    np.testing.assert_allclose(found[:, 1], composites.log_rank([each[:, 1] for each in parts.values()]), rtol=1e-6)
    assert scores.has_az("all", parts)
    assert not scores.has_az("snip,flops", parts)


def test_wrong_arguments_are_told_in_one_line(task):
    with pytest.raises(ValueError, match=r"^Did you mean nwot.*Expected a proxy of .*, got 'nwott'"):
        jn.proxies.proxy_scores(TINY_KIND, [[0]], task, "nwott")
    with pytest.raises(ValueError, match=r"Expected a space with networks, such as a CellSpace, got a SearchSpace"):
        jn.proxies.proxy_scores(GRID, [[0, 0, 0, 0]], task)
    with pytest.raises(ValueError, match=r"^Expected architectures of shape \[A, 1\], got \[1, 2\]"):
        jn.proxies.proxy_scores(TINY_KIND, [[0, 1]], task, "params")
    from helpers.third_kind.networks import PoolNetworks

    with pytest.raises(ValueError, match=r"^Expected ScoredNetworks, which nwot scores, got PoolNetworks"):
        scores.proxies_of("nwot", PoolNetworks)
    assert list(scores.proxies_of("all", PoolNetworks)) == ["params", "flops", "jacov", "epe_nas"]
    for name in catalog.PROXIES:
        assert proxy_named(name).text.endswith(".")
