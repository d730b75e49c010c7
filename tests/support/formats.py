"""Files for the format checks, as bytes in memory, and how they are asked."""

from __future__ import annotations

import random
from collections.abc import Iterable

from artfs.content.formats import Finding, FormatChecks

OWN = FormatChecks(entries=[])
"""artfs's own checks, whatever is installed here."""


class Bytes:
    """A file that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.read = 0
        self.reads = 0

    def pread(self, offset: int, length: int, /) -> bytes:
        self.reads += 1
        found = self._data[offset : offset + length]
        self.read += len(found)
        return found


def found(name: str, data: bytes) -> Finding | None:
    return OWN.check(name.encode(), Bytes(data))


def fault(name: str, data: bytes) -> str | None:
    finding = found(name, data)
    return finding.fault if finding else None


def is_proven(name: str, data: bytes) -> bool:
    finding = found(name, data)
    return finding is not None and finding.fault is None and finding.proves_end


def is_sound(name: str, data: bytes) -> bool:
    """Whether the format is known and nothing is wrong, though the end is not proven."""
    finding = found(name, data)
    return finding is not None and finding.fault is None and not finding.proves_end


def cuts(size: int, borders: Iterable[int] = (), several: int = 300, seed: int = 7) -> list[int]:
    """Lengths shorter than `size` to cut a file to: each near its ends and near `borders`, and random ones."""
    chance = random.Random(seed)
    near = {border + step for border in (0, size, *borders) for step in range(-40, 41)}
    some = {chance.randrange(1, size) for _ in range(several)}
    return sorted(length for length in near | some if 0 < length < size)
