"""The networks of jaxnas and their training in PyTorch: the other side of `speed/training.py`, which see.

One network definition serves both forms: K trainings of one architecture are folded into the channels, so that each
convolution has K groups and each training its own channels; with K = 1 it is the ordinary network. As in jaxnas, dead
edges and zero terms of a cell are left out. Needs PyTorch, which jaxnas does not depend on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from jaxnas.spaces.cells import graph
from jaxnas.spaces.cells.network import Skeleton
from jaxnas.tasks.base import Split, Task
from jaxnas.training.config import TrainConfig
from jaxnas.training.loop import STATISTICS_BATCHES

EVALUATION_BATCH = 512  # the fastest of 64, 128 and 512 for both forms


@dataclass(frozen=True)
class Form:
    """How trainings run in PyTorch.

    Attributes:
        folded: the seeds of an architecture in one network, else one training at a time.
        memory_format: of images and kernels.
        foreach: whether SGD updates all parameters in one call.
    """

    folded: bool
    memory_format: torch.memory_format
    foreach: bool

    def groups(self, seeds: Sequence[int]) -> list[Sequence[int]]:
        """Returns the seeds in the groups that are trained together."""
        return [seeds] if self.folded else [seeds[number : number + 1] for number in range(len(seeds))]


FORMS = {
    "eager": Form(folded=False, memory_format=torch.contiguous_format, foreach=False),
    "folded": Form(folded=True, memory_format=torch.channels_last, foreach=True),
}


class Curves(NamedTuple):
    """What trainings measured, as that of `jaxnas`: correct images and mean training loss, [K, E] or [A, S, E].

    `num_steps`: of all of them together.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    loss: np.ndarray
    num_steps: int


class Batches(NamedTuple):
    """Images as [..., K * C, H, W] and labels of a number of batches: [S, K, B] in training, else [B] each."""

    images: Sequence[torch.Tensor]
    labels: Sequence[torch.Tensor]


class Convolution(nn.Module):
    """An optional ReLU, a convolution that keeps K trainings apart, and batch normalization."""

    def __init__(self, channels: tuple[int, int], size: int, num_folded: int, stride: int = 1, relu: bool = True):
        super().__init__()
        self.relu = relu
        self.convolution = _convolution(channels, size, num_folded, stride)
        self.norm = _norm(channels[1], num_folded)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the feature map after the three."""
        return self.norm(self.convolution(functional.relu(x) if self.relu else x))


class Cell(nn.Module):
    """The live edges of the cell of one architecture."""

    def __init__(self, space, arch: tuple[int, ...], num_channels: int, num_folded: int):
        super().__init__()
        edges = graph.prune(space.graph(arch)).edges
        self.num_nodes = space.num_nodes
        self.ends = [(edge.source, edge.target) for edge in edges]
        self.operations = nn.ModuleDict(
            {
                f"{edge.source}-{edge.target}": _operation(edge.operation.name, num_channels, num_folded)
                for edge in edges
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the sum at the last node; where no edge is live, zeros through which gradients still run."""
        nodes = [x] + [None] * (self.num_nodes - 1)
        for (source, target), operation in zip(self.ends, self.operations.values(), strict=True):
            y = operation(nodes[source])
            nodes[target] = y if nodes[target] is None else nodes[target] + y
        return x * 0 if nodes[-1] is None else nodes[-1]


class Reduction(nn.Module):
    """The residual block with stride 2 between stages."""

    def __init__(self, in_channels: int, num_folded: int):
        super().__init__()
        out_channels = 2 * in_channels
        self.a = Convolution((in_channels, out_channels), 3, num_folded, stride=2)
        self.b = Convolution((out_channels, out_channels), 3, num_folded)
        self.shortcut = _convolution((in_channels, out_channels), 1, num_folded)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the feature map of half the size and twice the channels."""
        return self.shortcut(functional.avg_pool2d(x, 2)) + self.b(self.a(x))


class Network(nn.Module):
    """K = `num_folded` networks of one architecture: `network(images [B, K * C, H, W]) -> logits [K, B, classes]`."""

    def __init__(self, space, skeleton: Skeleton, task: Task, arch: tuple[int, ...], num_folded: int):
        super().__init__()
        channels = [skeleton.num_channels * 2**stage for stage in range(skeleton.num_stages)]
        self.num_folded = num_folded
        self.stem = Convolution((task.shape[2], channels[0]), 3, num_folded, relu=False)
        self.stages = nn.ModuleList()
        for number, width in enumerate(channels):
            reduction = [Reduction(width // 2, num_folded)] if number else []
            cells = [Cell(space, arch, width, num_folded) for _ in range(skeleton.cells_per_stage)]
            self.stages.append(nn.Sequential(*reduction, *cells))
        self.norm = _norm(channels[-1], num_folded)
        self.weight = nn.Parameter(torch.randn(num_folded, channels[-1], task.num_classes) * channels[-1] ** -0.5)
        self.offset = nn.Parameter(torch.zeros(num_folded, 1, task.num_classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the logits of each network for its own channels of the images."""
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        features = functional.relu(self.norm(x)).mean((2, 3))
        features = features.view(len(images), self.num_folded, -1).transpose(0, 1)
        return torch.baddbmm(self.offset, features, self.weight)


def _convolution(channels: tuple[int, int], size: int, num_folded: int, stride: int = 1) -> nn.Conv2d:
    inputs, outputs = (num_folded * number for number in channels)
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=num_folded, bias=False)
    nn.init.kaiming_normal_(convolution.weight)
    return convolution


def _norm(num_channels: int, num_folded: int) -> nn.BatchNorm2d:
    """Returns batch normalization whose statistics are the plain mean over the batches that it keeps them of."""
    return nn.BatchNorm2d(num_folded * num_channels, momentum=None)


def _operation(name: str, num_channels: int, num_folded: int) -> nn.Module:
    channels = (num_channels, num_channels)
    return {
        "skip_connect": nn.Identity,
        "nor_conv_1x1": lambda: Convolution(channels, 1, num_folded),
        "nor_conv_3x3": lambda: Convolution(channels, 3, num_folded),
        "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    }[name]()


def num_parameters(network: Network) -> int:
    """Returns the number of trainable parameters of each of the networks folded into one."""
    return sum(parameter.numel() for parameter in network.parameters()) // network.num_folded


def copy_parameters(sources: Sequence, target: Network) -> None:
    """Gives the K networks of `target` the parameters of K static networks of jaxnas.

    Raises ValueError where the names of the parameters are not all the same.
    """
    arrays = [_named_arrays(source) for source in sources]
    names = {name for name, _ in target.named_parameters()}
    if names != set(arrays[0]):
        raise ValueError(f"Expected parameters {sorted(names)}, got {sorted(arrays[0])}.")
    joined = {name: torch.as_tensor(np.concatenate([each[name] for each in arrays])) for name in names}
    target.load_state_dict(joined, strict=False)  # the statistics are not among them


def _named_arrays(network) -> dict[str, np.ndarray]:
    """Returns the parameters of a static network of jaxnas, by the names and in the layout of `Network` with K = 1."""
    head = {name: np.asarray(value[...]) for name, value in network.head.parameters.items()}
    found = {"norm.weight": head["scale"], "norm.bias": head["bias"]}
    found |= {"weight": head["kernel"][None], "offset": head["offset"][None, None]}
    found |= _block("stem", network.stem.parameters)
    for number, reduction in enumerate(network.reductions, start=1):
        found[f"stages.{number}.0.shortcut.weight"] = _kernel(reduction.parameters["shortcut"])
        for block in ("a", "b"):
            found |= _block(f"stages.{number}.0.{block}", reduction.parameters, f"{block}_")
    for number, cell in enumerate(network.cells):
        stage, position = divmod(number, network.skeleton.cells_per_stage)
        for edge, layer in cell.edges.items():
            if layer.parameters:
                found |= _block(f"stages.{stage}.{position + (stage > 0)}.operations.{edge}", layer.parameters)
    return found


def _block(name: str, parameters, prefix: str = "") -> dict[str, np.ndarray]:
    """Returns the parameters of a convolution and its normalization."""
    return {
        f"{name}.convolution.weight": _kernel(parameters[f"{prefix}kernel"]),
        f"{name}.norm.weight": np.asarray(parameters[f"{prefix}scale"][...]),
        f"{name}.norm.bias": np.asarray(parameters[f"{prefix}bias"][...]),
    }


def _kernel(variable) -> np.ndarray:
    """Returns a kernel [3, 3, C, D] or [C, D] as [D, C, 3, 3] or [D, C, 1, 1]."""
    kernel = np.asarray(variable[...])
    return (kernel if kernel.ndim == 4 else kernel[None, None]).transpose(3, 2, 0, 1)


@torch.no_grad()
def logits(form: Form, network: Network, images: np.ndarray, training: bool) -> np.ndarray:
    """Returns the logits [K, B, classes] of each of the networks for images [B, H, W, C]."""
    split = Split(images[None], np.zeros(len(images), np.int32))
    batches = evaluation_batches(form, split, network.num_folded).images
    network.to(memory_format=form.memory_format).train(training)
    return torch.cat([network(batch) for batch in batches], 1).numpy()


def training_batches(form: Form, split: Split, indices: np.ndarray, views: np.ndarray) -> Batches:
    """Returns the batches of one epoch: images by index and view, both int[S, B, K], gathered in one call."""
    size = indices.shape[1]
    indices, views = torch.as_tensor(indices), torch.as_tensor(views)
    images = _channels_first(split)[views, indices].flatten(2, 3)
    images = images.flatten(0, 1).contiguous(memory_format=form.memory_format)
    return Batches(images.split(size), torch.as_tensor(split.labels).long()[indices].transpose(1, 2).contiguous())


def evaluation_batches(form: Form, split: Split, num_folded: int) -> Batches:
    """Returns the images of a split, views included, K times, in batches."""
    images = (
        _channels_first(split).flatten(0, 1).repeat(1, num_folded, 1, 1).contiguous(memory_format=form.memory_format)
    )
    labels = torch.as_tensor(split.labels).long().repeat(split.inputs.shape[0])
    size = -(-len(labels) // -(-len(labels) // EVALUATION_BATCH))
    return Batches(images.split(size), labels.split(size))


def _evaluations(form: Form, task: Task, num_folded: int) -> list[Batches]:
    return [evaluation_batches(form, split, num_folded) for split in (task.validation, task.test)]


def _channels_first(split: Split) -> torch.Tensor:
    """Returns the images as [V, n, C, H, W], without a copy where they have one channel."""
    return torch.as_tensor(split.inputs).permute(0, 1, 4, 2, 3)


def random_epochs(form: Form, split: Split, config: TrainConfig, seeds: Sequence[int]) -> Iterator[Batches]:
    """Returns the epochs of trainings with these seeds: each with its own order and newly drawn views."""
    num_views, num_images = split.inputs.shape[:2]
    steps = num_images // config.batch_size
    shape = (steps, config.batch_size, len(seeds))
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    for _ in range(config.num_epochs):
        orders = [torch.randperm(num_images, generator=generator) for generator in generators]
        views = [torch.randint(num_views, (num_images,), generator=generator) for generator in generators]
        drawn = (torch.stack(each, 1)[: steps * config.batch_size].view(shape) for each in (orders, views))
        yield training_batches(form, split, *drawn)


def make_trainer(
    form: Form, space, archs: Sequence[tuple[int, ...]], task: Task, config: TrainConfig, seeds: Sequence[int]
) -> Callable[[], Curves]:
    """Returns a function that trains each architecture with each seed and returns the `Curves`, [A, S, E].

    The images to evaluate are laid out beforehand.
    """
    torch.set_num_threads(1)
    groups = form.groups(seeds)
    evaluations = _evaluations(form, task, len(groups[0]))

    def train_group(arch, group):
        torch.manual_seed(group[0])
        network = Network(space, config.network, task, arch, len(group))
        return train(form, network, config, random_epochs(form, task.train, config, group), evaluations)

    def train_all():
        rows = [[train_group(arch, group) for group in groups] for arch in archs]
        curves = [[np.concatenate(values) for values in zip(*(each[:-1] for each in row), strict=True)] for row in rows]
        num_steps = sum(each.num_steps for row in rows for each in row)
        return Curves(*(np.stack(values) for values in zip(*curves, strict=True)), num_steps)

    return train_all


def train_on(
    form: Form, network: Network, task: Task, config: TrainConfig, epochs: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Curves:
    """Returns the `Curves` of training a network on given images and views of each epoch, both int[S, B, K]."""
    batches = (training_batches(form, task.train, *epoch) for epoch in epochs)
    return train(form, network, config, batches, _evaluations(form, task, network.num_folded))


def train(
    form: Form, network: Network, config: TrainConfig, epochs: Iterable[Batches], evaluations: Sequence[Batches]
) -> Curves:
    """Returns the `Curves` of training a network, with the recipe and the evaluations of `jaxnas.training`, [K, E]."""
    network.to(memory_format=form.memory_format)
    recipe = {"momentum": config.momentum, "weight_decay": config.weight_decay, "nesterov": True}
    optimizer = torch.optim.SGD(network.parameters(), config.learning_rate, **recipe, foreach=form.foreach)
    rows = []
    schedule = None
    num_steps = 0
    for batches in epochs:
        steps = len(batches.images)
        schedule = schedule or torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.num_epochs * steps)
        rows.append([*_train_epoch(network, optimizer, schedule, batches)])
        _estimate_statistics(network, batches.images[:STATISTICS_BATCHES])
        rows[-1] += [_num_correct(network, batches) for batches in evaluations]
        num_steps += steps * network.num_folded
    losses, correct, *evaluated = (torch.stack(values, 1).numpy() for values in zip(*rows, strict=True))
    return Curves(correct, *evaluated, losses, num_steps)


def _train_epoch(network, optimizer, schedule, batches: Batches) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns mean loss and number of correct images [K] of an epoch of training."""
    network.train()
    _keep_statistics(network, False)  # they are estimated after the epoch, as in jaxnas
    losses, logits = [], []
    for images, labels in zip(*batches, strict=True):
        optimizer.zero_grad(set_to_none=True)
        predicted = network(images)
        each = functional.cross_entropy(predicted.flatten(0, 1), labels.flatten(), reduction="none")
        loss = each.view(labels.shape).mean(1)
        loss.sum().backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
        logits.append(predicted.detach())
    correct = torch.stack(logits).argmax(-1) == batches.labels
    return torch.stack(losses).mean(0), correct.sum((0, 2))


def _keep_statistics(network: Network, keep: bool) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = keep
            if keep:
                module.reset_running_stats()


@torch.inference_mode()
def _estimate_statistics(network: Network, batches: Sequence[torch.Tensor]) -> None:
    """Sets the statistics of batch normalization to their mean over batches, as `jaxnas.training` does."""
    _keep_statistics(network, True)
    for images in batches:
        network(images)


@torch.inference_mode()
def _num_correct(network: Network, batches: Batches) -> torch.Tensor:
    """Returns how many images are classified correctly by each of the networks, int64[K]."""
    network.eval()
    return sum((network(images).argmax(-1) == labels).sum(-1) for images, labels in zip(*batches, strict=True))
