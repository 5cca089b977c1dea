"""Benchmarks that train."""

import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnas import prng
from jaxnas.benchmarks.base import HeldOut, Outcome, checked_size_name, list_prices
from jaxnas.checks import checked_size
from jaxnas.spaces.base import Space
from jaxnas.spaces.decisions import Choices
from jaxnas.strategies.base import Observation, Query, observed, run_asked
from jaxnas.tables.building.fidelities import declared, from_the_cheapest
from jaxnas.tables.manifest import EPOCHS, Fidelity
from jaxnas.training.curves import Curves
from jaxnas.training.networks import Size
from jaxnas.training.trainer import Trainer

NOT_FINITE = "The training loss was not finite."


class TrainingBenchmark:
    """A benchmark that trains; its answers equal the table that the same code would build.

    A query draws a seed number below `num_seeds`, unless it asks for one, as `TableBenchmark` does,
    and trains that seed of the architecture's class; a training is kept, so it is not run twice.
    The whole schedule is trained at every fidelity.

    Args:
        trainer: the space, task and recipe; or several by name, for fidelities of several kinds (networks of other
            widths, images of other resolutions, schedules of other lengths). Reports read the most expensive one.
        num_seeds: the seeds that queries draw from.
        order: of several trainers, the names of the fidelities that may be asked, such as `"w2-e3"`, the lowest first;
            by default one training after another, each fidelity dearer than those before.

    Raises ValueError on fewer than one seed, or an order in which prices do not ascend.
    """

    jittable = False
    content_hash = None
    table = None
    protocol = None

    def __init__(
        self, trainer: Trainer | Mapping[str, Trainer], *, num_seeds: int = 1, order: Sequence[str] | None = None
    ):
        self.trainers, asked = _declared(trainer, order)
        self.trainer, self.num_seeds = list(self.trainers.values())[-1], checked_size("num_seeds", num_seeds)
        self.space: Space = self.trainer.space
        self.metric = self.trainer.task.metric
        self.id = f"{self.trainer.space.name}-{self.trainer.task.name}"
        self.cost_unit = EPOCHS if len(self.trainers) == 1 else f"{EPOCHS} of {list(self.trainers)[-1]}"
        self.fidelities = tuple(each.cost for each in asked)
        self.trainings = tuple(each.training for each in asked)
        self.fidelity_names = tuple(each.name for each in asked)
        self._epochs = tuple(int(each.epoch) for each in asked)
        self.prices = list_prices(self.fidelities)
        self.size_names = tuple(name.removeprefix("num_") for name in Size._fields)
        self.held_out = HeldOut(functools.partial(self._means, "test"))
        self._curves: dict[tuple[str, bytes, int], Curves] = {}
        self._sizes: dict[bytes, Size] = {}
        self._size_functions: dict[str, Callable] = {}

    def __reduce__(self) -> tuple:
        """Returns how a copy is made, one that has trained nothing."""
        if len(self.trainers) == 1:
            return functools.partial(TrainingBenchmark, num_seeds=self.num_seeds), (self.trainer,)
        return functools.partial(TrainingBenchmark, num_seeds=self.num_seeds, order=self.fidelity_names), (
            self.trainers,
        )

    def curves(self, arch: Choices, seed: int, training: str | None = None) -> Curves:
        """Returns the `Curves` of one training, with axes [E] or none, training it if that has not been done.

        Args:
            training: the name of one of several trainers; None for the one that reports read.
        """
        training = list(self.trainers)[-1] if training is None else training
        name = self._name(training, arch, seed)
        if name not in self._curves:
            representative = np.asarray(self.space.canonical(np.asarray(arch)))
            curves = self.trainers[training].curves(representative[None], [int(seed)])
            self._curves[name] = jax.tree.map(lambda values: values[0, 0], curves)
        return self._curves[name]

    def _name(self, training: str, arch: Choices, seed: ArrayLike) -> tuple[str, bytes, int]:
        return training, np.asarray(self.space.canonical(np.asarray(arch))).tobytes(), int(np.asarray(seed))

    def _asked(self, query: Query) -> tuple[str, bytes, int]:
        return self._name(self.trainings[int(query.fidelity)], query.arch, query.seed)

    def resolved(self, query: Query, key: jax.Array) -> Query:
        """Returns the query with its seed, drawn by the key if it asks for any."""
        drawn = prng.draw_index(key, self.num_seeds)
        return query._replace(seed=min(int(run_asked(query.seed, drawn)), self.num_seeds - 1))

    def knows(self, query: Query) -> bool:
        """Returns whether the training of a resolved query has been run."""
        return self._asked(query) in self._curves

    def learned(self, query: Query) -> Curves:
        """Returns the curves of the training of a resolved query, which has been run."""
        return self._curves[self._asked(query)]

    def learn(self, query: Query, found: Curves) -> None:
        """Keeps the curves of a training that a copy has run."""
        self._curves[self._asked(query)] = found

    def answer(self, query: Query, key: jax.Array) -> Outcome:
        """Returns the validation score of a training at the query's fidelity, NaN if it had diverged by then."""
        seed, fidelity = int(self.resolved(query, key).seed), int(query.fidelity)
        scores = self._scores("validation", query.arch, seed, self.trainings[fidelity])
        score = np.float32(scores[self._epochs[fidelity] - 1])
        observation = observed(score, self.fidelities[fidelity], seed)
        return Outcome(observation, score, NOT_FINITE if np.isnan(score) else "")

    def query(self, query: Query, key: jax.Array) -> Observation:
        return self.answer(query, key).observation

    def fresh_score(self, arch: Choices, number: int) -> np.float32:
        """Returns the validation score of a seed that queries do not draw."""
        return np.float32(self._scores("validation", arch, self.num_seeds + number)[-1])

    def _scores(self, split: str, arch: Choices, seed: int, training: str | None = None) -> np.ndarray:
        num_examples = getattr(self.trainer.task, split).num_examples
        return self.curves(arch, seed, training).scores(split, num_examples, self.metric)

    def description(self) -> dict:
        found = {**self.trainer.description(), "num_seeds": self.num_seeds}
        if len(self.trainers) == 1:
            return found
        trainings = {name: trainer.description() for name, trainer in self.trainers.items()}
        return {**found, "trainings": trainings, "order": list(self.fidelity_names)}

    def price(self, archs: ArrayLike, fidelity: ArrayLike = -1) -> np.ndarray:
        """Returns the price in epochs of a training of architectures [..., D], float32[...]."""
        return self.prices[np.zeros(np.shape(archs)[:-1], int), np.asarray(fidelity)]

    def size(self, name: str) -> Callable[[jax.Array], jax.Array]:
        """Returns the function `arch int32[D] -> float32` of an architecture's size, `"parameters"` or `"flops"`.

        Raises ValueError on another name.
        """
        if checked_size_name(name, self) not in self._size_functions:
            result = jax.ShapeDtypeStruct((), jnp.float32)
            self._size_functions[name] = lambda arch: jax.pure_callback(
                lambda values: np.float32(self.sizes(name, values)), result, arch, vmap_method="sequential"
            )
        return self._size_functions[name]

    def sizes(self, name: str, archs: ArrayLike) -> np.ndarray:
        """Returns the sizes of architectures [..., D], int64[...]; `name` as in `size`."""
        checked_size_name(name, self)
        archs = np.asarray(archs)
        sizes = [getattr(self._size(arch), f"num_{name}") for arch in archs.reshape(-1, archs.shape[-1])]
        return np.asarray(sizes, np.int64).reshape(archs.shape[:-1])

    def _size(self, arch: np.ndarray) -> Size:
        name = arch.tobytes()
        if name not in self._sizes:
            self._sizes[name] = self.trainer.size(arch)
        return self._sizes[name]

    def validation_scores(self, archs: ArrayLike, fidelity: int = -1) -> np.ndarray:
        """Returns the validation scores of architectures [..., D] over the seeds trained so far, NaN without any."""
        return self._means("validation", archs, fidelity)

    def _means(self, split: str, archs: ArrayLike, fidelity: int = -1) -> np.ndarray:
        """Returns the means over the seeds trained so far that did not fail, float32[...]."""
        archs = np.asarray(archs)
        means = [self._mean(split, arch, fidelity) for arch in archs.reshape(-1, archs.shape[-1])]
        return np.asarray(means, np.float32).reshape(archs.shape[:-1])

    def _mean(self, split: str, arch: np.ndarray, fidelity: int) -> float:
        told = split == "validation"
        training, epoch = (self.trainings[fidelity], self._epochs[fidelity] - 1) if told else (None, -1)
        name = list(self.trainers)[-1] if training is None else training
        seeds = [seed for seed in range(self.num_seeds) if self._name(name, arch, seed) in self._curves]
        scores = np.asarray([self._scores(split, arch, seed, training)[epoch] for seed in seeds])
        return float(np.nanmean(scores)) if np.isfinite(scores).any() else np.nan


def _declared(
    trainer: Trainer | Mapping[str, Trainer], order: Sequence[str] | None
) -> tuple[dict[str, Trainer], list[Fidelity]]:
    """Returns trainers by name, the one that reports read last, and the fidelities that may be asked, in order."""
    if isinstance(trainer, Trainer):
        if order is not None:
            raise ValueError("Expected an order where there are several trainers, got one for a single trainer.")
        return {"": trainer}, [Fidelity(str(epoch), "", epoch) for epoch in range(1, trainer.config.num_epochs + 1)]
    priced = from_the_cheapest(trainer)
    fidelities, names = declared(priced, order)
    by_name = {each.name: each for each in fidelities}
    return {name: each for name, (each, _) in priced.items()}, [by_name[name] for name in names]
