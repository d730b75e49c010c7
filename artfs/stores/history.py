"""What a store remembers of the catalog that was committed with it, so that an older catalog is noticed.

    <root>/.artfs/newest            uuid and row id of the newest version whose rows were committed with this store
    <root>/.artfs/numbers/<name>    the next number of an artifact, written before a version gets the one before
    <root>/.artfs/unlisted          uuids of versions that a restored, older catalog did not know, a line each

What somebody else put there (folders, links, pipes, other names) says nothing, and keeps nobody from the rest.

`newest` is written after the commit: a kill between the two leaves it one behind, and never ahead of the right
catalog. `numbers` may be ahead of it by what was undone.

The files are written in place and not synced on their own: what a power cut takes of them is the last few seconds, and
only an older catalog that is restored after it would miss them.
"""

from __future__ import annotations

import fcntl
import os
import uuid as uuids
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from artfs.content.files import atomic_write, read_regular, write_all
from artfs.errors import InvalidName
from artfs.names import check_artifact_name
from artfs.sharing import Sharing
from artfs.stores.mark import FOLDER

_NUMBER_WIDTH = 20
_GREATEST_NUMBER = 2**62


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest version that was committed with a store.

    Args:
        uuid: of the version.
        row: its id in the catalog, which grows.
    """

    uuid: str
    row: int


class StoreHistory:
    """What the store at a root remembers. Safe to use from many processes.

    Args:
        root: of the store, which must bear its mark.
        sharing: who may use the store.
    """

    def __init__(self, root: str, sharing: Sharing) -> None:
        self._folder = os.path.join(root, FOLDER)
        self._sharing = sharing

    def numbered(self, artifact: str, following: int) -> None:
        """Say that an artifact's next version will have at least the number `following`. Call it before the commit.

        Raises OSError where it cannot be written: then the version must not be made.
        """
        path = os.path.join(self._folder, "numbers", artifact)
        flags = os.O_RDWR | os.O_CREAT
        try:
            descriptor = self._sharing.opener(path, flags)
        except FileNotFoundError:
            self._sharing.make_folder(Path(path).parent)
            descriptor = self._sharing.opener(path, flags)
        try:
            os.pwrite(descriptor, b"%0*d\n" % (_NUMBER_WIDTH, following), 0)
        finally:
            os.close(descriptor)

    def committed(self, newest: Newest) -> None:
        """Say that the rows of a version were committed. Call it after the commit, in any order of processes."""
        with self._locked("newest") as descriptor:
            before = _newest(os.pread(descriptor, 256, 0))
            if before is None or before.row < newest.row:
                os.pwrite(descriptor, _line(newest), 0)

    def newest(self) -> Newest | None:
        """Return the newest version that was committed with this store; None if there was none."""
        return _newest(self._read("newest"))

    def numbers(self) -> dict[str, int]:
        """Return the next number of every artifact that had a version in this store."""
        folder = os.path.join(self._folder, "numbers")
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return {}
        found = {name: _number(self._read(f"numbers/{name}")) for name in names if _is_artifact_name(name)}
        return {name: number for name, number in found.items() if number is not None}

    def unlisted(self) -> set[str]:
        """Return the uuids of versions that an older catalog was found not to know."""
        return set(self._read("unlisted").decode("ascii", "replace").split())

    def add_unlisted(self, uuid: str) -> None:
        """Remember a version that the catalog does not know, until it does or somebody gives it up."""
        with self._locked("unlisted") as descriptor:
            if uuid not in self.unlisted():
                os.lseek(descriptor, 0, os.SEEK_END)
                write_all(descriptor, f"{uuid}\n".encode())
                os.fsync(descriptor)

    def forget_unlisted(self, uuids: Collection[str]) -> None:
        """Forget unlisted versions: the catalog knows them (again), or the user has given them up."""
        left = sorted(self.unlisted() - set(uuids))
        text = "".join(f"{uuid}\n" for uuid in left).encode()
        atomic_write(os.path.join(self._folder, "unlisted"), text, mode=self._sharing.file)

    def go_on_from(self, newest: Newest | None) -> None:
        """Begin anew to follow a catalog whose newest version is this one: an older one was restored."""
        line = _line(newest) if newest is not None else b""
        atomic_write(os.path.join(self._folder, "newest"), line, mode=self._sharing.file)

    def _read(self, name: str) -> bytes:
        return read_regular(os.path.join(self._folder, name)) or b""

    @contextmanager
    def _locked(self, name: str) -> Iterator[int]:
        descriptor = self._sharing.opener(os.path.join(self._folder, name), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _line(newest: Newest) -> bytes:
    """Always of the same length, as it is written over the one before."""
    return f"{newest.uuid} {newest.row:0{_NUMBER_WIDTH}}\n".encode()


def _newest(text: bytes) -> Newest | None:
    """What a line says; nothing that a power cut has spoilt."""
    uuid, _, row = text.decode("ascii", "replace").strip().partition(" ")
    try:
        return Newest(str(uuids.UUID(uuid)), int(row))
    except ValueError:
        return None


def _is_artifact_name(name: str) -> bool:
    try:
        check_artifact_name(name)
    except InvalidName:
        return False
    return True


def _number(text: bytes) -> int | None:
    """What a file says; nothing that a power cut has spoilt, or that artfs has not written."""
    number = int(text) if text.strip().isdigit() and len(text) <= _NUMBER_WIDTH + 1 else None
    return number if number is not None and number <= _GREATEST_NUMBER else None
