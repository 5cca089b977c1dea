"""What a kind of network is made of. Public as `jn.kinds`; docs/spaces.md makes one.

For example `jn.kinds.sequential_plan("mine-1")`. Names load on first use.
"""

from jaxnas.catalog import lazy

NAMES = {
    "Applied": "training.networks",
    "AppliedNetwork": "training.networks",
    "Curves": "training.curves",
    "Kernels": "training.networks",
    "MixedNetworks": "training.networks",
    "Networks": "training.networks",
    "Plan": "training.networks",
    "Recorder": "training.recorder",
    "ScoredNetworks": "training.networks",
    "sequential_plan": "training.loop",
    "SharedNetworks": "training.networks",
    "Size": "training.networks",
    "Tap": "training.recorder",
    "Variables": "training.networks",
}
"""The public names, each with the module that holds it."""

__getattr__, __dir__ = lazy(__name__, NAMES)
