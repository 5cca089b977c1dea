"""Fidelities of several kinds: widths of networks, resolutions of images, lengths of schedules."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from jaxnas.checks import is_file_name, unknown_name
from jaxnas.spaces.base import Space
from jaxnas.tables.manifest import DEFAULT_PROTOCOL, Fidelity
from jaxnas.tasks.base import Task
from jaxnas.training.config import TrainConfig
from jaxnas.training.networks import networks_class
from jaxnas.training.trainer import Trainer, default_config

NUM_PRICED = 256
"""How many architectures, drawn at random, say what an epoch of a training costs."""
WIDTHS = ("num_channels", "width")
"""What the networks of a kind call their width."""


def default_training(space: Space, task: Task) -> TrainConfig:
    """Returns how a build trains by default: as of `Trainer`, but only the last epoch is tested."""
    return replace(default_config(space, task), test="last")


def training_grid(
    space: Space,
    task: Task,
    config: TrainConfig | None = None,
    *,
    widths: Sequence[int] = (),
    resolutions: Sequence[int] = (),
    epochs: Sequence[int] = (),
) -> dict[str, TrainConfig]:
    """Returns the trainings of all combinations of widths, resolutions and epochs, by name: `"w2-r4"`, `"w2-r8"`, ...

    In a name are the kinds with several values: `w` and the width of the network, `r` and the height of the images in
    pixels, `t` and the epochs of the schedule.

    Args:
        config: the settings that are not varied; by default as of `default_training`.

    Raises ValueError if networks of the space have no width, or values repeat.
    """
    kinds = {"w": widths, "r": resolutions, "t": epochs}
    for values in kinds.values():
        if len(set(values)) < len(values):
            raise ValueError(f"Expected different values, got {list(values)}.")
    given = {kind: values for kind, values in kinds.items() if values}
    found = {}
    for values in itertools.product(*given.values()):
        named = [f"{kind}{value}" for kind, value in zip(given, values, strict=True) if len(given[kind]) > 1]
        chosen = _with_values(space, config or default_training(space, task), dict(zip(given, values, strict=True)))
        found["-".join(named)] = chosen
    return found


def _with_values(space: Space, config: TrainConfig, values: Mapping[str, int]) -> TrainConfig:
    changed: dict[str, Any] = {}
    if "w" in values:
        network = config.network or networks_class(space).default.network
        if not (width := next((name for name in WIDTHS if hasattr(network, name)), "")):
            raise ValueError(f"Expected networks with a width, got those of {space.name} without.")
        changed["network"] = replace(network, **{width: values["w"]})
    if "r" in values:
        changed["resolution"] = values["r"]
    if "t" in values:
        changed["num_epochs"] = values["t"]
    return replace(config, **changed)


def options_of(trainings: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the options of `jaxnas build` that make a grid of trainings, given as in the manifest of a table."""
    found: dict[str, list[int]] = {"widths": [], "resolutions": [], "epochs": []}
    for each in trainings.values():
        network = each.get("network") or {}
        values = next((network[name] for name in WIDTHS if name in network), None), each.get("resolution")
        for name, value in zip(found, (*values, each["num_epochs"]), strict=True):
            if value is not None and value not in found[name]:
                found[name].append(value)
    found = {name: values for name, values in found.items() if len(values) > 1 or name == "epochs"}
    return " ".join(f"--{name} {','.join(str(value) for value in sorted(values))}" for name, values in found.items())


def from_the_cheapest(trainers: Mapping[str, Trainer]) -> dict[str, tuple[Trainer, float]]:
    """Returns trainings by their prices, the cheapest first, and the cost of an epoch of each in epochs of the last.

    That is the ratio of the mean multiply-accumulates of networks, over architectures that are drawn at random and are
    always the same, rounded to four digits after the point.

    Raises ValueError on names that cannot be in file names.
    """
    for name in trainers:
        if not is_file_name(name) or name == DEFAULT_PROTOCOL:
            raise ValueError(
                f"Expected names of trainings of letters, digits, dots and dashes, and none called {DEFAULT_PROTOCOL}, "
                f"got {name!r:.40}."
            )
    first = next(iter(trainers.values()))
    keys = jax.random.split(jax.random.key(0), NUM_PRICED)
    archs = np.asarray(jax.jit(jax.vmap(first.space.sample))(keys))
    flops = {name: sum(trainer.size(arch).num_flops for arch in archs) for name, trainer in trainers.items()}
    names = sorted(trainers, key=lambda name: flops[name] * trainers[name].config.num_epochs)
    return {name: (trainers[name], max(round(flops[name] / flops[names[-1]], 4), 1e-4)) for name in names}


def declared(
    priced: Mapping[str, tuple[Trainer, float]], order: Sequence[str] | None = None
) -> tuple[list[Fidelity], tuple[str, ...]]:
    """Returns the fidelities of trainings, called `NAME-eEPOCH`, and the names of those that may be asked, in order.

    Args:
        priced: as of `from_the_cheapest`.
        order: the names of fidelities, the lowest first, each of which costs more than the one before; by default the
            epochs of all trainings, one training after another, without those that cost no more than one before.

    Raises ValueError on an order of unknown names, or in which prices do not ascend.
    """
    fidelities = [
        Fidelity(f"{name}-e{epoch}", name, epoch, round(epoch * price, 4))
        for name, (trainer, price) in priced.items()
        for epoch in range(1, trainer.config.num_epochs + 1)
    ]
    by_name = {each.name: each for each in fidelities}
    if order is None:
        return fidelities, ascending(fidelities)
    if unknown := [name for name in order if name not in by_name]:
        raise unknown_name("a fidelity", unknown[0], by_name)
    before = Fidelity("nothing", "", 0)
    for name in order:
        if by_name[name].cost <= before.cost:
            raise ValueError(
                f"Expected an order in which each fidelity costs more than the one before, got {name} "
                f"({by_name[name].cost:g}) after {before.name} ({before.cost:g})."
            )
        before = by_name[name]
    if before.name == "nothing":
        raise ValueError("Expected an order of one or more fidelities, got none.")
    return fidelities, tuple(order)


def ascending(fidelities: Sequence[Fidelity]) -> tuple[str, ...]:
    """Returns the names of fidelities, in their order, without those that cost no more than one before."""
    costs = [each.cost for each in fidelities]
    before = itertools.accumulate([0, *costs[:-1]], max)
    return tuple(each.name for each, dearest in zip(fidelities, before, strict=True) if each.cost > dearest)


def protocols_of(fidelities: Sequence[Fidelity], order: Sequence[str], told: Mapping[str, str]) -> dict[str, dict]:
    """Returns the protocols of a table of several trainings: the default one of the order, and one of each training.

    Args:
        told: the default protocol of a plain table.
    """
    by_training = itertools.groupby(fidelities, key=lambda each: each.training)
    alone = {name: {**told, "fidelities": [each.name for each in group]} for name, group in by_training}
    return {DEFAULT_PROTOCOL: {**told, "fidelities": list(order)}, **alone}
