"""Whether other users can reach a file or folder: folders above it and access control lists may keep them out."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from artfs.content.long_paths import FilePath, reachable


def is_closed_above(path: str | os.PathLike[str]) -> bool:
    """Whether a folder above a path, whose links are resolved, keeps some users out."""
    return any(not _may_all_enter(parent) or has_list(parent) for parent in Path(path).parents)


def has_list(path: FilePath) -> bool:
    """Whether an access control list says more of a file or folder than its mode does."""
    try:
        with reachable(path) as at:
            os.getxattr(at, "system.posix_acl_access", follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
            raise
        return False
    return True


def _may_all_enter(folder: Path) -> bool:
    with reachable(folder) as at:
        return bool(os.stat(at).st_mode & stat.S_IXOTH)
