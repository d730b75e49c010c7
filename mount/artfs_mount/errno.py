"""The one place where an error becomes an errno for the calling program."""

from __future__ import annotations

import errno

from artfs.errors import ArtfsError, Cancelled, DraftHeld, MissingPlace

_BY_TYPE: tuple[tuple[type[BaseException], int], ...] = (
    (DraftHeld, errno.EBUSY),
    (Cancelled, errno.EBUSY),
    (MissingPlace, errno.EIO),
    (FileNotFoundError, errno.ENOENT),
    (FileExistsError, errno.EEXIST),
    (IsADirectoryError, errno.EISDIR),
    (NotADirectoryError, errno.ENOTDIR),
    (PermissionError, errno.EPERM),
    (InterruptedError, errno.EINTR),
    (TimeoutError, errno.ETIMEDOUT),
    (OSError, errno.EIO),
    (ArtfsError, errno.EINVAL),
)


def code_of(error: BaseException) -> int | None:
    """The errno that an expected error stands for; None for one that nobody expects, which the caller logs as a defect.

    >>> code_of(FileNotFoundError("gone")) == errno.ENOENT
    True
    """
    if isinstance(error, OSError) and error.errno:
        return error.errno
    for kind, code in _BY_TYPE:
        if isinstance(error, kind):
            return code
    return None
