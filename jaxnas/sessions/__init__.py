"""Searchers from outside: sessions on a benchmark, blinded spaces, the memory test, and fresh tables.

For example `jn.sessions.Blinded(jn.NB201, seed=3)`. Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
