"""JSON: whether the text ends within a value.

Only that is a fault. Much that is called `.json` is no JSON to the letter (comments, a document a line), and what
tools write and read is none of a check's business. Large files are looked at only at their ends.
"""

from __future__ import annotations

import json
import re

from artfs.content.formats.format import Broken, Format
from artfs.content.formats.opened import BoundedFile

ENDINGS = (b".json", b".ipynb")
LONGEST_PARSED = 2**20

_START = 2**16
_END = 1024
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_CUT_VALUE = re.compile(
    r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|N(?:a)?|-?I(?:n(?:f(?:i(?:n(?:it?)?)?)?)?)?|-|\.|[eE][+-]?)?"
)
"""A word or a number that goes on."""
_CUT_ESCAPE = re.compile(r"\\?u?[0-9a-fA-F]{0,4}")


def _recognises(name: bytes, head: bytes) -> bool:
    return name.endswith(ENDINGS)


def _examine(name: bytes, file: BoundedFile) -> bool | None:
    if file.size > LONGEST_PARSED:
        return _examine_ends(file)
    data = file.pread(0, file.size)
    try:
        text = data.removeprefix(_BOM).decode(json.detect_encoding(data)).rstrip()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise Broken(f"its text ends within a character, after {file.size} bytes") from None
        return None
    if text and _is_cut(text) and not _is_trace(text):
        raise Broken(f"its text ends within a value, after {file.size} bytes")
    return False


def _examine_ends(file: BoundedFile) -> bool:
    start = file.pread(0, _START).removeprefix(_BOM).lstrip(_SPACE)
    end = file.end(_END).rstrip(_SPACE)
    is_ascii_like = b"\0" not in start and b"\0" not in end
    if is_ascii_like and start.startswith((b'{"', b"{\n", b"{\r\n", b"{ ")) and end and not end.endswith(b"}"):
        if _begins_with_a_document(start):
            return False
        raise Broken(f"its text begins with {{ and does not end with }}, after {file.size} bytes")
    return False


def _begins_with_a_document(start: bytes) -> bool:
    """Whether more follows a whole document: they may be one a line."""
    try:
        json.JSONDecoder().raw_decode(start.decode(errors="replace"))
    except (ValueError, RecursionError):
        return False
    return True


def _is_cut(text: str) -> bool:
    """Whether a JSON document begins and the text ends within it."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        if error.msg.startswith("Unterminated string"):
            return True
        if error.msg.startswith("Invalid \\"):
            return _CUT_ESCAPE.fullmatch(rest) is not None
        if error.msg.startswith("Extra data"):
            return False
        return error.pos > 0 and _CUT_VALUE.fullmatch(rest) is not None
    except (ValueError, RecursionError):
        pass
    return False


def _is_trace(text: str) -> bool:
    """Whether it is a list of trace events, which need not be closed."""
    if not text.startswith("["):
        return False
    try:
        events = json.loads(text.rstrip().rstrip(",") + "]")
    except (ValueError, RecursionError):
        return False
    return bool(events) and all(isinstance(event, dict) and "ph" in event for event in events)


JSON = Format("JSON", _recognises, _examine)
