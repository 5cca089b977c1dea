"""One-shot search: one network for all architectures of a space, and methods to choose by it. Public as `jn.oneshot`.

For example `jn.oneshot.rank_correlation(result.supernets, table)`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
