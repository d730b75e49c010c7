"""The JSON form of single values: every scalar type of the standard library that JSON itself has no word for.

A form is a tag and a payload, written `{"$tag": payload}`. A payload is made of JSON's own types; floats that are not
finite, very long integers and texts that UTF-8 cannot express may stand in it: `armoured` takes care of them.
"""

from __future__ import annotations

import base64
import math
import pathlib
import struct
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from types import EllipsisType, MappingProxyType, NoneType
from typing import Any, NamedTuple
from uuid import UUID

from artfs.materializers.instances.fields import NotInline

#: JSON's own types. Only values of exactly these types are written as they are.
ATOMS = frozenset({NoneType, bool, int, float, str})

_LONGEST_INT_BITS = 4096  # Python refuses to parse decimal numbers of more than 4,300 digits
_USUAL_NAN = struct.pack(">d", math.nan)


class Scalar(NamedTuple):
    """How values of one type are written: `{"$tag": to_payload(value)}`."""

    tag: str
    to_payload: Callable[[Any], Any]
    from_payload: Callable[[Any], Any]


def armoured(tree: Any) -> Any:
    """Return a copy of a JSON tree with tagged forms for the atoms that strict JSON or UTF-8 cannot hold."""
    kind = type(tree)
    if kind is list:
        return [armoured(element) for element in tree]
    if kind is dict:
        if all(map(_is_utf8, tree)):
            return {key: armoured(value) for key, value in tree.items()}
        return {"$dict": [[armoured(key), armoured(value)] for key, value in tree.items()]}
    if kind is float and not math.isfinite(tree):
        return {"$float": _float_to_text(tree)}
    if kind is int and tree.bit_length() > _LONGEST_INT_BITS:
        return {"$int": hex(tree)}
    if kind is str and not _is_utf8(tree):
        return {"$str": _to_base64(tree.encode("utf-8", "surrogatepass"))}
    return tree


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _float_to_text(value: float) -> str:
    """Return inf, -inf or nan; a NaN with a sign or a payload also gets its eight bytes in hexadecimal."""
    if value == math.inf or value == -math.inf:
        return repr(value)
    bits = struct.pack(">d", value)
    return "nan" if bits == _USUAL_NAN else f"nan:{bits.hex()}"


def _float_from_text(text: str) -> float:
    _, _, bits = text.partition(":")
    return struct.unpack(">d", bytes.fromhex(bits))[0] if bits else float(text)


def _to_base64(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _timezone_arguments(zone: timezone) -> tuple[timedelta] | tuple[timedelta, str]:
    """Return the offset, and the name if one was given: what `copy` and `pickle` ask a timezone for."""
    arguments: tuple[timedelta] | tuple[timedelta, str] = zone.__getinitargs__()  # type: ignore[attr-defined]
    return arguments


def _zone_to_form(zone: tzinfo | None) -> Any:
    """Return the whole form (tag and payload) of the time zone of a datetime or time."""
    if zone is None:
        return None
    scalar = SCALARS.get(type(zone))
    if scalar is None:
        raise NotInline
    return {f"${scalar.tag}": scalar.to_payload(zone)}


def _says_it_all(value: datetime | time) -> bool:
    """Return whether the ISO text alone brings the value back."""
    zone = value.tzinfo
    return value.fold == 0 and (zone is None or (type(zone) is timezone and len(_timezone_arguments(zone)) == 1))


def _moment_to_payload(value: datetime | time) -> Any:
    if _says_it_all(value):
        return value.isoformat()
    return {"local": value.replace(tzinfo=None).isoformat(), "fold": value.fold, "zone": _zone_to_form(value.tzinfo)}


def _datetime_from_payload(payload: Any) -> datetime:
    if isinstance(payload, str):
        return datetime.fromisoformat(payload)
    return datetime.fromisoformat(payload["local"]).replace(tzinfo=payload["zone"], fold=payload["fold"])


def _time_from_payload(payload: Any) -> time:
    if isinstance(payload, str):
        return time.fromisoformat(payload)
    return time.fromisoformat(payload["local"]).replace(tzinfo=payload["zone"], fold=payload["fold"])


def _timedelta_to_payload(value: timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _timezone_to_payload(zone: timezone) -> list[Any]:
    offset, *name = _timezone_arguments(zone)
    return [_timedelta_to_payload(offset), *name]


def _timezone_from_payload(payload: list[Any]) -> timezone:
    offset, *name = payload
    return timezone(timedelta(*offset), *name)


def _zoneinfo_to_payload(zone: zoneinfo.ZoneInfo) -> str:
    if zone.key is None:  # made from a file: nothing to find it by
        raise NotInline
    return zone.key


def _slice_to_payload(value: slice) -> list[Any]:
    parts = [value.start, value.stop, value.step]
    if not {type(part) for part in parts} <= ATOMS:
        raise NotInline
    return parts


def path_to_payload(path: pathlib.PurePath) -> list[str]:
    """Return the class and the text of a path, as a name only."""
    return [type(path).__name__, str(path)]


def _path_from_payload(payload: list[str]) -> pathlib.PurePath:
    kind, text = payload
    classes = (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath)
    return {path_class.__name__: path_class for path_class in classes}[kind](text)


#: Scalar types by exact type.
SCALARS: Mapping[type, Scalar] = MappingProxyType(
    {
        complex: Scalar("complex", lambda value: [value.real, value.imag], lambda parts: complex(*parts)),
        bytes: Scalar("bytes", _to_base64, _from_base64),
        bytearray: Scalar("bytearray", _to_base64, lambda text: bytearray(_from_base64(text))),
        range: Scalar("range", lambda value: [value.start, value.stop, value.step], lambda parts: range(*parts)),
        slice: Scalar("slice", _slice_to_payload, lambda parts: slice(*parts)),
        EllipsisType: Scalar("ellipsis", lambda _: None, lambda _: ...),
        Decimal: Scalar("decimal", str, Decimal),
        Fraction: Scalar(
            "fraction", lambda value: [value.numerator, value.denominator], lambda parts: Fraction(*parts)
        ),
        UUID: Scalar("uuid", str, UUID),
        date: Scalar("date", date.isoformat, date.fromisoformat),
        datetime: Scalar("datetime", _moment_to_payload, _datetime_from_payload),
        time: Scalar("time", _moment_to_payload, _time_from_payload),
        timedelta: Scalar("timedelta", _timedelta_to_payload, lambda parts: timedelta(*parts)),
        timezone: Scalar("timezone", _timezone_to_payload, _timezone_from_payload),
        zoneinfo.ZoneInfo: Scalar("zoneinfo", _zoneinfo_to_payload, zoneinfo.ZoneInfo),
        pathlib.PurePosixPath: Scalar("path", path_to_payload, _path_from_payload),
        pathlib.PureWindowsPath: Scalar("path", path_to_payload, _path_from_payload),
    }
)


def _numpy_from_payload(payload: list[Any]) -> Any:
    import numpy

    name, value = payload
    dtype = numpy.dtype(name)
    if isinstance(value, bytes) and dtype.kind != "S":
        return numpy.frombuffer(value, dtype)[0]
    return dtype.type(value)


def numpy_to_payload(value: Any) -> list[Any]:
    """Return the dtype and the value of a numpy scalar: as a number or text where that is exact, else its bytes.

    Raises:
        NotInline: the dtype's name alone does not say what it is (records, objects, a second C type of one size).
    """
    import numpy

    dtype = value.dtype
    if numpy.dtype(dtype.str).type is not type(value) or dtype.kind in "VO":
        raise NotInline
    plain = value.item()
    if dtype.kind in "biufU" and type(plain) in ATOMS:
        return [dtype.str, plain]
    return [dtype.str, {"$bytes": _to_base64(value.tobytes())}]


#: What each tag of a single value means.
SCALAR_DECODERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "$float": _float_from_text,
        "$int": lambda text: int(text, 16),
        "$str": lambda text: _from_base64(text).decode("utf-8", "surrogatepass"),
        "$numpy": _numpy_from_payload,
        **{f"${scalar.tag}": scalar.from_payload for scalar in SCALARS.values()},
    }
)
