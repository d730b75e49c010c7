"""How typed metadata values become columns, and come back as they were.

A value is a row of (type, text, number, json): `text` and `number` are what filters and sorting look at, exact where
the type needs it (the digits of an int that no double can hold are in `text`); containers, and
text that no column can hold, are whole in `json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePath
from typing import Any

from artfs.errors import InvalidValue
from artfs.text.times import aware
from artfs.types import DType, StorageSize, Uri
from artfs.types import Path as NamedPath


@dataclass(frozen=True, slots=True)
class EncodedValue:
    """A value as columns."""

    type: str
    text: str | None = None
    number: float | None = None
    json: str | None = None

    @property
    def time_us(self) -> int | None:
        """The value as microseconds since 1970, if it is a time: seconds as a double are exact to the microsecond."""
        is_time = self.type in ("datetime", "date") and self.number is not None
        return round(self.number * 1_000_000) if is_time and self.number is not None else None


def encode(value: object) -> EncodedValue:
    """Return the columns of a value.

    Known are None, bool, int, float, str, datetime, date, Path, Uri, DType, StorageSize, and list, tuple, set,
    frozenset, dict of such values.

    Raises InvalidValue for any other type.
    """
    type_ = _type_of(value)
    if type_ in _CONTAINERS:
        return EncodedValue(type_, json=json.dumps(_to_json(value)))
    if type_ == "none":
        return EncodedValue(type_)
    text = _TO_TEXT.get(type_, str)(value)
    if not _fits_a_column(text):
        return EncodedValue(type_, json=json.dumps(text))
    return EncodedValue(type_, text, _number(value))


def decode(encoded: EncodedValue) -> Any:
    """Return the value that was encoded."""
    if encoded.type in _CONTAINERS:
        return _from_json(json.loads(encoded.json or "null"))
    if encoded.type == "none":
        return None
    text = encoded.text if encoded.text is not None else json.loads(encoded.json or '""')
    return _FROM_TEXT[encoded.type](text)


_TYPES: tuple[tuple[type, str], ...] = (
    # Subclasses before what they are a subclass of.
    (type(None), "none"),
    (bool, "bool"),
    (StorageSize, "storage_size"),
    (int, "int"),
    (float, "float"),
    (Uri, "uri"),
    (DType, "dtype"),
    (NamedPath, "named_path"),
    (str, "str"),
    (datetime, "datetime"),
    (date, "date"),
    (PurePath, "path"),
    (list, "list"),
    (tuple, "tuple"),
    (set, "set"),
    (frozenset, "frozenset"),
    (dict, "dict"),
)

_CONTAINERS = frozenset(("list", "tuple", "set", "frozenset", "dict"))

_TO_TEXT: Mapping[str, Callable[[Any], str]] = {
    "int": lambda value: digits(value),
    "storage_size": lambda value: digits(value),
    "float": lambda value: float.__repr__(value),
    "datetime": lambda value: str(value.isoformat()),
    "date": lambda value: str(value.isoformat()),
    "bool": lambda value: "true" if value else "false",
}

_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    "bool": lambda text: text == "true",
    "storage_size": lambda text: StorageSize(int(text, 0)),
    "int": lambda text: int(text, 0),
    "float": float,
    "uri": Uri,
    "dtype": DType,
    "named_path": NamedPath,
    "str": str,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "path": Path,
}

_TAG = "$type"

_LONG_INT_BITS = 4096
"""Python refuses to write longer ones in decimal; far longer ones take quadratic time."""


def _type_of(value: object) -> str:
    for class_, name in _TYPES:
        if isinstance(value, class_):
            return name
    raise InvalidValue(
        f"metadata of type {type(value).__name__} cannot be stored: use None, bool, int, float, str, datetime, Path, "
        "Uri, DType, StorageSize, or list, tuple, set, dict of them"
    )


def _fits_a_column(text: str) -> bool:
    """Whether a column of text can hold it: no NUL, and no half of a surrogate pair (a file name that is not UTF-8)."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def digits(value: int) -> str:
    """Return an integer as `text` has it: in decimal, or a very long one in hexadecimal."""
    return hex(value) if value.bit_length() > _LONG_INT_BITS else int.__repr__(value)


def _number(value: object) -> float | None:
    """What numeric filters compare; times are seconds since 1970, those without a zone taken as local."""
    if isinstance(value, date):  # a datetime is one
        return aware(value).timestamp()
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    # SQLite stores NaN as NULL; PostgreSQL would sort it above all numbers.
    return None if math.isnan(number) else number


def _to_json(value: object) -> Any:
    """Plain JSON where that comes back as it was, else an object that names the type."""
    type_ = _type_of(value)
    if type_ in ("none", "bool", "str") or (isinstance(value, float) and math.isfinite(value)):
        return value
    if type_ == "int" and isinstance(value, int) and value.bit_length() <= _LONG_INT_BITS:
        return value
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, dict):
        if all(type(key) is str for key in value) and _TAG not in value:
            return {key: _to_json(item) for key, item in value.items()}
        return {_TAG: type_, "items": [[_to_json(key), _to_json(item)] for key, item in value.items()]}
    if isinstance(value, tuple | set | frozenset):
        return {_TAG: type_, "items": [_to_json(item) for item in _ordered(value)]}
    return {_TAG: type_, "text": _TO_TEXT.get(type_, str)(value)}


def _ordered(values: Iterable[Any]) -> Iterable[Any]:
    """Members of a set in an order that does not change from process to process."""
    return (
        sorted(values, key=lambda item: (type(item).__name__, repr(item)))
        if isinstance(values, set | frozenset)
        else values
    )


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {key: _from_json(item) for key, item in value.items()}
    type_ = value[_TAG]
    if type_ == "dict":
        return {_from_json(key): _from_json(item) for key, item in value["items"]}
    if type_ in _CONTAINERS:
        class_: Callable[[list[Any]], Any] = {"tuple": tuple, "set": set, "frozenset": frozenset}[type_]
        return class_([_from_json(item) for item in value["items"]])
    return _FROM_TEXT[type_](value["text"])
