"""Drawings of architectures for commands."""

import numpy as np

from jaxnas.spaces.base import SearchSpace


def drawing(space: SearchSpace, arch: np.ndarray) -> str | None:
    """Returns the drawing of an architecture as SVG, None where the space has none."""
    if not hasattr(space, "graph"):
        return None
    from jaxnas.spaces.cells.drawing import draw

    return draw(space.graph(arch))
