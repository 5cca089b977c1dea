"""Transfer from earlier tasks: tables of one space as sources for a search on another task. Public as `jn.transfer`.

For example `jn.transfer.warm_started(strategy, archs)`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
