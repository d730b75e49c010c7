"""Arrow: files and Feather, which end with a footer, and streams, which are message after message.

A stream may end with a mark or without one, after any message. So it proves its end only with the mark, and is broken
only if it ends within a message; where it has more messages than a check may look at, nothing is said.
"""

from __future__ import annotations

from artfs.content.formats.format import Broken, Format
from artfs.content.formats.opened import BoundedFile
from artfs.content.formats.parquet import footer

FILE_MAGIC = b"ARROW1\0\0"
FEATHER_1_MAGIC = b"FEA1"
STREAM_ENDINGS = (b".arrow", b".arrows", b".ipc", b".feather")

_CONTINUES = b"\xff\xff\xff\xff"
_PREFIX = 8
_BODY_LENGTH_SLOT = 4 + 2 * 3
"""Where a vtable says where a message has the length of its body, its fourth field."""


def _examine_file(name: bytes, file: BoundedFile) -> bool:
    footer(file, FILE_MAGIC.rstrip(b"\0"), len(FILE_MAGIC))
    return True


def _examine_feather_1(name: bytes, file: BoundedFile) -> bool | None:
    if not name.endswith(b".feather") and file.end(4) != FEATHER_1_MAGIC:
        return None  # a text may begin so
    footer(file, FEATHER_1_MAGIC, 4)
    return True


def _is_stream(name: bytes, head: bytes) -> bool:
    return name.endswith(STREAM_ENDINGS) and head.startswith(_CONTINUES)


def _examine_stream(name: bytes, file: BoundedFile) -> bool | None:
    at = 0
    while at < file.size:
        prefix = file.pread(at, _PREFIX)
        if not prefix.startswith(_CONTINUES[: len(prefix)]):
            return None if at == 0 else False
        length = int.from_bytes(prefix[4:], "little", signed=True)
        if len(prefix) < _PREFIX or at + _PREFIX + length > file.size:
            raise Broken(f"it ends within a message, which begins at {at} and has more than {file.size - at} bytes")
        if length <= 0:
            return length == 0 and at + _PREFIX == file.size
        body = _body_length(file, at + _PREFIX, length)
        if body is None:
            return None if at == 0 else False
        end = at + _PREFIX + length + body
        if end > file.size:
            raise Broken(f"a message says {end - at} bytes, {file.size - at} are there")
        at = end
    return False


def _body_length(file: BoundedFile, at: int, length: int) -> int | None:
    """The length of a message's body from its metadata, a flatbuffer; None: that is not what it is."""

    def number(offset: int, width: int, *, signed: bool = False) -> int | None:
        if not 0 <= offset <= length - width:
            return None
        found = start[offset : offset + width] if offset + width <= len(start) else file.pread(at + offset, width)
        return int.from_bytes(found, "little", signed=signed)

    start = file.pread(at, min(length, 256))
    table = number(0, 4)
    back = None if table is None else number(table, 4, signed=True)
    if table is None or back is None:
        return None
    vtable = table - back
    slots = number(vtable, 2)
    if slots is None:
        return None
    field = number(vtable + _BODY_LENGTH_SLOT, 2) if slots >= _BODY_LENGTH_SLOT + 2 else 0
    if not field:
        return None if field is None else 0
    body = number(table + field, 8, signed=True)
    return None if body is None or body < 0 else body


ARROW_FILE = Format("arrow", lambda name, head: head.startswith(FILE_MAGIC), _examine_file)
FEATHER_1 = Format("feather", lambda name, head: head.startswith(FEATHER_1_MAGIC), _examine_feather_1)
ARROW_STREAM = Format("arrow stream", _is_stream, _examine_stream)
