"""The lists of large blobs: where they lie, and how they come there and go again.

The digests of the 64 pieces of a block (64 KiB each) are its list. All lists of a blob are one file, beside the
version that brought the blob: `<artifact>/<version id>/.artfs/pieces/<blob>` in its store. Data that was registered in
place has them in the home. The catalog keeps the digest of each list, so that a wrong one is noticed; one that is not
there costs speed and nothing else, as a read is then verified by its block.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.content.digest import Digest, FileDigest
from artfs.content.files import write_all
from artfs.stores.local.store import LocalReader

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.home.home import Home
    from artfs.stores.base import PlaceReader, Store

_FOLDER = b".artfs/pieces"
_LEFT_SECONDS = 7 * 24 * 3600.0
"""For so long the lists of data in place may wait for the rows of their version."""


def place_of(place: bytes, digest: Digest) -> bytes | None:
    """Return where the lists of a blob lie that lies at a place of a store; None if it is not in a version's folder."""
    parts = place.split(b"/", 2)
    return b"/".join((*parts[:2], _FOLDER, digest.hex().encode())) if len(parts) == 3 else None


def write(store: Store, directory: bytes, files: Iterable[FileDigest]) -> list[bytes]:
    """Bring the lists of files into the folder of their version, and return the places, which are still to be synced.

    Args:
        store: that the files are in.
        directory: of the version.
        files: its new contents; those without lists have none to be brought.

    Raises:
        OSError: the store cannot take them.
    """
    places: list[bytes] = []
    for file in files:
        if file.lists is None:
            continue
        place = b"/".join((directory, _FOLDER, file.digest.hex().encode()))
        with tempfile.NamedTemporaryFile(prefix="artfs-pieces-") as draft:
            write_all(draft.fileno(), file.lists)
            store.place(Path(draft.name), place, adopt=False)
        places.append(place)
    return places


def write_in_place(home: Home, files: Iterable[FileDigest]) -> None:
    """Keep the lists of data that was registered in place.

    Raises:
        OSError: the home cannot take them.
    """
    for file in files:
        if file.lists is None or (path := _path_in(home, file.digest)).exists():
            continue
        home.sharing.make_folders(path.parent, home.path)
        draft = path.with_name(f".{path.name}-{os.getpid()}-{time.monotonic_ns()}")
        try:
            with open(draft, "xb", opener=home.sharing.opener) as writing:
                writing.write(file.lists)
            os.rename(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def open_in_place(home: Home, digest: Digest) -> PlaceReader:
    """Open the lists of data in place; raises FileNotFoundError when there are none."""
    return LocalReader(os.open(_path_in(home, digest), os.O_RDONLY | os.O_CLOEXEC))


def collect_in_place(home: Home, catalog: Catalog) -> None:
    """Remove the lists of data in place that the catalog does not know, unless somebody may just be registering it."""
    paths = {path.name: path for path in _folder_in(home).glob("*/*")}
    known = {digest.hex() for digest in catalog.blobs.known(list(_digests(paths)))}
    for name, path in paths.items():
        status = path.lstat()
        if name not in known and stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > _LEFT_SECONDS:
            path.unlink(missing_ok=True)


def _digests(names: Collection[str]) -> Iterator[Digest]:
    for name in names:
        try:
            yield Digest(bytes.fromhex(name))
        except ValueError:
            continue  # the draft of a killed process


def _folder_in(home: Home) -> Path:
    return home.path / "pieces"


def _path_in(home: Home, digest: Digest) -> Path:
    name = digest.hex()
    return _folder_in(home) / name[:2] / name
