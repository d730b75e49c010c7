"""Doing something with the rights of another user, as only a daemon of root can.

What a link in `/incoming` leads to is looked at with the rights of whoever made the link: the kernel itself decides, at
each component of each path and at each open, so that nothing can be swapped between a check and its use.

Linux keeps the rights to files a thread; the C library's `setfsuid` changes only its own, while its `setgroups` would
change all threads, so that one is called directly. The thread is a new one, which ends with the work: nothing has to be
given back, and no other work can ever run on it.
"""

from __future__ import annotations

import ctypes
import errno
import platform
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from artfs.linux.users import Account

T = TypeVar("T")

_SETGROUPS: Final = {"x86_64": 116, "aarch64": 159, "riscv64": 159, "loongarch64": 159, "ppc64le": 81, "s390x": 206}
_FILE_CAPABILITIES: Final = 1 << 1 | 1 << 2 | 1 << 3
"""CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER. The kernel takes them with the user number 0."""


def run_as(user: Account, work: Callable[[], T]) -> T:
    """Runs something in a thread that may do with files what a user may; raises what it raises.

    Raises PermissionError (EPERM) where this machine does not let the daemon become somebody else.
    """
    with ThreadPoolExecutor(1, "as-user") as thread:
        return thread.submit(_as, user, work).result()


def _as(user: Account, work: Callable[[], T]) -> T:
    _become(user)
    return work()


def _become(user: Account) -> None:
    """Gives this thread's rights up for good: groups first, as root alone may change those."""
    libc = ctypes.CDLL(None, use_errno=True)
    groups = sorted(user.groups)
    if (number := _SETGROUPS.get(platform.machine())) is not None:
        libc.syscall(ctypes.c_long(number), ctypes.c_long(len(groups)), (ctypes.c_uint * len(groups))(*groups))
    libc.setfsgid(ctypes.c_uint(user.gid))
    libc.setfsuid(ctypes.c_uint(user.uid))
    # None of the calls says that it was refused, by a sandbox for example; what the kernel tells of the thread does.
    if _rights() != (user.uid, user.gid, user.groups, 0):
        raise PermissionError(errno.EPERM, f"the daemon cannot take the rights of user {user.uid} on this machine")


def _rights() -> tuple[int, int, frozenset[int], int]:
    """This thread's user and group for files, supplementary groups, and capabilities that set modes of files aside."""
    with open("/proc/thread-self/status", "rb") as lines:
        facts = {name: rest.split() for name, _, rest in (line.partition(b":") for line in lines)}
    capabilities = int(facts[b"CapEff"][0], 16) & _FILE_CAPABILITIES
    return int(facts[b"Uid"][3]), int(facts[b"Gid"][3]), frozenset(map(int, facts[b"Groups"])), capabilities
