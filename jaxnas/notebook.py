"""Tables of facts as HTML, for notebooks."""

from collections.abc import Mapping
from html import escape


def fact_table(title: str, facts: Mapping[str, object]) -> str:
    """Returns an HTML table of named facts under a title; facts that are empty or None are skipped."""
    shown = {name: str(value) for name, value in facts.items() if value is not None and str(value)}
    rows = [f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in shown.items()]
    return f"<table><caption>{escape(title)}</caption><tbody>{''.join(rows)}</tbody></table>"
