"""What the parts of a `summary.json` on sources and on why an architecture is good must be like."""

from jaxnas.report.schema_checks import count, fields, flag, listed, maybe, number, text

SOURCES = listed(fields({"id": text, "spearman": maybe(number)}), least=1)
_NAMED = {"architecture": text, "score": number}
_CHANGE = fields(dict.fromkeys(("decision", "before", "after"), text))
_CHANGES = listed(_CHANGE)
_OTHER = {
    "architecture": text,
    "changes": _CHANGES,
    "difference": number,
    "standard_error": maybe(number),
}
_SMALLER = maybe(fields({**_OTHER, "size_ratio": number}))
_STEP = fields({"changes": _CHANGES, "gain": number, "standard_error": maybe(number), "score": number})
_VALUE = fields(
    {
        **dict.fromkeys(("decision", "before", "after"), text),
        "value": number,
        "standard_error": maybe(number),
    }
)
_INSERTION = fields({**dict.fromkeys(("effect", "low", "high"), number), "num_contexts": count(1)})
_MOTIF = fields(
    {
        "name": text,
        **dict.fromkeys(("share", "effect", "low", "high", "stability"), number),
        "insertion": maybe(_INSERTION),
    }
)
EXPLANATION = maybe(
    fields(
        {
            "exact": flag,
            "architecture": fields(_NAMED),
            "reference": fields(_NAMED),
            "path": listed(_STEP),
            "values": maybe(listed(_VALUE, "decisions_explained")),
            "importance": listed(fields({"decision": text, "share": number}), "decisions_explained", least=1),
            "half": _SMALLER,
            "within_half": _SMALLER,
            "loss": maybe(fields({**_OTHER, "at_least": number})),
        },
        {
            "runner_up": maybe(fields({**_NAMED, "chance": maybe(number)})),
            "motifs": listed(_MOTIF),
        },
        own="decisions_explained",
    )
)
