"""What a kind of network is made of. Public as `jn.kinds`; docs/spaces.md makes one.

For example `jn.kinds.sequential_plan("mine-1", init, apply)`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "Applied": "training.family",
    "Curves": "training.curves",
    "Family": "training.family",
    "Kernels": "training.family",
    "Plan": "training.family",
    "Shared": "training.family",
    "Size": "training.family",
    "Tap": "training.taps",
    "Variables": "training.family",
    "sequential_plan": "training.loop",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
