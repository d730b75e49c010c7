"""Who makes the storm: readers and writers, each a process of its own that may be killed at any moment.

A file is named for what is in it, `<seed>-<size>`: so whoever reads a piece of it knows what it must be. What a killed
writer leaves is the beginning of that.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

KIB, MIB = 1 << 10, 1 << 20
BLOCK = 4 * MIB
SIZES = (0, 1, 4_000, 100_000, 300_000, 3 * MIB, BLOCK, BLOCK + 1, 9 * MIB + 7)
PART = ".part"
"""Ends the name of a file that is not whole yet."""
FILES_KEPT = 6
"""In each draft."""
KEPT = "kept-"
"""Begins the names of artifacts that nobody removes."""
NAME_SECONDS = 3.0
"""For a second the kernel believes the name of a version that it has found."""
DRAFTS = 3
"""Of each writer."""
REMOVED = {errno.ENOENT, errno.EIO, errno.ESTALE}
"""What a reader may meet in a version that is being removed."""


class Wrong(Exception):
    """Something that must never happen has happened."""


def content(name: str, offset: int, size: int) -> bytes:
    """A piece of the file of that name, as far as the file goes."""
    seed, _, whole = name.removesuffix(PART).partition("-")
    size = max(0, min(size, int(whole) - offset))
    return blake3(seed.encode()).digest(length=size, seek=offset) if size else b""


def _is_removed(version: Path) -> bool:
    give_up = time.monotonic() + NAME_SECONDS
    while version.exists():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.1)
    return True


def new_name(chance: random.Random) -> str:
    """A name for a file that was never there."""
    return f"{chance.randrange(2**48):x}-{chance.choice(SIZES)}"


def check(path: Path, offset: int, found: bytes | memoryview) -> None:
    """Raises Wrong if these are not the bytes of a file from `offset` on."""
    if bytes(found) != content(path.name, offset, len(found)):
        raise Wrong(f"{path}: {len(found)} bytes from {offset} on are not what was written")


@dataclass
class Tally:
    """What an actor has done. The driver's memory is behind it, so that it is there when the actor has been killed."""

    numbers: memoryview

    def add(self, *, reads: int = 0, read_bytes: int = 0, commits: int = 0, written: int = 0, gone: int = 0) -> None:
        for place, more in enumerate((reads, read_bytes, commits, written, gone)):
            self.numbers[place] += more


class Reader:
    """Opens files of versions, reads pieces of them in all ways that programs do, and compares every byte."""

    def __init__(self, mount: Path, chance: random.Random, tally: Tally) -> None:
        self._artifacts = mount / "artifacts"
        self._chance = chance
        self._tally = tally
        self._ways: list[Callable[[Path, int, int], None]] = [
            self._pieces,
            self._backwards,
            self._across_blocks,
            self._from_the_start,
            self._through_a_mapping,
            self._shared_with_a_child,
            self._whole,
        ]

    def step(self) -> None:
        """One file, one way. A version that is removed meanwhile may say so."""
        version = self._some_version()
        if version is None:
            return
        try:
            path = self._some_file(version)
            if path is None:
                return
            descriptor = os.open(path, os.O_RDONLY)
            try:
                if self._chance.random() < 0.5:  # the daemon is asked, not the kernel's memory
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                self._chance.choice(self._ways)(path, descriptor, os.fstat(descriptor).st_size)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in REMOVED or not _is_removed(version):
                raise Wrong(f"{version}: {error}") from error
            self._tally.add(gone=1)

    def _some_version(self) -> Path | None:
        """Every second time a large one, which stays."""
        artifacts = os.listdir(self._artifacts)
        kept = [name for name in artifacts if name.startswith(KEPT)]
        artifact = self._artifacts / self._chance.choice(kept if self._chance.random() < 0.5 else artifacts)
        versions = [name for name in os.listdir(artifact) if name.isdigit()]
        return artifact / self._chance.choice(versions) if versions else None

    def _some_file(self, version: Path) -> Path | None:
        names = os.listdir(version)
        return version / self._chance.choice(names) if names else None

    def _got(self, path: Path, offset: int, found: bytes) -> None:
        check(path, offset, found)
        self._tally.add(reads=1, read_bytes=len(found))

    def _pieces(self, path: Path, descriptor: int, size: int) -> None:
        for _ in range(self._chance.randrange(1, 8)):
            offset = self._chance.randrange(size + 1)
            wanted = self._chance.choice((1, 128 * KIB, 300 * KIB))
            self._got(path, offset, os.pread(descriptor, wanted, offset))

    def _backwards(self, path: Path, descriptor: int, size: int) -> None:
        step = self._chance.choice((64 * KIB, 300 * KIB, BLOCK))
        for offset in list(range(0, size, step))[: -self._chance.randrange(2, 12) : -1]:
            os.lseek(descriptor, offset, os.SEEK_SET)
            self._got(path, offset, os.read(descriptor, step))
        start = os.lseek(descriptor, -min(size, 1000), os.SEEK_END)
        self._got(path, start, os.read(descriptor, 2000))

    def _across_blocks(self, path: Path, descriptor: int, size: int) -> None:
        for border in range(BLOCK, size, BLOCK):
            self._got(path, border - 1000, os.pread(descriptor, 2000, border - 1000))

    def _from_the_start(self, path: Path, descriptor: int, size: int) -> None:
        """As `head -c` does, again and again: the file is closed while more of it is fetched."""
        for _ in range(10):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            passing = os.open(path, os.O_RDONLY)
            piece = os.read(passing, 300 * KIB)
            os.close(passing)
            self._got(path, 0, piece)

    def _whole(self, path: Path, descriptor: int, size: int) -> None:
        offset = 0
        while piece := os.read(descriptor, MIB):
            self._got(path, offset, piece)
            offset += len(piece)
        if offset != size:
            raise Wrong(f"{path}: {offset} of {size} bytes")

    def _through_a_mapping(self, path: Path, descriptor: int, size: int) -> None:
        """In a child: where a version is removed under a mapping, the kernel ends the program."""
        if size == 0:
            return
        places = [(self._chance.randrange(size), self._chance.choice((1, 5_000, 300 * KIB))) for _ in range(5)]

        def read() -> None:
            with mmap.mmap(descriptor, size, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED) as mapped:
                for offset, wanted in places:
                    check(path, offset, mapped[offset : offset + wanted])

        self._in_a_child(path, read)
        self._tally.add(reads=len(places), read_bytes=sum(min(wanted, size - offset) for offset, wanted in places))

    def _shared_with_a_child(self, path: Path, descriptor: int, size: int) -> None:
        """Parent and child share the position: one goes on where the other stopped."""
        step = self._chance.choice((1, 100_000, MIB))
        check(path, 0, os.read(descriptor, step))
        self._in_a_child(path, lambda: check(path, min(step, size), os.read(descriptor, step)))
        self._got(path, min(2 * step, size), os.read(descriptor, step))

    def _in_a_child(self, path: Path, act: Callable[[], None]) -> None:
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(OSError):
                act()
                code = 0
            os._exit(code)
        status = os.waitpid(child, 0)[1]
        if status == 0:
            return
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) not in (signal.SIGBUS, signal.SIGKILL):
            raise Wrong(f"{path}: a child ended with signal {os.WTERMSIG(status)}")
        raise OSError(errno.EIO, "a child could not read it", str(path))


class Writer:
    """Fills drafts of its own, rewrites, renames and removes files in them, and commits; checks what became of it."""

    def __init__(self, mount: Path, me: str, chance: random.Random, tally: Tally) -> None:
        self._mount = mount
        self._me = me
        self._chance = chance
        self._tally = tally

    def step(self) -> None:
        """One change of one draft, or its commit."""
        draft = self._mount / "incoming" / f"{self._me}-{self._chance.randrange(DRAFTS)}"
        draft.mkdir(exist_ok=True)
        act = self._chance.choices((self._add, self._rewrite, self._copy, self._commit), (5, 3, 1, 3))[0]
        act(draft)

    def _add(self, draft: Path) -> None:
        files = sorted(draft.iterdir())
        if len(files) >= FILES_KEPT:
            self._chance.choice(files).unlink()
        path = draft / new_name(self._chance)
        place = draft / f"{path.name}{PART}" if self._chance.random() < 0.3 else path
        step = self._chance.choice((4096, 100_000, MIB))
        with place.open("wb", buffering=0) as file:
            for offset in range(0, int(path.name.partition("-")[2]), step):
                self._tally.add(written=file.write(content(path.name, offset, step)))
            if self._chance.random() < 0.2:
                os.fsync(file.fileno())
        place.rename(path)

    def _rewrite(self, draft: Path) -> None:
        """In place, with what is there: a stub gets its bytes back for it."""
        path = self._some_file(draft)
        if path is None:
            return
        with path.open("r+b", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            offset = self._chance.randrange(size + 1)
            file.seek(offset)
            piece = content(path.name, offset, 200_000)
            self._tally.add(written=file.write(piece))
            file.seek(0)
            check(path, 0, file.read(10_000))

    def _copy(self, draft: Path) -> None:
        """Through sendfile, from the draft itself."""
        path = self._some_file(draft)
        if path is not None:
            shutil.copyfile(path, draft / f"{path.name}{PART}")
            (draft / f"{path.name}{PART}").rename(path)

    def _commit(self, draft: Path) -> None:
        if not any(draft.iterdir()):
            return
        sizes = {path.name: path.stat().st_size for path in draft.iterdir()}
        try:
            os.setxattr(draft, "user.artfs.commit", b"")
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise Wrong(f"{draft}: {error}") from error
            return  # a file that a killed writer has left open
        version = self._mount / "artifacts" / draft.name / os.getxattr(draft, "user.artfs.version").decode()
        self._tally.add(commits=1)
        try:
            sealed = {path.name: path.stat().st_size for path in version.iterdir()}
            if sealed == sizes:
                path = version / self._chance.choice(sorted(sizes))
                check(path, 0, path.read_bytes())
        except OSError as error:
            if error.errno in REMOVED and _is_removed(version):
                return
            raise Wrong(f"{version}: {error}") from error
        if sealed != sizes:
            raise Wrong(f"{version}: holds {sealed}, not {sizes}")

    def _some_file(self, draft: Path) -> Path | None:
        files = [path for path in sorted(draft.iterdir()) if not path.name.endswith(PART)]
        return self._chance.choice(files) if files else None
