"""SQLite: the first page says how long the pages are and how many there are.

A database with a `-wal` or `-journal` beside it says nothing alone: what lacks may be there. A database that uses a
write-ahead log may be shorter than it says even without, so only the others are measured. None proves its end, as
transactions may follow.
"""

from __future__ import annotations

from artfs.content.formats.format import Broken, Format, require
from artfs.content.formats.opened import BoundedFile

MAGIC = b"SQLite format 3\x00"

_HEADER = 100
_WRITE_AHEAD_LOG = 2


def _recognises(name: bytes, head: bytes) -> bool:
    return head.startswith(MAGIC)


def _examine(name: bytes, file: BoundedFile) -> bool:
    require(_HEADER, file.size, "its header")
    header = file.pread(0, _HEADER)

    def number(offset: int, width: int = 4) -> int:
        return int.from_bytes(header[offset : offset + width], "big")

    page = number(16, 2)
    page = 2**16 if page == 1 else page
    if page < 512 or page & (page - 1):
        raise Broken(f"its pages cannot have {page} bytes")
    is_count_valid = number(24) == number(92)
    if is_count_valid and _WRITE_AHEAD_LOG not in header[18:20]:
        require(number(28) * page, file.size, "its header")
    return False


SQLITE = Format("SQLite", _recognises, _examine)
