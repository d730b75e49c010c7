"""Directories for files that are about to become a version.

They are on the file system of the store, so that it can take the files as they are, and look like directories of a
version that never came to be: what a killed process leaves is found and removed as an orphan. In a store on this
machine, the version that comes to be may take the directory over as its own.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artfs.content.files import remove_tree
from artfs.names import PICTURES, version_folder
from artfs.stores.local.store import LocalStore

if TYPE_CHECKING:
    from artfs.home.home import Home
    from artfs.stores.base import Store


@dataclass(slots=True)
class Staging:
    """A fresh directory.

    Args:
        path: where it is.
        store: the local store that it is in.
        uuid: the id of the version that it would be the directory of.
        taken: whether a version has it, so that it stays.
    """

    path: str
    store: LocalStore
    uuid: str
    taken: bool = False

    @property
    def pictures(self) -> str:
        """The directory in it for visualizations, which is not made yet."""
        return os.path.join(self.path, os.fsdecode(PICTURES).rstrip("/"))

    def end(self) -> None:
        """Remove what no version has taken."""
        if not self.taken:
            remove_tree(os.fsencode(self.path), despite_modes=True)


@contextmanager
def staging_directory(store: Store, home: Home, artifact: str) -> Iterator[Staging]:
    """Give a fresh directory, which is gone again when the context ends, unless a version has taken it.

    Args:
        store: where the files will go.
        home: has room for them where the store is on another machine.
        artifact: the name of what they will be a version of.
    """
    holder = store if isinstance(store, LocalStore) else LocalStore(str(home.cache))
    holder.share(home.sharing, home.identity)
    own = str(uuid.uuid4())
    directory = version_folder(artifact, own)
    try:
        with holder.claim(directory):
            # The claim has made it inside of the root, so that no link is to be followed.
            staging = Staging(os.path.join(holder.root, os.fsdecode(directory)), holder, own)
            try:
                yield staging
            finally:
                staging.end()
    finally:
        if holder is not store:
            holder.close()
