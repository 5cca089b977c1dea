"""Scores of architectures relative to others, from several proxies: combined ranks. NumPy only.

They depend on the architectures that are scored together, so they are properties of a set, not of one architecture.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxnas.ranks import shared_ranks

CITES = ("lee2024aznas",)
AZ_PARTS = ("az_expressivity", "az_progressivity", "az_trainability", "flops")


def ranks(values: np.ndarray) -> np.ndarray:
    """Returns the ranks of values [A], 1 for the smallest to A, means among equals; NaN ranks below all others."""
    return shared_ranks(np.where(np.isnan(values), -np.inf, values))[0]


def log_rank(columns: Sequence[np.ndarray] | Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the sum over columns [A], larger is better, of log(rank / A): one poor rank costs much.

    Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search", CVPR 2024.
    """
    found = list(columns.values() if isinstance(columns, Mapping) else columns)
    if not found or len({np.shape(each) for each in found}) > 1 or np.ndim(found[0]) != 1:
        raise ValueError(f"Expected one or more columns of one shape [A], got {[np.shape(each) for each in found]}.")
    values = [np.asarray(each, np.float64) for each in found]
    return sum((np.log(ranks(each) / len(each)) for each in values), np.zeros(()))
