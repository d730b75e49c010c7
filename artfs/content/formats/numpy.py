"""numpy's .npy: a header that says type and shape, and so how many bytes come after it.

An array that was mapped to be filled (`open_memmap`) has its full size from the beginning. One file may hold several
arrays, one after the other.
"""

from __future__ import annotations

import ast
import math
import re
from typing import Any, NamedTuple

from artfs.content.formats.format import Format, require
from artfs.content.formats.opened import BoundedFile
from artfs.content.formats.pickles import require_first_frame

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000
"""numpy itself reads no longer one, unless it is told to."""

_NO_FILE = 2**63
_SHORTEST_PICKLE = 12
_TOKENS = re.compile(r"(?:'[^'\\\n]*'|[0-9]{1,20}(?![0-9A-Za-z_])|[\[\](){}:, \n]|True|False|None)*")
_SCALAR = re.compile(r"[<>|=]?([?biufcmMSaUV])([0-9]{0,18})(?:\[[^\]]*\])?")


class NpyHeader(NamedTuple):
    """Where an array's bytes begin, and how many there are; None: its objects are pickled."""

    end: int
    length: int | None


def npy_header(start: bytes) -> NpyHeader | None:
    """Read the header of an array from its first bytes; None: it cannot be read.

    Raises Broken if it is longer than these bytes, and nothing else is wrong with it.
    """
    if not start.startswith(MAGIC) or len(start) < 12:
        return None
    width = {1: 2, 2: 4, 3: 4}.get(start[6])
    if width is None:
        return None
    begin = 8 + width
    end = begin + int.from_bytes(start[8:begin], "little")
    if end - begin > LONGEST_HEADER:
        return None
    require(end, len(start), "its header")
    try:
        text = start[begin:end].decode("latin-1" if start[6] < 3 else "utf-8")
        fields: Any = ast.literal_eval(text.strip()) if _TOKENS.fullmatch(text) else {}
        count = math.prod(_shape(fields["shape"]))
        size = _item_size(fields["descr"])
        if count * (size or 0) >= _NO_FILE:
            return None
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError):
        return None
    return NpyHeader(end, None if size is None else size * count)


def _shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(each) is int and each >= 0 for each in shape):
        raise ValueError
    return shape


def _item_size(descr: Any) -> int | None:
    """Bytes of one item; None for objects. Raises ValueError for what it does not know."""
    if isinstance(descr, str):
        if descr.endswith("O"):
            return None
        found = _SCALAR.fullmatch(descr)
        if found is None or not (found[2] or found[1] == "?"):
            raise ValueError
        return int(found[2] or 1) * (4 if found[1] == "U" else 1)
    if isinstance(descr, tuple):
        kind, shape = descr
        size = _item_size(kind)
        return None if size is None else size * math.prod(_shape(shape))
    if not isinstance(descr, list):
        raise ValueError
    sizes = [_item_size(tuple(field[1:]) if len(field) == 3 else field[1]) for field in descr]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _recognises(name: bytes, head: bytes) -> bool:
    return head.startswith(MAGIC)


def _examine(name: bytes, file: BoundedFile) -> bool:
    require(12, file.size, "its header")
    header = npy_header(file.pread(0, 12 + LONGEST_HEADER))
    if header is None:
        return False
    if header.length is None:
        require(header.end + _SHORTEST_PICKLE, file.size, "its header, for objects,")
        require_first_frame(file, header.end)
        return False
    require(header.end + header.length, file.size, "its header")
    return file.size == header.end + header.length


NPY = Format("npy", _recognises, _examine)
