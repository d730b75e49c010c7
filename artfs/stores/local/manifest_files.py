"""Manifests in a directory of this machine: replaced as a whole, and read only where they are files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import IO

from artfs.content.long_paths import shown
from artfs.content.replacing import write_in_place_of
from artfs.errors import ManifestInvalid, OutsideStore
from artfs.names import MANIFEST
from artfs.stores.base import ManifestFiles
from artfs.stores.local.root import Root


class LocalManifestFiles(ManifestFiles):
    """The manifests below an open root. Many threads and processes may use them."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def prepare(self, folder: bytes) -> None:
        directory, _ = _place(folder)
        os.close(self._root.open_directory(directory, is_new=True))

    def write(self, folder: bytes, pieces: Iterable[bytes], *, durable: bool) -> bytes:
        above, name = _place(folder)
        directory = self._root.open_directory(above, is_new=True)
        try:
            write_in_place_of(name, pieces, directory, mode=self._root.sharing.stored, durable=durable)
        finally:
            os.close(directory)
        return above + b"/" + name

    def open(self, folder: bytes) -> IO[bytes] | None:
        place = folder + b"/" + MANIFEST
        try:
            # Not blocking, as nobody may ever write to a pipe.
            descriptor = self._root.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OutsideStore as error:
            raise _no_manifest(place) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _no_manifest(place)
        return os.fdopen(descriptor, "rb")


def _place(folder: bytes) -> tuple[bytes, bytes]:
    """The directory of a manifest, and its name in there."""
    directory, _, name = (folder + b"/" + MANIFEST).rpartition(b"/")
    return directory, name


def _no_manifest(place: bytes) -> ManifestInvalid:
    return ManifestInvalid(f"the manifest '{shown(place)}' is no file, and artfs has not made it", subject=place)
