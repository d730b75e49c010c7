"""Descriptors of processes (pidfd): one becomes readable when its process ends, and tells how it did to anybody."""

from __future__ import annotations

import fcntl
import os
import struct

_INFO_SIZE = 64
_GET_INFO = 3 << 30 | _INFO_SIZE << 16 | 0xFF << 8 | 11
_INFO_EXIT = 1 << 3
"""PIDFD_GET_INFO and PIDFD_INFO_EXIT of `linux/pidfd.h`, with the first form of struct pidfd_info."""
_MASK = struct.Struct("=Q")
_STATUS = struct.Struct("=i")
_STATUS_OFFSET = 60


class Pidfd:
    """A descriptor of a process, which means that process alone, also when its number is used again.

    Raises OSError when the process is gone, no descriptor is free, or the kernel has none of these.
    """

    __slots__ = ("_number",)

    def __init__(self, process: int) -> None:
        self._number = -1
        self._number = os.pidfd_open(process)

    def __del__(self) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor's number."""
        return self._number

    def close(self) -> None:
        """Gives the descriptor back."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)

    def exit_status(self) -> int | None:
        """How the process ended, as wait(2) tells it, whoever's it was.

        None until its parent has waited for it, and for ever on a kernel before Linux 6.15.
        """
        info = bytearray(_INFO_SIZE)
        _MASK.pack_into(info, 0, _INFO_EXIT)
        try:
            fcntl.ioctl(self._number, _GET_INFO, info)
        except OSError:
            return None
        (told,) = _MASK.unpack_from(info)
        if not told & _INFO_EXIT:
            return None
        status: int = _STATUS.unpack_from(info, _STATUS_OFFSET)[0]
        return status
