"""One architecture, described and drawn."""

import os
from html import escape
from pathlib import Path
from typing import final

import jax
import jax.numpy as jnp

from jaxnas import catalog
from jaxnas.files import replace_file, writable
from jaxnas.report.sentences import readable
from jaxnas.spaces.base import Space, checked, has_rows
from jaxnas.spaces.decisions import Choices
from jaxnas.spaces.named import checked_space, space_named
from jaxnas.tasks.base import Task
from jaxnas.tasks.named import task_named
from jaxnas.training.networks import networks_class
from jaxnas.training.trainer import Trainer


@final
class Description(str):
    """The description of an architecture; a notebook shows its drawing, too."""

    drawing: str

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self)}</pre>{self.drawing}"


def show(
    arch: str | int | Choices,
    space: Space | str,
    *,
    task: Task | str | None = None,
    out: str | os.PathLike | None = None,
) -> Description:
    """Returns the description of an architecture: its decisions, its class and the size of its network.

    Args:
        arch: a string as the space writes it, its row number, or its choices.
        space: its search space, or the name of it.
        task: the task of the network, or its name; by default one without a download that the networks take.
        out: an SVG file to draw it in.

    Raises ValueError on unknown names, or an architecture that is not of the space.
    """
    space = space_named(space) if isinstance(space, str) else checked_space(space)
    task = task or _default_task(space)
    task = task_named(task) if isinstance(task, str) else task
    found = _arch_of(str(arch), space) if isinstance(arch, str | int) else jnp.asarray(checked(arch, space.decisions))
    description = Description("\n".join((*_description(space, found), *_sizes(space, task, found))))
    description.drawing = space.drawing(found)
    if out:
        replace_file(writable(Path(out).parent) / Path(out).name, description.drawing.encode())
    return description


def _default_task(space: Space) -> str:
    """Returns the name of a task without a download that networks of a space take."""
    if space.networks is None:
        return catalog.DEFAULT_TASKS["images"]
    kinds = networks_class(space).inputs
    return next(name for kind, name in catalog.DEFAULT_TASKS.items() if kind in kinds)


def _arch_of(text: str, space: Space) -> jax.Array:
    """Returns the architecture of a row number, or of a string as the space writes it."""
    if not text.isdecimal():
        return space.from_str(text)
    if int(text) >= space.num_architectures:
        raise ValueError(f"Expected a row below {space.num_architectures:,}, got {text}.")
    return space.arch_at(int(text))


def _description(space: Space, arch: jax.Array) -> list[str]:
    lines = [f"architecture  {space.to_str(arch)}"]
    if has_rows(space):
        lines.append(f"row           {int(space.index(arch)):,} of {space.num_architectures:,}")
    lines += [f"  {name:11} {readable(value)}" for name, value in space.decode(arch).items()]
    representative = space.canonical(arch)
    same = checked(representative, space.decisions) == checked(arch, space.decisions)
    return [*lines, f"class         {space.to_str(representative)}{' (itself)' if same else ''}"]


def _sizes(space: Space, task: Task, arch: jax.Array) -> list[str]:
    """Returns the lines of a network's size, none if the space has no networks."""
    if space.networks is None:
        return []
    size = Trainer(space, task).size(arch)
    return [
        f"parameters    {size.num_parameters:,} (for {task.name})",
        f"FLOPs         {size.num_flops:,} (for {task.name})",
    ]
