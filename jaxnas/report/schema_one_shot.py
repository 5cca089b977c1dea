"""What the `summary.json` of a one-shot search must be like for a page to be made of it."""

from typing import Any

from jaxnas.report.schema_checks import (
    anything,
    count,
    fields,
    listed,
    mapped,
    maybe,
    metric,
    number,
    one_of,
    refuse,
    text,
    versions,
)

_RUN = fields(
    {
        "seed": count(),
        "architecture": text,
        "drawing": text,
        "score": number,
        "regret": maybe(number),
        "losses": listed(number, "records", least=1),
        "alpha_losses": maybe(listed(number, "records")),
        "probabilities": maybe(listed(listed(listed(number, "choices")), "records")),
        "parameter_free": maybe(listed(count(), "records", longer_by=1)),
    }
)
_REFERENCE = fields(
    {"table": text, "median_regret": number, "random_regret": number, "num_trainings": count(1)},
)
_ONE_SHOT = fields(
    {
        "kind": one_of("one-shot search"),
        **dict.fromkeys(("space", "task", "task_hash", "method", "command", "split"), text),
        "metric": metric,
        "num_steps": count(1),
        "num_trainings": number,
        "steps": listed(count(1), "records", least=1),
        "hyperparameters": mapped(anything),
        "recipe": mapped(anything),
        "decisions": listed(fields({"name": text, "values": listed(text)})),
        "findings": listed(text),
        "runs": listed(_RUN, least=1),
        "reference": maybe(_REFERENCE),
        "training": maybe(mapped(number)),
        "versions": versions,
    }
)


def checked_one_shot(summary: Any) -> dict[str, Any]:
    """Returns the dictionary of the `summary.json` of a one-shot search, once it is as its page needs it.

    Raises ValueError otherwise.
    """
    _ONE_SHOT(summary, "", {})
    shape = [len(decision["values"]) for decision in summary["decisions"]]
    for run in summary["runs"]:
        for found in run["probabilities"] or ():
            if [len(each) for each in found] != shape:
                raise refuse("probabilities", "of each choice of each decision", [len(each) for each in found])
    return summary
