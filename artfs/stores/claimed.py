"""Marks on directories of local stores, where their file system keeps extended attributes.

A directory that artfs made is marked as *claimed*. A folder that a user keeps in the root of a store may be called the
same, as 32 hex digits are what `uuid4().hex` gives to everybody: only what artfs made may be taken for what a dead
process left.

The root of a store bears the id of its *owner*, the catalog that uses it. What one catalog does not know would be
garbage to it, though another catalog needs it.
"""

from __future__ import annotations

import errno
import os

_CLAIMED = "user.artfs.claimed"
OWNER = "user.artfs.catalog"
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


def own(root: str, owner: str) -> bool:
    """Mark a root that bears no mark yet, and answer whether it is the owner's now."""
    try:
        os.setxattr(root, OWNER, owner.encode(), os.XATTR_CREATE)
    except FileExistsError:
        return os.getxattr(root, OWNER) == owner.encode()
    except OSError as error:
        if error.errno not in {*_CANNOT, errno.ENOENT}:
            raise
    return True


def disown(root: str, owner: str) -> None:
    """Take the owner's mark off a root, if it is there."""
    try:
        if os.getxattr(root, OWNER) == owner.encode():
            os.removexattr(root, OWNER)
    except OSError as error:
        if error.errno not in {*_CANNOT, errno.ENOENT}:
            raise
