"""safetensors: the length of a header, the header, which says in JSON where each tensor lies, and the tensors.

The arithmetic cannot see whether the tensors were written: a writer that gives the file its full size first and is
stopped then leaves zeros, as a tensor may have them.
"""

from __future__ import annotations

import json
from typing import Any

from artfs.content.formats.format import Broken, Format, require
from artfs.content.formats.opened import BoundedFile

_ENDING = b".safetensors"
_LONGEST_HEADER = 100_000_000
"""No reader takes a longer one."""
_NO_FILE = 2**63
_LONGEST_PARSED = 2 * 2**20


def _recognises(name: bytes, head: bytes) -> bool:
    return name.endswith(_ENDING) or head[8:10] in (b'{"', b"{}", b"{ ")


def _examine(name: bytes, file: BoundedFile) -> bool | None:
    named = name.endswith(_ENDING)
    length = int.from_bytes(file.pread(0, 8), "little")
    if not named and not 2 <= length <= _LONGEST_HEADER:
        return None
    require(8, file.size, "the length of the header")
    if not 2 <= length <= _LONGEST_HEADER:
        raise Broken(f"its header cannot have {length} bytes")
    if named:
        require(8 + length, file.size, "the length of the header")
    if length > _LONGEST_PARSED:
        return False if named else None
    tensors = _tensor_bytes(file.pread(8, length))
    if not named and not tensors:
        return None
    if tensors is None:
        raise Broken("its header is no list of tensors")
    expected = 8 + length + tensors
    if file.size != expected:
        raise Broken(f"the header says {expected} bytes, {file.size} are there")
    return True


def _tensor_bytes(header: bytes) -> int | None:
    """How many bytes all tensors take; None: it is no header."""
    try:
        entries: Any = json.loads(header)
        return max((_end(entry) for name, entry in entries.items() if name != "__metadata__"), default=0)
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
        return None


def _end(entry: Any) -> int:
    start, end = entry["data_offsets"]
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start <= end < _NO_FILE:
        raise ValueError
    return end


SAFETENSORS = Format("safetensors", _recognises, _examine)
