"""The parts of a kind of network. Public as `jn.kinds`; docs/spaces.md makes one.

For example `jn.kinds.sequential_plan("mine-1")`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
