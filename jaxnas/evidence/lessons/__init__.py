"""The lessons in `docs/tutorials`: `jn.lessons.check("3b", answer)` says whether an answer to an exercise is right.

Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
