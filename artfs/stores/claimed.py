"""Claims on directories of local stores, where their file system keeps extended attributes.

A directory that artfs made is marked as *claimed*. A folder that a user keeps in the root of a store may be called the
same, as 32 hex digits are what `uuid4().hex` gives to everybody: only what artfs made may be taken for what a dead
process left.
"""

from __future__ import annotations

import errno
import os

_CLAIMED = "user.artfs.claimed"
_CANNOT = {errno.ENODATA, errno.EOPNOTSUPP}


def set_claimed(directory: int) -> None:
    """Mark an open directory, where its file system keeps extended attributes."""
    try:
        os.setxattr(directory, _CLAIMED, b"1")
    except OSError as error:
        if error.errno not in _CANNOT:
            raise


def is_claimed(directory: str) -> bool:
    """Whether a directory is marked."""
    try:
        os.getxattr(directory, _CLAIMED, follow_symlinks=False)
    except OSError as error:
        if error.errno not in {*_CANNOT, errno.ENOENT}:
            raise
        return False
    return True
