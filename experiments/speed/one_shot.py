"""Measures steps of one-shot searches and of the same in eager PyTorch, one thread each, in alternating rounds.

Claim: a step of DARTS of first order takes a tenth of the processor time of PyTorch's, a single-path step less than a
quarter; the goals were a quarter. 1,600 steps of DARTS on shifted-digits take 12 seconds after compilation (goal: a
minute). Figures: docs/one_shot.md.
Command: python experiments/speed/one_shot.py [--steps N] [--rounds N]. Needs PyTorch.
Run time: half a minute if programs are compiled already, two minutes otherwise.
Output: for each method the seconds of compilation, milliseconds of processor time a step on both sides (medians of
rounds) and their ratio; processor seconds of 1,600 steps of DARTS. Last line: a JSON object of these figures.
Page: docs/one_shot.md

Both sides train cells of NAS-Bench-201 with 4 channels, a cell a stage, batches of 64 images of shifted-digits, drawn
by the same rules: SGD with Nesterov momentum, decay and a bound on the gradient's norm, and for DARTS an Adam step of
alpha on validation data before it. Normalization has batch statistics and no scales. PyTorch updates all parameters in
one call (`foreach`).
"""

import argparse
import json
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional

import jaxnas as jn
from jaxnas.search.one_shot import step
from jaxnas.spaces.cells.space import NB201
from jaxnas.training.compilation import configure_compilation

METHODS = ("darts", "rsps")
CHANNELS = (4, 8, 16)
NUM_OPERATIONS, NONE, SKIP, CONV1, CONV3, POOL = 5, 0, 1, 2, 3, 4


class Torch:
    """A supernet in PyTorch, and its steps."""

    def __init__(self, task, method: str):
        self.method, self.random = method, torch.Generator().manual_seed(0)
        self.data = [
            (
                torch.as_tensor(np.array(split.inputs)).permute(0, 1, 4, 2, 3).contiguous(),
                torch.as_tensor(split.labels).long(),
            )
            for split in (task.train, task.validation)
        ]
        self.parameters: dict[str, torch.Tensor] = {}
        for stage, channels in enumerate(CHANNELS):
            for edge in range(len(NB201.edges)):
                self._add(f"{stage} {edge} 1", (channels, channels, 1, 1))
                self._add(f"{stage} {edge} 3", (channels, channels, 3, 3))
            if stage:
                before = CHANNELS[stage - 1]
                self._add(f"{stage} a", (channels, before, 3, 3))
                self._add(f"{stage} b", (channels, channels, 3, 3))
                self._add(f"{stage} shortcut", (channels, before, 1, 1))
        self._add("stem", (CHANNELS[0], 1, 3, 3))
        self._add("head", (10, CHANNELS[-1]))
        self._add("offset", (10,))
        self.alpha = (1e-3 * torch.randn(len(NB201.edges), NUM_OPERATIONS, generator=self.random)).requires_grad_()
        values = list(self.parameters.values())
        self.sgd = torch.optim.SGD(values, 0.05, momentum=0.9, nesterov=True, weight_decay=5e-4, foreach=True)
        self.adam = torch.optim.Adam([self.alpha], 3.7e-3, betas=(0.5, 0.999), weight_decay=1e-3)

    def _add(self, name: str, shape: tuple[int, ...]) -> None:
        fan_in = max(int(np.prod(shape[1:])), 1)
        self.parameters[name] = (torch.randn(shape, generator=self.random) * (2 / fan_in) ** 0.5).requires_grad_()

    def _norm(self, x: torch.Tensor) -> torch.Tensor:
        return functional.batch_norm(x, None, None, training=True)

    def _operation(self, choice: int, name: str, x: torch.Tensor) -> torch.Tensor:
        if choice == SKIP:
            return x
        if choice == POOL:
            return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        kernel = self.parameters[f"{name} {1 if choice == CONV1 else 3}"]
        return self._norm(functional.conv2d(functional.relu(x), kernel, padding=kernel.shape[-1] // 2))

    def _cell(self, stage: int, x: torch.Tensor, chosen) -> torch.Tensor:
        """Returns the output of a cell: `chosen` are weights [E, K], or a list of choices."""
        nodes: list = [x, None, None, None]
        for edge, (source, target) in enumerate(NB201.edges):
            name = f"{stage} {edge}"
            if isinstance(chosen, list):
                y = None if chosen[edge] == NONE else self._operation(chosen[edge], name, nodes[source])
            else:
                y = sum(chosen[edge, k] * self._operation(k, name, nodes[source]) for k in range(1, NUM_OPERATIONS))
            if y is not None:
                nodes[target] = y if nodes[target] is None else nodes[target] + y
        return nodes[-1] if nodes[-1] is not None else torch.zeros_like(x)

    def _loss(self, half: int, chosen) -> torch.Tensor:
        images, labels = self.data[half]
        examples = torch.randint(0, images.shape[1], (64,), generator=self.random)
        x = images[torch.randint(0, images.shape[0], (64,), generator=self.random), examples]
        x = self._norm(functional.conv2d(x, self.parameters["stem"], padding=1))
        for stage in range(len(CHANNELS)):
            if stage:
                a, b, shortcut = (self.parameters[f"{stage} {part}"] for part in ("a", "b", "shortcut"))
                y = self._norm(functional.conv2d(functional.relu(x), a, stride=2, padding=1))
                y = self._norm(functional.conv2d(functional.relu(y), b, padding=1))
                x = y + functional.conv2d(functional.avg_pool2d(x, 2), shortcut)
            x = self._cell(stage, x, chosen)
        features = functional.relu(self._norm(x)).mean((2, 3))
        outputs = functional.linear(features, self.parameters["head"], self.parameters["offset"])
        return functional.cross_entropy(outputs, labels[examples])

    def step(self, path: list[int]) -> None:
        """Takes one step; `path` is the architecture where the method runs single ones."""
        if self.method == "darts":
            self.adam.zero_grad()
            self._loss(1, self.alpha.softmax(-1)).backward()
            self.adam.step()
        self.sgd.zero_grad()
        self._loss(0, self.alpha.detach().softmax(-1) if self.method == "darts" else path).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), 5.0, foreach=True)
        self.sgd.step()


def live_paths(count: int) -> list[list[int]]:
    """Returns random classes of cells, of which live edges alone run on both sides."""
    rows = np.random.default_rng(0).choice(np.unique(NB201.classes()), count)
    return [np.asarray(NB201.pruned(NB201.arch_at(row))).tolist() for row in rows]


def measured(method: str, num_steps: int, num_rounds: int) -> dict[str, float]:
    """Returns the figures of one method."""
    task = jn.task("shifted-digits")
    search = jn.OneShot(NB201, task, method, table=False, progress=False)
    state = jax.jit(step.initial, static_argnums=0)(search.setting, jax.random.key(0))
    schedule = search.schedule(jax.random.key(1), num_steps * (num_rounds + 1))

    def ours(state, start: int):
        bounds = jnp.int32(start), jnp.int32(start + num_steps)
        return jax.block_until_ready(step.advanced(search.setting, search.data, state, *bounds, schedule))[0]

    theirs, paths = Torch(task, method), live_paths(num_steps)
    begun = time.process_time()
    jax.block_until_ready(step.advanced(search.setting, search.data, state, jnp.int32(0), jnp.int32(1), schedule))
    compilation = time.process_time() - begun
    for path in paths[:20]:
        theirs.step(path)
    times: dict[str, list[float]] = {"jaxnas": [], "torch": []}
    for number in range(num_rounds):
        begun = time.process_time()
        state = ours(state, number * num_steps)
        times["jaxnas"].append(time.process_time() - begun)
        begun = time.process_time()
        for path in paths[: num_steps // 4]:
            theirs.step(path)
        times["torch"].append(4 * (time.process_time() - begun))
    each = {name: 1e3 * statistics.median(values) / num_steps for name, values in times.items()}
    return {
        "compile_s": compilation,
        "jaxnas_ms": each["jaxnas"],
        "torch_ms": each["torch"],
        "ratio": each["torch"] / each["jaxnas"],
        "seconds_of_1600": 1.6 * each["jaxnas"],
    }


def main() -> None:
    """Prints the figures of each method."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    configure_compilation()
    torch.set_num_threads(1)
    result = {method: measured(method, options.steps, options.rounds) for method in METHODS}
    for method, figures in result.items():
        print(method, ", ".join(f"{name} {value:.2f}" for name, value in figures.items()))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
