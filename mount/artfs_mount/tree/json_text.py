"""Values of the catalog as JSON text, and values as people type them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from artfs.describe.plain import plain
from artfs.errors import InvalidValue


def json_text(value: object) -> bytes:
    """A page of JSON for people and programs."""
    return json.dumps(plain(value), indent=2).encode() + b"\n"


def json_with_rows(head: Mapping[str, object], key: str, rows: Iterable[Mapping[str, object]]) -> bytes:
    """A page of JSON whose last value is a long list of plain objects, one a line: quick to make and good to `diff`."""
    text = bytearray(f"{json.dumps(head, indent=2)[:-2]},\n  {json.dumps(key)}: [\n    ".encode())
    first = True
    for row in rows:  # one at a time: a text of a million lines is not held twice, nor copied while others wait
        text += (b"" if first else b",\n    ") + json.dumps(row).encode()
        first = False
    text += b"\n  ]\n}\n"
    return bytes(text)


def typed(value: object) -> str:
    """A value as it could be typed: text as it is, everything else as JSON. `parsed` gives it back."""
    shown = plain(value)
    return shown if isinstance(shown, str) and not _is_json(shown) else json.dumps(shown, ensure_ascii=False)


def parsed(text: str) -> Any:
    """What somebody typed: JSON if it is that (a number, true, null, a list, an object, "text"), else the text itself.

    Raises:
        InvalidValue: The JSON is nested too deeply, or has half of a surrogate pair in it.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise InvalidValue("this JSON is nested too deeply to be kept") from None
    except UnicodeEncodeError:
        raise InvalidValue("this JSON has half of a surrogate pair in it, which is no text") from None
    except ValueError:
        return text
    return value


def _is_json(text: str) -> bool:
    return not isinstance(parsed(text), str) or parsed(text) != text


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
