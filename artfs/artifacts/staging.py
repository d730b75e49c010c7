"""Directories for files that are about to become a version.

They are on the file system of the store, so that it can take the files as they are, and look like directories of a
version that never came to be: what a killed process leaves is found and removed as an orphan.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.artifacts.shown import SUFFIX
from artfs.stores.local import LocalStore

if TYPE_CHECKING:
    from artfs.home import Home
    from artfs.stores.base import Store


@contextmanager
def staging_directory(store: Store, home: Home, artifact: str) -> Iterator[Path]:
    """Give a fresh directory, which is gone again when the context ends, with visualizations that were put beside it.

    Args:
        store: where the files will go.
        home: has room for them where the store is on another machine.
        artifact: the name of what they will be a version of.
    """
    holder = store if store.is_local else LocalStore(str(home.cache))
    directory = os.fsencode(f"{artifact}/{uuid.uuid4().hex}")
    try:
        with holder.claim(directory):
            path = Path(holder.place_path(directory))
            try:
                yield path
            finally:
                _remove(path)
                if os.path.isdir(beside := f"{path}{SUFFIX}"):
                    _remove(beside)
    finally:
        if holder is not store:
            holder.close()


def _remove(path: Path | str) -> None:
    try:
        shutil.rmtree(path)
    except PermissionError:
        # Copied folders may be read-only.
        for directory, names, _ in os.walk(path):
            os.chmod(directory, stat.S_IRWXU)
            names[:] = [name for name in names if not os.path.islink(os.path.join(directory, name))]
        shutil.rmtree(path)
