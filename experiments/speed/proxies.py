"""Measures how long zero-cost proxies take: each pass over a sample of a space, and beside a PyTorch loop.

Claim: the passes of forward and gradient proxies, three initializations, of all 5,260 classes of NAS-Bench-201's cells
take under three minutes on two cores after compilation, and every pass compiles in under a minute. grad_norm, nwot and
jacov of 100 cells take 2.6 times less processor time than a loop over the same networks in PyTorch (2026-11-26, a busy
2-core Intel Xeon); the goal was ten times. docs/proxies.md has the figures.
Command: python experiments/speed/proxies.py [--part passes|torch] [--num-archs N]. The second part needs PyTorch.
Run time: about four minutes for the passes, one for the loop, on two quiet cores.
Output: for each pass the seconds of compilation, milliseconds an architecture with three initializations, in wall and
in processor time, and seconds for 5,260; for the loop the seconds and the processor time of both sides, and how far the
scores of both sides lie apart. Last line: a JSON object of these figures.
Page: docs/proxies.md

Both sides of the second part score the same initial weights with the same batch of 64 images. jaxnas runs two
architectures at a time in a thread each, PyTorch with two threads, and one, whichever is faster.
"""

import argparse
import json
import time

import jax
import numpy as np

from jaxnas.predictors.zero_cost import scores
from jaxnas.predictors.zero_cost.activations import nwot_of
from jaxnas.predictors.zero_cost.jacobians import jacov_of
from jaxnas.spaces.cells.space import NB201
from jaxnas.tasks.named import task_named

NUM_INITS, NUM_CLASSES = 3, 5260
FORWARD_AND_GRADIENT = (
    "forward", "gradient", "two_gradients", "channel_gradient", "input_gradient", "absolute", "zen", "meco", "blocks",
)  # fmt: skip
COMPARED = ("grad_norm", "nwot", "jacov")


def sampled(num_archs: int, seed: int = 0) -> np.ndarray:
    """Returns the representatives of a random sample of classes, int32[num_archs, D]."""
    rows = np.random.default_rng(seed).permutation(np.unique(NB201.classes()))[:num_archs]
    return np.asarray(NB201.arch_at(np.sort(rows)))


def clocks() -> np.ndarray:
    """Returns the time and the processor time, in seconds."""
    return np.asarray([time.perf_counter(), time.process_time()])


def time_passes(num_archs: int) -> dict[str, dict[str, float]]:
    """Returns the figures of each pass, by name, over architectures in whole chunks."""
    setting = scores.setting_of(NB201, task_named("shifted-digits"), num_inits=NUM_INITS)
    proxies = scores.proxies_of("all", type(setting.networks))
    archs = sampled(num_archs)
    chunks = [archs[start : start + scores.CHUNK] for start in range(0, num_archs, scores.CHUNK)]
    figures = {}
    for source in dict.fromkeys(proxy.source for proxy in proxies.values()):
        if source.name in ("sizes", "layers"):
            continue
        begun = clocks()
        program = scores.compiled(source, setting, scores.CHUNK)
        compiled = clocks()
        own = {name: proxy for name, proxy in proxies.items() if proxy.source is source}
        for _ in scores.chunk_scores(setting, program, own, chunks, scores.CHUNK):
            pass
        done = clocks()
        figures[source.name] = {
            "compile_s": compiled[0] - begun[0],
            "compile_cpu_s": compiled[1] - begun[1],
            "wall_ms": 1e3 * (done[0] - compiled[0]) / num_archs,
            "cpu_ms": 1e3 * (done[1] - compiled[1]) / num_archs,
        }
        texts = ", ".join(f"{name} {value:.2f}" for name, value in figures[source.name].items())
        print(f"{source.name}: {texts}", flush=True)
    return figures


def torch_scores(network, images, labels, num_jacobians: int) -> tuple[float, float, float]:
    """Returns grad_norm, nwot and jacov of a network, as the public implementations compute them."""
    import torch
    from torch.nn import functional

    relus = [module for module in network.modules() if getattr(module, "relu", False)]
    agreement, hooks = torch.zeros(len(images), len(images)), []

    def seen(_, inputs):
        code = (inputs[0].detach() > 0).float().flatten(1)
        agreement.add_(code @ code.T + (1 - code) @ (1 - code).T)

    hooks += [module.register_forward_pre_hook(seen) for module in relus]
    hooks.append(network.norm.register_forward_hook(lambda module, _, output: seen(module, (output,))))
    loss = functional.cross_entropy(network(images)[0], labels)
    for hook in hooks:
        hook.remove()
    kernels = [each for name, each in network.named_parameters() if each.ndim > 1 and name != "offset"]
    gradients = torch.autograd.grad(loss, kernels)
    grad_norm = sum(float(each.norm()) for each in gradients)
    inputs = images[:num_jacobians].clone().requires_grad_(True)
    jacobian = torch.autograd.grad(network(inputs).sum(), inputs)[0].flatten(1)
    return grad_norm, float(nwot_of(agreement.numpy())), float(jacov_of(np.corrcoef(jacobian.numpy())))


def time_torch(num_archs: int) -> dict[str, float]:
    """Returns the seconds of both sides for architectures, one initialization, and how far scores lie apart."""
    import torch

    from experiments.speed.training_torch import Network, copy_parameters

    task = task_named("shifted-digits")
    setting = scores.setting_of(NB201, task, num_inits=1)
    archs, networks = sampled(num_archs, 1), setting.networks
    init = jax.jit(networks.init)
    made = []
    for arch in archs:
        network = Network(NB201, networks.config.network, task, tuple(arch.tolist()), 1)
        variables = init(setting.keys[0], jax.numpy.asarray(arch))
        static = networks.module(tuple(arch.tolist()), variables)
        copy_parameters([static], network)
        made.append(network.train())
    images = torch.as_tensor(np.array(setting.batch.inputs)).permute(0, 3, 1, 2).contiguous()
    labels = torch.as_tensor(np.array(setting.batch.labels)).long()
    times, processor = {}, {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch_scores(made[0], images, labels, 40)
        begun = clocks()
        found = np.asarray([torch_scores(network, images, labels, 40) for network in made])
        times[threads], processor[threads] = clocks() - begun
    proxies = scores.proxies_of(COMPARED, type(setting.networks))
    size = -(-num_archs // scores.SIDE_BY_SIDE)
    chunks = [archs[:size], archs[size:]]
    compiling, warm, ours = np.zeros(2), np.zeros(2), {}
    for source in dict.fromkeys(proxy.source for proxy in proxies.values()):
        begun = clocks()
        program = scores.compiled(source, setting, size)
        compiled = clocks()
        own = {name: proxy for name, proxy in proxies.items() if proxy.source is source}
        parts = list(scores.chunk_scores(setting, program, own, chunks, size))
        ours |= {name: np.concatenate([part[name] for part in parts])[:, 0] for name in own}
        compiling, warm = compiling + compiled - begun, warm + clocks() - compiled
    apart = {}
    for number, name in enumerate(COMPARED):
        both = np.isfinite(ours[name]) & np.isfinite(found[:, number])
        apart[f"{name}_apart"] = float(
            np.max(np.abs(ours[name] - found[:, number])[both] / np.abs(found[both, number]))
        )
    best, least = min(times.values()), min(processor.values())
    return {
        "torch_s": best, "torch_threads": min(times, key=times.get), "jaxnas_s": warm[0], "compile_s": compiling[0],
        "ratio": best / warm[0], "torch_cpu_s": least, "jaxnas_cpu_s": warm[1], "compile_cpu_s": compiling[1],
        "cpu_ratio": least / warm[1], **apart,
    }  # fmt: skip


def main() -> None:
    """Prints the figures of one part or of both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=("passes", "torch"))
    parser.add_argument("--num-archs", type=int, help="default 1,024 for the passes and 100 for the loop")
    options = parser.parse_args()
    result: dict = {}
    if options.part != "torch":
        figures = time_passes(options.num_archs or 1024)
        wall = sum(figures[name]["wall_ms"] for name in FORWARD_AND_GRADIENT if name in figures)
        result["passes"] = figures
        result["forward_and_gradient_s"] = wall * NUM_CLASSES / 1e3
        result["second_order_s"] = figures["second_order"]["wall_ms"] * NUM_CLASSES / 1e3
        result["longest_compile_s"] = max(each["compile_s"] for each in figures.values())
    if options.part != "passes":
        result["torch"] = time_torch(options.num_archs or 100)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
