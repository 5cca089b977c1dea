"""The lessons in `docs/tutorials`: `jn.lessons.check("3b", answer)` checks an answer to an exercise.

Names load on first use.
"""

from jaxnas.catalog import lazy

__getattr__, __dir__ = lazy(__name__, __file__)
