"""Large files that this process has compared with their digests: as long as nobody writes to them, once is enough."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict

from artfs.content.digest import Digest
from artfs.content.long_paths import reachable

_REMEMBERED = 1_000
_SETTLED_NS = 100_000_000


class ComparedFiles:
    """What the files were when their bytes were compared. Many threads may use it.

    A file that was written to has another change time, which nobody can set. It ticks in milliseconds, so that a file
    that was changed just now is not remembered.
    """

    def __init__(self) -> None:
        self._stamps: OrderedDict[Digest, tuple[int, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def stamp(self, path: str) -> tuple[int, ...] | None:
        """Return what the file is now, for `remember` once its bytes were compared; None if that can say nothing."""
        try:
            with reachable(path) as at:
                status = os.stat(at)
        except OSError:
            return None  # whoever reads the file finds out
        if time.time_ns() - status.st_ctime_ns < _SETTLED_NS:
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def remember(self, digest: Digest, stamp: tuple[int, ...]) -> None:
        """Keep that a file's bytes had that digest; `stamp` was asked for before they were read."""
        with self._lock:
            self._stamps[digest] = stamp
            self._stamps.move_to_end(digest)
            while len(self._stamps) > _REMEMBERED:
                self._stamps.popitem(last=False)

    def still_has(self, digest: Digest, stamp: tuple[int, ...] | None) -> bool:
        """Whether it is the file whose bytes had that digest."""
        with self._lock:
            return stamp is not None and self._stamps.get(digest) == stamp
