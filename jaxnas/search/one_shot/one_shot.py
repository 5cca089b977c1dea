"""One-shot search: `OneShot.search` trains a supernet and takes an architecture by it."""

import contextlib
import functools
import os
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import catalog
from jaxnas.benchmarks.tabular import TableBenchmark
from jaxnas.checks import checked_seed, checked_size
from jaxnas.execution.executors import executor
from jaxnas.files import replace_file
from jaxnas.progress import COMPILING, progress_bars
from jaxnas.search.nas import task_of
from jaxnas.search.one_shot.base import Method, Trained
from jaxnas.search.one_shot.checkpoint import checkpoint_path, read_checkpoint, write_checkpoint
from jaxnas.search.one_shot.named import method_named
from jaxnas.search.one_shot.result import OneShotResult, Run
from jaxnas.search.one_shot.step import Schedule, State, advanced, initial, setting_of
from jaxnas.search.one_shot.supernet import Supernet
from jaxnas.search.one_shot.table_regrets import cost_in_trainings, regrets_by_table, shipped_table
from jaxnas.spaces.base import Space
from jaxnas.spaces.named import checked_space, space_named
from jaxnas.tables.table import Table
from jaxnas.tasks.base import Split, Task
from jaxnas.training.config import TrainConfig
from jaxnas.training.definition import definition_of
from jaxnas.training.trainer import MAX_SEED, Trainer

DEFAULT_METHOD, NUM_STEPS = "rsps", 2000
MAX_STEPS, MAX_SEEDS = 10**8, 1000
NUM_RECORDS = 50
_TUNING_RATE = 0.1
"""What the learning rate is multiplied by when weights are tuned after choices (Wang et al., ICLR 2021)."""


class OneShot:
    """A one-shot search: one network for all architectures of a space, on a task.

    Weights learn from the task's training data; alpha and the choice at the end use its validation data, as the search
    of NAS-Bench-201 on CIFAR-10 does. Test data are not read.

    Args:
        space: a search space whose networks can share their arrays, its name in the catalog, or `file.py:NAME`.
        task: as of `jn.NAS`.
        method: a name of the catalog, `file.py:NAME`, a factory `(space) -> Method`, or a Method.
        config: the network, the batches and the recipe of `OneShotResult.train`; by default for the kind of space.
        table: a complete table of the space on the task, its identifier or folder, that scores the result; by
            default the shipped one, if there is one. False: none. The search does not see it.
        folder: the folder of checkpoints, from which the same search resumes. None: no checkpoints.
        progress: whether a bar on standard error shows the progress.
        ray: the address of a Ray cluster on which several seeds are searched side by side, `host:port` or `"auto"`;
            `"local"`: Ray on this machine. Their checkpoints come when they have ended. None: one after another, here.

    Attributes:
        space, method, trainer: as given; the trainer has the task.
        setting: the static arguments of its compiled programs.
        bench: of the table that scores the result; None without one.
        data: training and validation data, on the device.

    Raises ValueError on unknown names, or a space, task and method that do not fit together.
    """

    def __init__(
        self,
        space: Space | str,
        task: Task | str | os.PathLike | tuple,
        method: str | Callable[..., Method] | Method = DEFAULT_METHOD,
        *,
        config: TrainConfig | None = None,
        table: Table | str | os.PathLike | bool | None = None,
        folder: str | os.PathLike | None = None,
        progress: bool = True,
        ray: str | None = None,
    ):
        self.space = space_named(space) if isinstance(space, str) else checked_space(space)
        self.trainer = Trainer(self.space, task_of(task), config)
        self.method = method_of(method, self.space)
        given: Any = method_named(method) if isinstance(method, str) else method
        self._definition = definition_of(given)
        own = self.trainer.task
        self.setting = setting_of(self.method, self.trainer.networks, own)
        self.bench = _bench_of(table, self.space, own)
        self.folder, self.progress = folder, progress
        if ray is not None and folder is None:
            raise ValueError("Expected a folder, for the checkpoints that come from a Ray cluster, got none.")
        self._ray = ray
        self._described: dict[str, Any] | None = None
        self.data: tuple[Split, Split] = jax.device_put((own.train, own.validation))

    def __reduce__(self) -> tuple:
        """Returns how a copy is made, with the description of this one and without its folder."""
        made = functools.partial(OneShot, config=self.trainer.config, table=False, progress=False)
        return made, (self.space, self.trainer.task, self.method), {"_described": self.description()}

    def search(self, num_steps: int = NUM_STEPS, *, num_seeds: int = 1, seed: int = 0) -> OneShotResult:
        """Returns the result of the search.

        Args:
            num_steps: of the weights and of alpha.
            num_seeds: searches, one after another, with the seeds `seed`, `seed + 1`, ...; one compilation serves all.
            seed: of the first search.

        Raises:
            ValueError: on wrong numbers, or if the folder holds checkpoints of another search.
            RuntimeError: if losses are no longer finite; the last checkpoint before that is kept. If
                the cluster cannot be reached, or a task on it fails; finished checkpoints are kept.
        """
        num_steps = checked_size("num_steps", num_steps, 1, MAX_STEPS)
        num_seeds = checked_size("num_seeds", num_seeds, 1, MAX_SEEDS, "each of which is a search")
        first = checked_seed(seed, MAX_SEED - num_seeds)
        with progress_bars(COMPILING) if self.progress else contextlib.nullcontext() as bars:
            bar = None if bars is None else bars.add_task(COMPILING, total=num_seeds * num_steps)

            def show(number: int, done: int, text: str) -> None:
                if bars is not None and bar is not None:
                    bars.update(bar, completed=number * num_steps + done, description=text)

            if self._ray is not None and self.folder is not None:
                self._search_elsewhere(self.folder, range(first, first + num_seeds), num_steps, show)
            runs = tuple(
                self._run(first + number, num_steps, functools.partial(show, number)) for number in range(num_seeds)
            )
        scored = max(run.supernet.num_scored for run in runs)
        cost = cost_in_trainings(self.setting, self.trainer, num_steps, scored)
        found = np.stack([run.arch for run in runs])
        by_table = None if self.bench is None else regrets_by_table(self.bench, found, cost)
        return OneShotResult(self.method, num_steps, runs, self.trainer, cost, by_table)

    def _search_elsewhere(
        self, folder: str | os.PathLike, seeds: range, num_steps: int, show: Callable[[int, int, str], None]
    ) -> None:
        """Writes the checkpoints of searches that have ended on a cluster."""
        paths = {seed: checkpoint_path(folder, seed) for seed in seeds}
        begun = {seed: path.read_bytes() if path.is_file() else None for seed, path in paths.items()}
        calls = ((seed, (seed, num_steps, begun[seed])) for seed in seeds)
        with (
            contextlib.closing(executor(self._ray)) as cluster,
            contextlib.closing(cluster.map(checkpoint_of, self, calls, len(seeds))) as results,
        ):
            for done, (seed, ended) in enumerate(results, start=1):
                if ended.failure:
                    raise RuntimeError(f"Expected the search of seed {seed} to end, got: {ended.failure}")
                paths[seed].parent.mkdir(parents=True, exist_ok=True)
                replace_file(paths[seed], ended.value)
                show(0, done * num_steps, f"seed {seed} has ended")

    def _run(self, seed: int, num_steps: int, show: Callable[[int, str], None]) -> Run:
        """Returns one search, from its checkpoint if there is one."""
        key = jax.random.fold_in(jax.random.key(seed), 1)
        schedule = self.schedule(key, num_steps)
        search = _Search(self, seed, num_steps, schedule)
        state, records = search.resumed()
        bounds = record_steps(num_steps)
        done = len(records["steps"])
        for start, stop in zip(bounds[done:-1], bounds[done + 1 :], strict=True):
            state, losses = search.advanced(state, start, stop)
            records = _with_record(records, self.method, state, stop, np.asarray(losses))
            search.save(state, records, stop)
            show(int(stop), f"seed {seed}, loss {float(losses[0]):.3f}")
        return search.finished(state, records)

    def schedule(self, key: jax.Array, num_steps: int) -> Schedule:
        """Returns the inputs of the steps of a search besides its state."""
        recipe = self.method.recipe
        fixed = jnp.full(len(self.space.decisions), -1, jnp.int32)
        rates = jnp.float32(recipe.learning_rate), jnp.float32(recipe.travel / num_steps)
        return Schedule(key, jnp.float32(num_steps), *rates, fixed)

    def description(self) -> dict[str, Any]:
        """Returns the settings that determine a search besides its seed and length, as JSON values."""
        if self._described is not None:
            return self._described
        return {
            **{name: value for name, value in self.trainer.description().items() if name != "plan"},
            "method": self.method.name,
            "hyperparameters": [[name, repr(value)] for name, value in self.method.hyperparameters],
            "recipe": list(self.method.recipe),
            "code of the method": self._definition.code,
        }


def checkpoint_of(search: OneShot, seed: int, num_steps: int, begun: bytes | None) -> bytes:
    """Returns the checkpoint of a search of one seed that has ended, on from one that had begun."""
    with tempfile.TemporaryDirectory() as folder:
        search.folder = folder
        path = checkpoint_path(folder, seed)
        if begun is not None:
            replace_file(path, begun)
        try:
            search._run(seed, num_steps, lambda done, text: None)
        except RuntimeError as error:  # its folder ends with this call
            raise RuntimeError(str(error).replace(f"is in {path}", "is lost with its task")) from None
        return path.read_bytes()


class _Search(NamedTuple):
    """One search of a `OneShot`: its seed, its length and its schedule."""

    of: OneShot
    seed: int
    num_steps: int
    schedule: Schedule

    @property
    def description(self) -> dict[str, Any]:
        return {**self.of.description(), "num_steps": self.num_steps, "seed": self.seed}

    def resumed(self) -> tuple[State, dict[str, np.ndarray]]:
        """Returns the state and the records of the checkpoint, or those before the first step."""
        state = jax.jit(initial, static_argnums=0)(self.of.setting, jax.random.key(self.seed))
        records = {name: np.zeros((0, *shape), kind) for name, shape, kind in self._kinds()}
        if self.of.folder is None:
            return state, records
        path, bounds = checkpoint_path(self.of.folder, self.seed), record_steps(self.num_steps)
        found = read_checkpoint(path, self.description, state, bounds, records)
        return (state, records) if found is None else (jax.tree.map(jnp.asarray, found[0]), found[1])

    def _kinds(self) -> list[tuple[str, tuple, type]]:
        alpha = jax.eval_shape(lambda key: initial(self.of.setting, key).alpha, jax.random.key(0))
        shape = jax.eval_shape(self.of.method.probabilities, alpha).shape
        kinds: list[tuple[str, tuple, type]] = [("steps", (), np.int64), ("losses", (2,), np.float32)]
        return [*kinds, ("probabilities", shape, np.float32)]

    def advanced(self, state: State, start: int, stop: int) -> tuple[State, jax.Array]:
        """Returns the state after further steps, and the mean losses. Raises RuntimeError if they are not finite."""
        setting, data = self.of.setting, self.of.data
        after, losses = advanced(setting, data, state, jnp.int32(start), jnp.int32(stop), self.schedule)
        if not np.isfinite(losses[0]) or (setting.method.hypergradient is not None and not np.isfinite(losses[1])):
            kept = "no folder was given for checkpoints"
            if self.of.folder is not None:
                path = checkpoint_path(self.of.folder, self.seed)
                kept = f"the state after step {start} is in {path}" if start else "no step before was finished"
            raise RuntimeError(
                f"Expected finite losses, got one that is not between steps {start} and {stop} of {self.num_steps} "
                f"with seed {self.seed}; {kept}. A smaller learning rate, or other inputs, may help."
            )
        return after, losses

    def save(self, state: State, records: dict[str, np.ndarray], step: int) -> None:
        """Writes the checkpoint, if there is a folder."""
        if self.of.folder is not None:
            write_checkpoint(checkpoint_path(self.of.folder, self.seed), self.description, int(step), state, records)

    def finished(self, state: State, records: dict[str, np.ndarray]) -> Run:
        """Returns the run, once an architecture is taken."""
        supernet = Supernet(self.of.setting, state.parameters, self.of.trainer.task.validation)
        if "arch" not in records:
            trained = self._trained(state, supernet, self.of.data)
            arch = np.asarray(self.of.method.select(trained, np.random.default_rng(self.seed)), np.int32)
            self._check_arch(arch)
            score = supernet.scores(arch[None])[0]
            state = state._replace(parameters=supernet.parameters)  # which the selection may have tuned
            chosen: dict[str, Any] = {
                "arch": arch,
                "score": np.float64(score),
                "num_scored": np.int64(supernet.num_scored),
            }
            records = {**records, **chosen}
            self.save(state, records, self.num_steps)
        self._check_arch(records["arch"])
        supernet.num_scored = int(records["num_scored"])
        probabilities = records["probabilities"]
        archs = probabilities.argmax(-1).astype(np.int32)
        own = records["steps"], records["losses"], probabilities, archs
        return Run(self.seed, records["arch"].astype(np.int32), float(records["score"]), *own, supernet)

    def _check_arch(self, arch: np.ndarray) -> None:
        sizes = [len(decision.values) for decision in self.of.space.decisions]
        if arch.shape != (len(sizes),) or (arch < 0).any() or (arch >= sizes).any():
            raise ValueError(
                f"Expected {self.of.method.name} to take an architecture of {self.of.space.name}, int32[{len(sizes)}], "
                f"got {arch!r:.60}."
            )

    def _trained(self, state: State, supernet: Supernet, data: tuple[Split, Split]) -> Trained:
        """Returns the quantities that a selection may use. Its scores are counted in the cost of `supernet`."""

        def tuned(fixed: np.ndarray, num_steps: int) -> Trained:
            schedule = self.schedule._replace(
                key=jax.random.fold_in(self.schedule.key, 1 + (fixed >= 0).sum()),
                num_steps=jnp.float32(num_steps),
                learning_rate=_TUNING_RATE * self.schedule.learning_rate,
                alpha_rate=jnp.float32(0),
                fixed=jnp.asarray(fixed, jnp.int32),
            )
            steps = jnp.int32(0), jnp.int32(num_steps)
            after = advanced(self.of.setting, data, state, *steps, schedule)[0]
            # Tuning is paid for as well: a step is three forward passes of a batch for each pass that it makes.
            supernet.num_scored += round(3 * num_steps * self.of.trainer.config.batch_size * self.of.method.passes)
            supernet.parameters = after.parameters
            return self._trained(after, supernet, data)

        probabilities = np.asarray(self.of.method.probabilities(state.alpha))
        scores = supernet.scores, supernet.mixture_scores
        return Trained(self.of.space, probabilities, *scores, tuned, self.num_steps)


def record_steps(num_steps: int) -> np.ndarray:
    """Returns the numbers of steps before the first record and after each, int64[R + 1], from 0."""
    return np.unique(np.round(np.linspace(0, num_steps, min(NUM_RECORDS, num_steps) + 1)).astype(np.int64))


def _with_record(
    records: dict[str, np.ndarray], method: Method, state: State, step: int, losses: np.ndarray
) -> dict[str, np.ndarray]:
    new = {"steps": np.int64(step), "losses": losses, "probabilities": method.probabilities(state.alpha)}
    return {name: np.concatenate([records[name], np.asarray(value)[None]]) for name, value in new.items()}


def method_of(method: str | Callable[..., Method] | Method, space: Space) -> Method:
    """Returns the method of a name, a factory, or itself. Raises ValueError if it is none."""
    factory = method_named(method) if isinstance(method, str) else method
    return factory if isinstance(factory, Method) else catalog.made("method", Method, factory, space)


def _bench_of(table: Table | str | os.PathLike | bool | None, space: Space, task: Task) -> TableBenchmark | None:
    """Returns the benchmark of a table. Raises ValueError if it is of another task."""
    if table is None:
        found = shipped_table(space, task)
        return None if found is None else TableBenchmark(found, space=space)
    if isinstance(table, bool):
        return None
    read = table if isinstance(table, Table) else Table.read(table)
    of = read.manifest.get("task", {})
    if of.get("sha256") not in (None, task.sha256):
        raise ValueError(f"Expected a table of the task {task.name}, got {read.id}, of {of.get('name')}.")
    return TableBenchmark(read, space=space)
