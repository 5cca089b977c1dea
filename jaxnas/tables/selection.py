"""How well validation scores choose architectures by test."""

import numpy as np

from jaxnas.ranks import rank_correlation
from jaxnas.tables.reliability import TOP_SHARE
from jaxnas.tables.table import Table

FEWEST = 10


def top_ranking(validation: np.ndarray, test: np.ndarray) -> tuple[float | None, int]:
    """Returns the rank correlation of two scores [G] within the top 5 % by the first, and how many those are.

    Larger is better, none is NaN. The correlation is Spearman's; None of fewer than 10 or with a constant.
    """
    top = np.argsort(-validation, kind="stable")[: int(np.ceil(TOP_SHARE * len(validation)))]
    if len(top) < FEWEST or not np.ptp(validation[top]) or not np.ptp(test[top]):
        return None, len(top)
    return rank_correlation(validation[top], test[top]), len(top)


def selection_text(table: Table) -> str:
    """Returns how well validation chooses by test, in a sentence or two for a table's card; empty if not known."""
    protocol, better = table.protocol(), table.metric.better
    told, test = (better * table.means(name).astype(float) for name in (protocol.told, protocol.reported))
    validation, test = told[:, protocol.fidelities[-1]], test[:, -1]
    known = np.isfinite(validation) & np.isfinite(test)
    correlation, number = top_ranking(validation[known], test[known])
    if protocol.told == protocol.reported or correlation is None:
        return ""
    loss = test[known].max() - test[known][validation[known].argmax()]
    gap = f"{100 * loss:.2f} percentage points" if table.metric.unit == "proportion" else f"{loss:.4g}"
    return (
        f"The class of the best mean validation is {gap} below the best mean test. Within the top 5 % by validation "
        f"({number:,} classes), the rank correlation (Spearman) of validation with test is {correlation:.2f}."
    )
