"""The figure of lesions, saliency and confusion of a trained network."""

from typing import TYPE_CHECKING

import numpy as np

from jaxnas.analysis.explanation.networks import Lesion, NetworkExplanation
from jaxnas.checks import printable
from jaxnas.report.figures.style import COLORS, GRAY, PAGE, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def network_parts(found: NetworkExplanation) -> "Figure":
    """Returns the figure of the result of `jn.analysis.explain_network`.

    The cost of each edge's lesion, with standard errors (dead edges are gray); the saliency of an image, its channels
    added up, or of each number of a vector; and the confusion of classes, in shares of each class.
    """
    from matplotlib.figure import Figure

    figure = Figure((PAGE, 2.3), layout="constrained")
    axes = figure.subplots(1, 3 if found.lesions else 2)
    if found.lesions:
        _draw_lesions(axes[0], found.lesions)
    _draw_saliency(axes[-2], found.saliency)
    _draw_confusion(axes[-1], found)
    return figure


def _draw_lesions(axes: "Axes", lesions: tuple[Lesion, ...]) -> None:
    for place, each in enumerate(lesions):
        color = COLORS[0] if each.live else GRAY
        axes.barh(place, 100 * each.loss, xerr=100 * np.nan_to_num(each.standard_error), color=color, height=0.6)
    axes.set_yticks(range(len(lesions)), [printable(f"{each.edge}: {each.operation}") for each in lesions])
    axes.invert_yaxis()
    axes.set(xlabel="loss of accuracy (points)", title="Without an edge")
    axes.grid(axis="y", visible=False)


def _draw_saliency(axes: "Axes", saliency: np.ndarray) -> None:
    if saliency.ndim == 1:
        axes.bar(range(len(saliency)), saliency, color=COLORS[0])
        axes.set_xlabel("input")
    else:
        axes.imshow(saliency.sum(-1), cmap="viridis")
        axes.set(xticks=(), yticks=())
        axes.grid(visible=False)
    axes.set_title("Saliency")


def _draw_confusion(axes: "Axes", found: NetworkExplanation) -> None:
    shares = found.confusion / np.maximum(found.confusion.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [printable(str(name)) for name in found.classes]
    axes.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="predicted", ylabel="class")
    axes.set_xticklabels(names)
    axes.set_yticklabels(names)
    axes.grid(visible=False)
    axes.set_title("Confusion")
