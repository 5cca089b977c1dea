"""Scores of architectures among others, from several proxies: ranks put together. NumPy only.

They depend on the architectures that are scored together, so that they are of a set and not of one architecture.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

CITES = ("lee2024aznas", "abdelfattah2021zero")
AZ_PARTS = ("az_expressivity", "az_progressivity", "az_trainability", "flops")


def ranks(values: np.ndarray) -> np.ndarray:
    """Returns the ranks of values [A], 1 for the smallest to A, means among equals; NaN ranks below all others."""
    return rankdata(np.where(np.isnan(values), -np.inf, values))


def log_rank(columns: Sequence[np.ndarray] | Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the sum over columns [A], larger is better, of log(rank / A): one poor rank costs much.

    Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search", CVPR 2024.
    """
    return sum((np.log(ranks(each) / len(each)) for each in _values(columns)), np.zeros(()))


def rank_sum(columns: Sequence[np.ndarray] | Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the sum of the ranks over columns [A], larger is better."""
    return sum((ranks(each) for each in _values(columns)), np.zeros(()))


def vote(columns: Sequence[np.ndarray] | Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the share of other architectures that an architecture beats by most columns [A], larger is better.

    Abdelfattah, Mehrotra, Dudziak and Lane, "Zero-Cost Proxies for Lightweight NAS", ICLR 2021. A tie is half a win.
    Takes memory for all pairs of blocks of 256 architectures.
    """
    ranked = np.stack([ranks(each) for each in _values(columns)])
    num_archs = ranked.shape[1]
    wins = np.empty(num_archs)
    for start in range(0, num_archs, 256):
        differences = np.sign(ranked[:, start : start + 256, None] - ranked[:, None]).sum(0)
        wins[start : start + 256] = (np.sign(differences) + 1).sum(1) / 2 - 0.5
    return wins / max(num_archs - 1, 1)


def az(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns AZ-NAS's score [A] among the architectures: `log_rank` of expressivity, progressivity, trainability and
    multiply-accumulates.
    """
    return log_rank([scores[name] for name in AZ_PARTS])


def _values(columns: Sequence[np.ndarray] | Mapping[str, np.ndarray]) -> list[np.ndarray]:
    found = list(columns.values() if isinstance(columns, Mapping) else columns)
    if not found or len({np.shape(each) for each in found}) > 1 or np.ndim(found[0]) != 1:
        raise ValueError(f"Expected one or more columns of one shape [A], got {[np.shape(each) for each in found]}.")
    return [np.asarray(each, np.float64) for each in found]
