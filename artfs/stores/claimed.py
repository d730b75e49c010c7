"""Marks on directories of local stores, where their file system keeps extended attributes.

A directory that artfs made is marked as *claimed*. A folder that a user keeps in the root of a store may be called the
same, as 32 hex digits are what `uuid4().hex` gives to everybody: only what artfs made may be taken for what a dead
process left.

The root of a store bears the id of its *owner*, the home that uses it, and where that is. What one catalog does not
know would be garbage to it, though another catalog needs it.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from artfs.home import Home

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


def own(root: str, home: Home) -> bool:
    """Mark a root that bears no mark yet, and answer whether it is the home's now.

    The mark says which home and where it is: a copy of a home is another one, though a home may be moved.
    """
    mark = _mark(home)
    try:
        os.setxattr(root, OWNER, mark, os.XATTR_CREATE)
    except FileExistsError:
        found = os.getxattr(root, OWNER)
        if found == mark:
            return True
        if not _was_moved(found, home):
            return False
        os.setxattr(root, OWNER, mark)
    except OSError as error:
        if error.errno not in {*_CANNOT, errno.ENOENT}:
            raise
    return True


def disown(root: str, home: Home) -> None:
    """Take the home's mark off a root, if it is there."""
    try:
        if os.getxattr(root, OWNER) == _mark(home):
            os.removexattr(root, OWNER)
    except OSError as error:
        if error.errno not in {*_CANNOT, errno.ENOENT}:
            raise


def _mark(home: Home) -> bytes:
    return os.fsencode(f"{home.identity} {os.path.realpath(home.path)}")


def _was_moved(mark: bytes, home: Home) -> bool:
    """Whether a mark is of this home where it was before, and not of one that is still there and was copied."""
    identity, _, path = os.fsdecode(mark).partition(" ")
    if identity != home.identity:
        return False
    there = Home(Path(path)) if path else home
    try:
        return os.path.samefile(there.identity_path, home.identity_path) or there.identity != identity
    except FileNotFoundError:
        return True
