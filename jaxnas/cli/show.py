"""`jaxnas show`: one architecture, described and drawn."""

import argparse
from pathlib import Path

import jax

from jaxnas import catalog
from jaxnas.cli.folders import writable
from jaxnas.files import replace_file
from jaxnas.report.sentences import readable
from jaxnas.spaces.base import Space, checked, has_rows
from jaxnas.tasks.base import Task


def run(options: argparse.Namespace) -> int:
    """Prints an architecture's decisions, class and size, and draws it. Returns the exit code."""
    space = catalog.space(options.space)
    task = catalog.task(options.task or _default_task(space))
    arch = _arch_of(options.arch, space)
    if options.out:
        writable(Path(options.out).parent)
        replace_file(Path(options.out), space.drawing(arch).encode())
    for line in (*_description(space, arch), *_sizes(space, task, arch)):
        print(line)
    return 0


def _default_task(space: Space) -> str:
    """Returns the name of a task without a download that networks of a space take."""
    if space.networks is None:
        return catalog.DEFAULT_TASKS["images"]
    from jaxnas.training.networks import networks_class

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
    """Returns the lines of a network's size, none where the space has no networks."""
    if space.networks is None:
        return []
    from jaxnas.training.trainer import Trainer

    size = Trainer(space, task).size(arch)
    return [
        f"parameters    {size.num_parameters:,} (for {task.name})",
        f"FLOPs         {size.num_flops:,} (for {task.name})",
    ]
