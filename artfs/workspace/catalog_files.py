"""The catalog as a file: backed up, restored, and begun anew where there is no backup.

Nothing is deleted: what was there before lies beside it afterwards, under a name with the time.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from artfs.catalog import Catalog
from artfs.content.files import sync_directory
from artfs.errors import ArtfsError, CatalogBusy, CatalogCorrupt, CatalogMissing, HomeError, SourceNotFound
from artfs.home.home import Home
from artfs.sharing import make_file
from artfs.workspace.workspace import Workspace

logger = logging.getLogger(__name__)

_ENDINGS = ("", "-wal", "-shm")
"""Of the files that make up a catalog. The log comes with the file: the one without the other is damaged."""


def restore(home: Home, backup: Path) -> Path | None:
    """Put a backup in the place of a home's catalog, and return where the catalog is that was there.

    Programs that have the catalog open are told so at their next change, and must be started again.

    Args:
        home: whose catalog it is to be.
        backup: made by `Catalog.back_up`, or the file of a catalog that nobody had open.

    Raises:
        SourceNotFound: there is no such file.
        CatalogCorrupt, CatalogMissing, CatalogTooNew: it is no catalog that this release can use.
        HomeError: a mount of the home is there.
    """
    if not backup.is_file():
        raise SourceNotFound(f"there is no file '{backup}': name the backup of a catalog", subject=backup)
    fresh = home.path / f".restored-{uuid.uuid4().hex}.db"
    try:
        for ending in ("", "-wal"):
            if (source := Path(f"{backup}{ending}")).exists():
                make_file(Path(f"{fresh}{ending}"), home.sharing.file)
                shutil.copyfile(source, f"{fresh}{ending}")
        _check_whole(fresh, backup)
        with _nobody_else(home):
            with _nobody_writes(home):
                before = _moved_aside(home, home.path / f"catalog-before-{_now()}.db")
            for ending in _ENDINGS:
                if os.path.exists(f"{fresh}{ending}"):
                    os.rename(f"{fresh}{ending}", f"{home.catalog_path}{ending}")
            home.catalog_begun()
            sync_directory(home.path)
    finally:
        for leftover in home.path.glob(f"{fresh.name}*"):
            leftover.unlink()
    return before


def _check_whole(copy: Path, backup: Path) -> None:
    try:
        with Catalog.open(copy, begin=False) as opened:
            damages = opened.check()
    except (CatalogCorrupt, CatalogMissing) as error:
        raise CatalogCorrupt(f"'{backup}' is not the backup of a catalog: take another file", subject=backup) from error
    if damages:
        raise CatalogCorrupt(f"'{backup}' is damaged: {damages[0]}; take another backup", subject=backup)


def begin_anew(home: Home) -> Path:
    """Make a new home, without versions, where one is; return the folder that everything was moved to.

    Settings stay. Stores outside the home go on belonging to the old one: their marks say so.

    Raises:
        HomeError: a mount of the home is there.
    """
    aside = home.path / f"before-{_now()}"
    with _nobody_else(home):
        home.sharing.make_folder(aside)
        _moved_aside(home, aside / home.catalog_path.name)
        # The identity goes last: until then, whoever opens the home is told that its catalog is missing.
        others = [path for path in home.path.iterdir() if path != home.identity_path and not _stays(path, home)]
        for path in [*others, home.identity_path]:
            path.rename(aside / path.name)
        sync_directory(home.path)
    fresh = Home(home.path).create()
    Workspace.of(fresh).close()
    return aside


def _stays(path: Path, home: Home) -> bool:
    """Whether something in a home is no part of what was made in it: its settings, and what was moved aside before."""
    return path == home.config_path or path.name.startswith("before-") or path.name.endswith(".lock")


def _moved_aside(home: Home, target: Path) -> Path | None:
    """Move the files of the catalog, if there are any."""
    moved = False
    for ending in _ENDINGS:
        try:
            os.rename(f"{home.catalog_path}{ending}", f"{target}{ending}")
            moved = True
        except FileNotFoundError:
            continue
    return target if moved else None


@contextmanager
def _nobody_else(home: Home) -> Iterator[None]:
    """Hold the locks of all mounts of a home. Raises HomeError when one of them is there."""
    locks: list[int] = []
    try:
        for path in home.mounts.glob("*/lock"):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            locks.append(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeError(
                    f"a mount of {home.path} is there: unmount it first (artfs umount; 'artfs status' lists mounts)",
                    subject=home.path,
                ) from None
        yield
    finally:
        for descriptor in locks:
            os.close(descriptor)


@contextmanager
def _nobody_writes(home: Home) -> Iterator[None]:
    """Hold the right to write the catalog that is there: whoever waits for it finds that it was replaced."""
    with ExitStack() as held:
        try:
            catalog = held.enter_context(Catalog.open(home.catalog_path, begin=False))
            held.enter_context(catalog.transaction())
        except CatalogBusy:
            raise
        except CatalogMissing:
            pass  # which is why it is restored
        except (ArtfsError, OSError) as error:
            logger.warning("the catalog that is replaced cannot be opened: %s", error)
        yield


def _now() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + f"-{uuid.uuid4().hex[:4]}"
