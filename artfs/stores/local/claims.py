"""Claims: which directories of a local store artfs made, and for which home.

A folder that a user keeps in the root of a store may be called like a version's, as 32 hex digits are what
`uuid4().hex` gives to everybody. Only what bears the claim of this home may be taken for what a dead process left.

    user.artfs.claimed              extended attribute of the directory: the identity of the home
    <root>/.artfs/claims/<name>     a file with the same, where the file system keeps no extended attributes

The claim of an earlier release names no home. It counts as that of the home whose mark the root bears.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from artfs.content.files import read_regular
from artfs.sharing import Sharing
from artfs.stores.mark import FOLDER

_ATTRIBUTE = "user.artfs.claimed"
_EARLIER = b"1"
_NO_ATTRIBUTES = {errno.EOPNOTSUPP, errno.EPERM}
_NOT_SEEN = {errno.ENODATA, errno.ENOENT, errno.ENOTDIR, errno.EACCES}


class Claims:
    """The claims in a store.

    Args:
        root: of the store.
        home: identity of the home that claims; empty for the store of nobody.
    """

    def __init__(self, root: str, home: str) -> None:
        self._folder = os.path.join(root, FOLDER, "claims")
        self._value = os.fsencode(home) or _EARLIER

    def set(self, descriptor: int, directory: bytes, sharing: Sharing) -> None:
        """Claim an open directory."""
        try:
            os.setxattr(descriptor, _ATTRIBUTE, self._value)
        except OSError as error:
            if error.errno not in _NO_ATTRIBUTES:
                raise
            self._write(directory, sharing)

    def has(self, path: str, directory: bytes) -> bool:
        """Whether this home has claimed a directory, which is at that path."""
        try:
            return os.getxattr(path, _ATTRIBUTE, follow_symlinks=False) in (self._value, _EARLIER)
        except OSError as error:
            if error.errno not in _NO_ATTRIBUTES | _NOT_SEEN:
                raise
        return read_regular(self._path(directory)) in (self._value, _EARLIER)

    def forget(self, directory: bytes) -> None:
        """Forget the claim of a directory that is gone."""
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(self._path(directory))

    def _write(self, directory: bytes, sharing: Sharing) -> None:
        folder = Path(self._folder)
        sharing.make_folders(folder, folder.parent)
        with open(self._path(directory), "wb", opener=sharing.opener) as writing:
            writing.write(self._value)

    def _path(self, directory: bytes) -> str:
        return os.path.join(self._folder, os.fsdecode(directory.rpartition(b"/")[2]))
