"""Room on the disk: when it is short, the oldest versions go that drafts became by themselves (`artifacts.retention`).

Short is less than a tenth of the disk, or than two of the largest thing that a draft saves again and again: while one
is on its way to a version, the next one is being written. Somebody looks after each version and when a request found
no room, and now and then while drafts change: what a program removes from its draft may go from versions, too.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from artfs.artifacts.retention import MadeRoom, make_room
from artfs.errors import ArtfsError, StoreError
from artfs.secrets.redaction import redacted
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.loop.threads import in_thread

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs_mount.incoming.drafts import Draft

log = logging.getLogger(__name__)

RESERVED_SHARE = 10
"""One part in so many of the disk is to be free."""
RESERVED_UNITS = 2
LEAST_PAUSE_SECONDS = 0.1
PAUSE_SECONDS = 1.0
PAUSE_FACTOR = 20
"""So many times as long as the last look took, a change alone is no reason to look again."""
BALLAST_BYTES = 2 * 2**20
BALLAST_SHARE = 64
"""Or one part in so many of a small disk."""
ARTIFACTS_TOLD = 100


@dataclass(frozen=True)
class Removed:
    """Versions of an artifact that went for room since the daemon began. oldest, newest: of those.

    at: of the last one, seconds since 1970 UTC.
    """

    artifact: str
    versions: int
    oldest: str
    newest: str
    at: float


@dataclass(frozen=True)
class Disk:
    """What was last found. free, reserve: bytes that are free, and that should be."""

    path: Path
    free: int
    reserve: int

    @property
    def lacks(self) -> int:
        return max(self.reserve - self.free, 0)


class Ballast:
    """A file that takes a little space while there is some: the catalog needs it to say that versions are gone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> None:
        """Makes the file if it is not there and there is room for it."""
        try:
            number = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError:  # it is there, or there is no room for a name
            return
        try:
            found = os.fstatvfs(number)
            os.posix_fallocate(number, 0, min(BALLAST_BYTES, found.f_blocks * found.f_frsize // BALLAST_SHARE))
        except OSError:
            os.unlink(self._path)
        finally:
            os.close(number)

    def drop(self) -> bool:
        """Gives the space back; answers whether there was any."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            return False
        return True


class Room:
    """Looks after the free space of the disks that drafts and versions lie on. Belongs to the event loop."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._asked = trio.Event()
        self._needed = trio.Event()
        self._ballast = Ballast(incoming.area.path / "ballast")
        self._first: str | None = None
        self._units: dict[bytes, int] = {}
        self._unmeasured: dict[bytes, tuple[Version, tuple[bytes, ...]]] = {}
        self._disks: list[Disk] = []
        self._removed: OrderedDict[str, Removed] = OrderedDict()
        self._error: str | None = None

    def changed(self, draft: bytes) -> None:
        """Has somebody look before long, because of a draft."""
        self._first = os.fsdecode(draft)
        self._asked.set()

    def ran_out(self) -> None:
        """Has somebody look now, as there was no room for a request."""
        self._asked.set()
        self._needed.set()

    def sealed(self, draft: Draft, version: Version) -> None:
        """Takes note of what a draft has become, and so of how much it may need next."""
        self._unmeasured[draft.name] = version, tuple(filter(None, draft.history.units))
        self.changed(draft.name)
        self._needed.set()

    async def watch(self) -> None:
        """Makes room whenever it runs short, for as long as the daemon lives."""
        while True:
            await self._asked.wait()
            self._asked, self._needed = trio.Event(), trio.Event()
            begun = trio.current_time()
            await self._look()
            with trio.move_on_after(max(PAUSE_SECONDS, PAUSE_FACTOR * (trio.current_time() - begun))):
                await self._needed.wait()
            await trio.sleep(LEAST_PAUSE_SECONDS)

    def told(self) -> dict[str, Any]:
        """For status.json."""
        return {
            "disks": [{**asdict(disk), "path": str(disk.path)} for disk in self._disks],
            "largest_unit": self._largest,
            "removed": [asdict(each) for each in self._removed.values()],
            "error": self._error,
        }

    @property
    def _largest(self) -> int:
        return max(self._units.values(), default=0)

    async def _look(self) -> None:
        unmeasured, self._unmeasured = self._unmeasured, {}
        try:
            self._units.update(await in_thread(self._measure, unmeasured, seconds=None))
            self._units = {name: size for name, size in self._units.items() if self._incoming.drafts.get(name)}
            self._disks = await in_thread(self._measured, self._largest, seconds=None)
            for disk in self._disks:
                if disk.lacks:
                    self._take_note(await in_thread(self._make, disk, self._first, seconds=None))
            self._error = None
        except (ArtfsError, OSError) as error:
            why = redacted(str(error))
            # A store that is away is told of by whoever needs it.
            level = logging.INFO if isinstance(error, StoreError) else logging.WARNING
            if why != self._error:
                log.log(level, "no room can be made on the disk: %s", why)
            self._error = why

    def _measure(self, unmeasured: dict[bytes, tuple[Version, Collection[bytes]]]) -> dict[bytes, int]:
        """How large the largest unit of each draft is. For a worker thread."""
        trees = self._incoming.workspace.catalog.trees
        found = {}
        for name, (version, units) in unmeasured.items():
            tree = version.tree_id
            entries = [trees.find(tree, unit) for unit in units] if tree is not None else []
            found[name] = max((entry.size for entry in entries if entry is not None), default=version.bytes)
        return found

    def _measured(self, largest: int) -> list[Disk]:
        """The disks, with what is free. For a worker thread."""
        self._ballast.take()
        return [_disk(path, largest) for path in self._one_of_each()]

    def _one_of_each(self) -> Iterator[Path]:
        workspace = self._incoming.workspace
        landing = Path(workspace.transfers.landing.area(workspace.stores.active).root)
        yield landing
        if os.stat(landing).st_dev != os.stat(self._incoming.area.work).st_dev:
            yield self._incoming.area.work

    def _make(self, disk: Disk, first: str | None) -> MadeRoom:
        """For a worker thread."""
        try:
            return make_room(self._incoming.workspace, disk.path, disk.lacks, first=first)
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._ballast.drop():
                raise
        try:
            return make_room(self._incoming.workspace, disk.path, disk.lacks, first=first)
        finally:
            self._ballast.take()

    def _take_note(self, made: MadeRoom) -> None:
        for error in made.errors:
            log.warning("%s", error)
        for artifact, names in made.versions.items():
            before = self._removed.pop(artifact, None) or Removed(artifact, 0, names[0], names[0], 0.0)
            self._removed[artifact] = replace(
                before, versions=before.versions + len(names), newest=names[-1], at=time.time()
            )
            log.info("removed %d versions of %s for room: %s..%s", len(names), artifact, names[0], names[-1])
        while len(self._removed) > ARTIFACTS_TOLD:
            self._removed.popitem(last=False)


def _disk(path: Path, largest: int) -> Disk:
    found = os.statvfs(path)
    reserve = max(found.f_blocks * found.f_frsize // RESERVED_SHARE, RESERVED_UNITS * largest)
    return Disk(path, found.f_bavail * found.f_frsize, reserve)
