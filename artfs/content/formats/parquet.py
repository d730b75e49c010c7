"""Parquet: the same four bytes at both ends, and before the last ones the length of the footer."""

from __future__ import annotations

from artfs.content.formats.format import Broken, Format
from artfs.content.formats.opened import BoundedFile

MAGIC = b"PAR1"
ENDINGS = (b".parquet", b".pq", b".parq")

_ENCRYPTED = b"PARE"
"""Of files whose footer is encrypted."""
_NAMES = (b"_metadata", b"_common_metadata")


def footer(file: BoundedFile, magic: bytes, head: int) -> None:
    """Raise Broken unless the file ends with the length of a footer that fits, and with `magic`.

    Args:
        head: bytes at the beginning that cannot be the footer's.
    """
    tail = 4 + len(magic)
    end = file.end(tail)
    if file.size < head + tail or not end.endswith(magic):
        raise Broken(f"it does not end with {magic.decode()}: its footer is missing")
    length = int.from_bytes(end[:4], "little")
    if not 0 < length <= file.size - head - tail:
        raise Broken(f"its footer cannot have {length} bytes of {file.size}")


def _recognises(name: bytes, head: bytes) -> bool:
    return head.startswith((MAGIC, _ENCRYPTED))


def _examine(name: bytes, file: BoundedFile) -> bool | None:
    magic = file.pread(0, 4)
    if not name.endswith(ENDINGS) and name not in _NAMES and file.end(4) != magic:
        return None  # a text may begin so
    footer(file, magic, 4)
    return True


PARQUET = Format("parquet", _recognises, _examine)
