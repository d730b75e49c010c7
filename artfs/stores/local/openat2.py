"""openat2(2): the kernel itself refuses to leave a directory through `..` or a link, with no gap to slip through."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from typing import Any, ClassVar

from artfs.content.long_paths import shown

_SYS_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08


def open_beneath(directory: int, relative: bytes, flags: int) -> int:
    """Open a path below an open directory, and return the descriptor.

    Raises:
        OSError: EXDEV or ELOOP when it leads out of the directory; ENOSYS or EPERM where the call is missing.
    """
    how, size = _how(flags)
    while True:
        descriptor: int = _syscall()(_SYS_OPENAT2, directory, relative, how, size)
        if descriptor >= 0:
            return descriptor
        number = ctypes.get_errno()
        # EAGAIN: something was renamed meanwhile, so the kernel could not be sure; it asks to try again.
        if number not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, os.strerror(number), shown(relative))


class _OpenHow(ctypes.Structure):
    """`struct open_how` of openat2(2)."""

    _fields_: ClassVar[list[tuple[str, type]]] = [
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    ]


@functools.cache
def _how(flags: int) -> tuple[Any, int]:
    how = _OpenHow(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    return ctypes.byref(how), ctypes.sizeof(how)


@functools.cache
def _syscall() -> Any:
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    function.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t]
    return function
