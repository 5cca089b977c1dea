"""The public names, one import each; `python tests/repository/test_public_names.py` sorts them."""

from jaxnas.evidence.lessons.exercises import Verdict
from jaxnas.evidence.lessons.exercises import check

__all__ = [
    "Verdict",
    "check",
]
