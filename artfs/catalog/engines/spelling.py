"""The catalog's SQL as psycopg wants it: `%(name)s` for `:name`, and each `%` twice."""

from __future__ import annotations

import functools
import re

# Texts in quotes are left as they are; so are casts (`::`).
_PARTS = re.compile(r"('(?:[^']|'')*'|\"[^\"]*\"|::)|:([A-Za-z_]\w*)|(%)")


@functools.cache
def spelled(sql: str) -> str:
    """Return a statement with its parameters written as psycopg has them."""
    return _PARTS.sub(_replaced, sql)


def _replaced(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1].replace("%", "%%")
    return f"%({found[2]})s" if found[2] is not None else "%%"
