"""What tells directories of a store that artfs made from folders that a user keeps in its root.

Both may be called the same: 32 hex digits are what `uuid4().hex` gives to everybody. Only what artfs made may be taken
for what a dead process left.
"""

from __future__ import annotations

import errno
import os

_ATTRIBUTE = "user.artfs.claimed"
_CANNOT = {errno.ENODATA, errno.EOPNOTSUPP}


def set_claimed(directory: int) -> None:
    """Mark an open directory, where its file system keeps extended attributes."""
    try:
        os.setxattr(directory, _ATTRIBUTE, b"1")
    except OSError as error:
        if error.errno not in _CANNOT:
            raise


def is_claimed(directory: str) -> bool:
    """Whether a directory is marked."""
    try:
        os.getxattr(directory, _ATTRIBUTE, follow_symlinks=False)
    except OSError as error:
        if error.errno not in {*_CANNOT, errno.ENOENT}:
            raise
        return False
    return True
