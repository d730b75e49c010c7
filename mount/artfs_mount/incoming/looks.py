"""What a look at a draft's files says of whether they are whole. For worker threads."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from artfs.artifacts.scan import Scanned, ScannedFile
from artfs.content import formats
from artfs.content.files import made_readable, walk
from artfs.content.long_paths import lstat, reachable
from artfs.content.tree import Entry, Tree
from artfs.errors import Cancelled, DraftHeld
from artfs_mount.incoming.complete.markers import POINTER_BYTES, POINTERS, missing_marker, target_of
from artfs_mount.incoming.complete.names import is_never_empty, is_temporary
from artfs_mount.incoming.complete.paths import joined, parent
from artfs_mount.incoming.complete.ranks import ranks_missing

SQLITE = "SQLite"
SMALL_BYTES = 64 * 1024
MANY_FILES = 10_000
"""In a version of more files than this, the formats of smaller ones are not looked at: each costs an open."""


@dataclass(frozen=True)
class Look:
    """What a look at a path said. fault: why it is not whole; hint: or perhaps is. proven: its bytes say that it is."""

    path: bytes
    fault: str | None = None
    proven: bool = False
    hint: bool = False


class Unfit(Cancelled):
    """Some of what was to become a version is not whole. looks: what was found out."""

    def __init__(self, draft: str, looks: list[Look]) -> None:
        super().__init__(f"{draft}: not all of it is whole", subject=draft)
        self.looks = looks


class NothingInIt(DraftHeld):
    """There is nothing that a version could hold."""


def look_at(draft: bytes, path: bytes) -> Look:
    """Looks at one file of a draft. draft: where that is."""
    file = os.path.join(draft, path) if path else draft
    try:
        finding = _finding(file, os.path.basename(file)) if stat.S_ISREG(lstat(file).st_mode) else None
    except FileNotFoundError:
        return Look(path)
    return Look(path) if finding is None else Look(path, finding.fault, finding.proves_end)


def temporaries(draft: bytes) -> list[bytes]:
    """What has a temporary name in a draft, by its path there; of a directory not what is in it."""
    found = []
    for folder, directories, names in walk(os.fsdecode(draft)):
        above = os.fsencode(folder)[len(draft) + 1 :]
        here = [name for name in map(os.fsencode, (*directories, *names)) if is_temporary(name)]
        found += [joined(above, name) for name in here]
        directories[:] = [name for name in directories if not is_temporary(os.fsencode(name))]
    return sorted(found)


def read_pointer(draft: bytes, path: bytes) -> bytes | None:
    """The directory beside a pointer that it names; None if it names none that is there."""
    pointer = os.path.join(draft, path)
    try:
        with _opened(pointer) as opened:
            target = target_of(os.path.basename(path), opened.pread(0, POINTER_BYTES))
        if target is None or not stat.S_ISDIR(lstat(os.path.join(os.path.dirname(pointer), target)).st_mode):
            return None
    except FileNotFoundError:
        return None
    return target


def faults(scanned: Scanned, name: bytes, checked: Container[bytes], world_size: int | None) -> Iterator[Look]:
    """What is not whole of all that was scanned. checked: files that were looked at since they last changed.

    name: of what was scanned.
    world_size: of how many processes that write together the files should be there, if that is known.
    """
    yield from _lacking(scanned.tree, name, world_size)
    smallest = SMALL_BYTES if len(scanned.files) > MANY_FILES else 1
    for file in scanned.files:
        name = os.path.basename(file.path)
        if file.stand_in or file.path in checked:
            continue
        if not file.digest.size and (is_never_empty(name) or name in POINTERS):
            yield Look(file.path, "it is empty")
        if file.digest.size < smallest:
            continue
        finding = _finding(file.source_path, name)
        if finding is not None and finding.fault is not None:
            yield Look(file.path, finding.fault)
        elif missing := _named_but_missing(scanned.tree, file):
            yield Look(file.path, f"it names {missing.decode('utf-8', 'replace')}, which is not there")


def is_empty(scanned: Scanned) -> bool:
    """Whether no file holds a byte, and no link leads anywhere."""
    return scanned.tree.bytes == 0


def _lacking(top: Tree, name: bytes, world_size: int | None) -> Iterator[Look]:
    """The directories that lack something, as the names in them say. name: of the topmost."""
    pending = [(b"", top)]
    while pending:
        path, tree = pending.pop()
        names = {entry.name for entry in tree.entries}
        # One that is empty is yet to be written, but for those that hold nothing.
        there = {entry.name for entry in tree.entries if entry.size or entry.tree is not None}
        variables = tree.get(b"variables")
        if variables is None or variables.tree is None or not any(map(_is_variable, variables.tree.entries)):
            there.discard(b"variables")  # another folder of this name
        marker = missing_marker(os.path.basename(path) or name, there)
        if marker is not None:
            yield Look(path, f"its {marker.decode()} is missing, which is written last")
        elif sets := formats.incomplete_sets(names):
            which = f", such as {sets[0].missing[0].decode('utf-8', 'replace')}" if sets[0].missing else ""
            yield Look(path, f"{sets[0].lacking} of {sets[0].total} parts are missing{which}")
        elif ranks := ranks_missing(names, world_size):
            yield Look(path, f"{ranks[0].decode()} is missing: WORLD_SIZE is {world_size}", hint=True)
        pending.extend((joined(path, entry.name), entry.tree) for entry in tree.entries if entry.tree)


def _is_variable(entry: Entry) -> bool:
    return entry.name.startswith((b"variables.index", b"variables.data-"))


def _named_but_missing(top: Tree, file: ScannedFile) -> bytes | None:
    """A file that an index names and that does not lie beside it; None if all do, or if it is no index."""
    if not file.path.endswith(formats.INDEX_ENDINGS):
        return None
    with _opened(file.source_path) as opened:
        named = formats.named_parts(os.path.basename(file.path), opened)
    return min((name for name in named or () if top.find(joined(parent(file.path), name)) is None), default=None)


def _finding(file: bytes, name: bytes) -> formats.Finding | None:
    """What a file's format says of it; what lies beside a database counts as a part of it."""
    folder = os.path.dirname(file)
    with _opened(file) as opened:
        finding = formats.check(name, opened)
    if finding is not None and finding.format == SQLITE:
        for journal in formats.journals(name, os.listdir(folder)):
            size = lstat(os.path.join(folder, journal)).st_size
            if size:
                what = f"{journal.decode('utf-8', 'replace')} with {size} bytes lies beside it"
                return formats.Finding(SQLITE, f"{what}, which has a part of it: close the database in a program")
    return finding


@contextmanager
def _opened(path: bytes) -> Iterator[formats.OpenedDescriptor]:
    with reachable(path) as at, made_readable(at, os.lstat(at).st_mode):
        number = os.open(at, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield formats.OpenedDescriptor(number)
    finally:
        os.close(number)
