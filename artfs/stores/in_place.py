"""Opening data that was registered where it is: an absolute local path, or a URI."""

from __future__ import annotations

import errno
import os
import stat

from artfs.content.long_paths import reachable
from artfs.errors import StoreError
from artfs.stores.base import PlaceReader
from artfs.stores.local.store import LocalReader, local_path


def open_in_place(place: bytes) -> PlaceReader:
    """Open what a place that is in no store names.

    Raises:
        StoreError: nothing here can read that kind of URI.
        OSError: it cannot be opened.
    """
    shown = os.fsdecode(place)
    path = local_path(shown)
    if path is None:
        scheme = shown.partition("://")[0]
        raise StoreError(f"cannot read '{shown}': no artifact store for {scheme}:// is installed", subject=shown)
    # A link where the file was registered would mean that the file was replaced: never follow it.
    with reachable(path) as at:
        found = os.open(at, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        mode = os.fstat(found).st_mode
        if not stat.S_ISREG(mode):
            # A device would do something when it is opened, and whoever owns the folder may put a way to one there.
            code = errno.ELOOP if stat.S_ISLNK(mode) else errno.ENXIO
            raise OSError(code, os.strerror(code), path)
        return LocalReader(os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC))
    finally:
        os.close(found)


def is_local(place: bytes) -> bool:
    """Whether a place that is in no store is on this machine."""
    return local_path(os.fsdecode(place)) is not None
