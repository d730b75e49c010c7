"""The one place where an error becomes an errno for the calling program."""

from __future__ import annotations

import errno
import os

from artfs.errors import ArtfsError, Cancelled, CatalogCorrupt, DraftHeld, MissingPlace, ReaderClosed, StoreError

_BY_TYPE: tuple[tuple[type[BaseException], int], ...] = (
    (DraftHeld, errno.EBUSY),
    (Cancelled, errno.EBUSY),
    (MissingPlace, errno.EIO),
    (ReaderClosed, errno.EBADF),
    (MemoryError, errno.ENOMEM),
    (CatalogCorrupt, errno.EIO),
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


def unreadable(error: OSError) -> OSError:
    """The error for a program whose file is there and open, while the bytes behind it are not.

    >>> unreadable(FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/x")).errno == errno.EIO
    True
    """
    if isinstance(error, ArtfsError) or error.errno not in _NOT_THERE:
        return error
    shown = os.fsdecode(error.filename or b"its content")
    return StoreError(f"'{shown}' cannot be read: {error.strerror}; run 'artfs verify' to see what else cannot")


def unlisted(error: FileNotFoundError) -> OSError:
    """The error for a program that lists a directory of a version that was removed meanwhile.

    The C library takes ENOENT for the end of the list, and whoever copies what is listed would remove his copy.

    >>> unlisted(FileNotFoundError(errno.ENOENT, "No such file or directory")).errno == errno.ESTALE
    True
    """
    return OSError(errno.ESTALE, os.strerror(errno.ESTALE), error.filename)


_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENXIO)
