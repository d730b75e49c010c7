"""Values of filters as columns have them: from Python's values, and from texts as people write them.

A time without a zone is in the local one, as everywhere in artfs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum

from artfs.content.digest import parse_digest
from artfs.errors import InvalidValue
from artfs.text.times import aware


def listed(value: object) -> list[object]:
    """The members of a list, of a JSON list as text, or of text with commas."""
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    text = str(value)
    if text.lstrip().startswith("["):
        try:
            members = json.loads(text)
        except ValueError as error:
            raise InvalidValue(f"'{text}' is not a JSON list ({error})") from None
        return list(members)
    return [member.strip() for member in text.split(",")]


def read(kind: str, name: str, value: object) -> object:
    """A value as the column has it."""
    if isinstance(value, Enum):
        value = value.value
    read = _READERS[kind](value)
    if read is None:
        raise InvalidValue(f"filter {name}: {value!r} is not a {_KINDS[kind]}", subject=name)
    return read


def as_number(value: object) -> int | float | None:
    """Return a number, or the one that a text says."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
        try:
            return float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) else None


def as_double(value: int | float) -> float:
    """Return the nearest double; an infinity for an integer beyond all."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def as_moment(value: object) -> int | None:
    """Return microseconds since 1970 UTC for a datetime, a date, or a text that is one in ISO 8601."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if "-" in value else None
        except ValueError:
            return None
    return (aware(value) - _EPOCH) // timedelta(microseconds=1) if isinstance(value, date) else None


def _as_column_number(value: object) -> int | float | None:
    number = as_number(value)
    return as_double(number) if isinstance(number, int) and number.bit_length() > 63 else number


def _as_time(value: object) -> int | None:
    """Microseconds since 1970 UTC, from a datetime, a date, an ISO 8601 text or the number itself."""
    if isinstance(value, str) and value.isdecimal() and len(value) == _YEAR:
        value = f"{value}-01-01"
    if isinstance(value, str) and value.isdecimal() and len(value) != _BASIC_DATE:
        value = int(value)
    if isinstance(value, int):
        return value if value.bit_length() <= 63 else None
    try:
        return as_moment(datetime.fromisoformat(value) if isinstance(value, str) else value)
    except ValueError:
        return None


def _as_bool(value: object) -> int | None:
    return {"true": 1, "1": 1, "yes": 1, "false": 0, "0": 0, "no": 0}.get(str(value).lower())


def _as_bytes(value: object) -> bytes | None:
    if isinstance(value, bytes):
        return value
    try:
        return parse_digest(str(value))
    except ValueError:
        return None


_YEAR, _BASIC_DATE = len("2024"), len("20240131")
"""Digits that ISO 8601 reads as a time; as microseconds they would be a moment of 1970."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_READERS: Mapping[str, Callable[[object], object]] = {
    "text": str,
    "number": _as_column_number,
    "time": _as_time,
    "bool": _as_bool,
    "bytes": _as_bytes,
}

_KINDS = {"text": "text", "number": "number", "time": "time (ISO 8601)", "bool": "bool", "bytes": "digest"}
