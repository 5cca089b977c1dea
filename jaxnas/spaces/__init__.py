"""Search spaces: which architectures exist, one folder a kind.

For example `jn.spaces.ListedSpace(jn.NB201, range(100))`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
