"""Small pieces of HTML for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape as _escaped

import humanize

from artfs.text.printable import printable

_TIMES = frozenset(("created", "updated", "started", "ended"))


def table(rows: Sequence[Mapping[str, object]], caption: str = "") -> str:
    """Return a table with a column for each key of the first row."""
    columns = list(rows[0]) if rows else []
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(_cell(column, row.get(column)) for column in columns) + "</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def facts(values: Mapping[str, object], caption: str) -> str:
    """Return a table with a row for each key."""
    body = "".join(f"<tr><th>{escape(key)}</th>{_cell(key, value)}</tr>" for key, value in values.items())
    return f"<table><caption>{escape(caption)}</caption><tbody>{body}</tbody></table>"


def _cell(key: str, value: object) -> str:
    return f"<td>{escape(_shown(key, value))}</td>"


def _shown(key: str, value: object) -> str:
    """The text of a value for people; `artfs.describe` says by which key what is."""
    if value is None:
        return ""
    if key == "bytes" and isinstance(value, int):
        return humanize.naturalsize(value, binary=True)
    if key in _TIMES and isinstance(value, str):
        return value[:19].replace("T", " ")
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def escape(text: str) -> str:
    """Return text for a page: no markup, and nothing that changes the direction of what stands beside it."""
    return _escaped(printable(text, keep="\n\t"))
