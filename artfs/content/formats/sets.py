"""Files that are whole only together: numbered parts, what an index names, a database and its journal.

These look at names. A file's own bytes are what the checks are for.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from artfs.content.formats.opened import BoundedFile, BudgetSpent, OpenedFile, Shrunk

INDEX_ENDINGS = (b".safetensors.index.json", b".bin.index.json")
LONGEST_INDEX = 4 * 2**20
MOST_NAMED = 10
"""Of missing parts so many are named, however many a name says that there are."""

_PART = re.compile(rb"(.*?)-([0-9]{2,7})-of-([0-9]{2,7})(?![0-9])(.*)", re.DOTALL)
_DOCUMENT = re.compile(rb"\.(gif|html|jpe?g|log|md|pdf|png|rst|svg|txt)\Z", re.IGNORECASE)
"""Chapters and pictures are good one by one."""
_JOURNALS = (b"-wal", b"-journal")


@dataclass(frozen=True, slots=True)
class IncompleteSet:
    """Parts of which some are not there.

    Args:
        total: how many there have to be.
        lacking: how many are not there.
        missing: the names of the first of them; empty where it cannot be told whether they count from 0 or from 1.
    """

    total: int
    lacking: int
    missing: tuple[bytes, ...]


def incomplete_sets(names: Iterable[bytes]) -> list[IncompleteSet]:
    """Return the numbered sets (`model-00001-of-00002.safetensors`) of a directory that are not all there.

    They count from 1 (Hugging Face's models) or from 0 (its datasets, TensorFlow's variables), as the parts tell. Texts
    and pictures (`chapter-01-of-12.txt`) are no sets.

    Args:
        names: of the files in the directory.
    """
    sets: dict[tuple[bytes, bytes, int, bytes], set[int]] = defaultdict(set)
    for name in names:
        if found := _PART.fullmatch(name):
            before, number, total, after = found.groups()
            if len(number) == len(total) and not _DOCUMENT.match(after):
                sets[before, total, len(number), after].add(int(number))
    parts = [_incomplete(*key, there) for key, there in sorted(sets.items())]
    return [each for each in parts if each is not None]


def named_parts(name: bytes, file: OpenedFile) -> frozenset[bytes] | None:
    """Return the names that an index file (`model.safetensors.index.json`) says lie beside it.

    None: it is no index, cannot be read, or is longer than `LONGEST_INDEX`.
    """
    if not name.endswith(INDEX_ENDINGS) or file.size > LONGEST_INDEX:
        return None
    try:
        bounded = BoundedFile(file)
        named = json.loads(bounded.pread(0, file.size))["weight_map"].values()
        found = {each.encode() for each in named}
    except (ValueError, RecursionError, LookupError, AttributeError, TypeError, BudgetSpent, Shrunk):
        return None
    return frozenset(each for each in found if each and b"/" not in each)


def journals(name: bytes, names: Collection[bytes]) -> tuple[bytes, ...]:
    """Return which of a directory's names hold what a database lacks: it is whole with them, or once they are gone.

    What `check` says of a database that has some does not count.

    Args:
        name: of the database.
        names: of the files in its directory.
    """
    return tuple(name + ending for ending in _JOURNALS if name + ending in names)


def _incomplete(before: bytes, total_text: bytes, width: int, after: bytes, there: set[int]) -> IncompleteSet | None:
    total = int(total_text)
    if max(there) > total or {0, total} <= there:
        return None  # no set, or not one that counts in a way that is known
    lacking = total - len(there)
    if lacking <= 0:
        return None
    missing: list[bytes] = []
    if there & {0, total}:
        first = 0 if 0 in there else 1
        for number in range(first, first + total):
            if number not in there:
                missing.append(b"%b-%0*d-of-%b%b" % (before, width, number, total_text, after))
            if len(missing) == MOST_NAMED:
                break
    return IncompleteSet(total, lacking, tuple(missing))
