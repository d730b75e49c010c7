"""Who is at work on what: locks on files in the home, which the kernel frees when their process dies.

No time-out frees one: a process that is stopped, or whose store stalls, still holds what it does.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artfs.home.home import Home


class Locks:
    """The locks of a home, by name. Each has one holder in all processes, whatever thread it is in.

    Args:
        home: whose they are.
    """

    def __init__(self, home: Home) -> None:
        self._folder = home.path / "locks"
        self._sharing = home.sharing
        self._open: set[int] = set()
        self._heeds_forks = False

    @contextmanager
    def held(self, name: str) -> Iterator[bool]:
        """Hold a lock while the block lasts, if nobody else does; say whether it is held."""
        descriptor = self._locked(name)
        if descriptor is None:
            yield False
            return
        process = os.getpid()
        self._heed_forks()
        self._open.add(descriptor)
        try:
            yield True
        finally:
            if process == os.getpid():
                # Before the lock ends: whoever has just opened this file finds that it is no longer the one.
                (self._folder / name).unlink(missing_ok=True)
                self._open.discard(descriptor)
                os.close(descriptor)

    def exists(self, name: str) -> bool:
        """Whether a lock is there: held, or left by somebody who died with it."""
        return os.path.exists(self._folder / name)

    def is_held(self, name: str) -> bool:
        """Whether somebody holds a lock just now."""
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _locked(self, name: str) -> int | None:
        self._sharing.make_folder(self._folder)
        path = self._folder / name
        while True:
            descriptor = self._sharing.opener(str(path), os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(descriptor, str(path)):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _heed_forks(self) -> None:
        """A child shares its parent's open files, and would hold the locks for as long as it lives."""
        if not self._heeds_forks:
            self._heeds_forks = True
            own = weakref.ref(self)

            def close_all() -> None:
                if (locks := own()) is not None:
                    while locks._open:
                        os.close(locks._open.pop())

            os.register_at_fork(after_in_child=close_all)


def _is_at(descriptor: int, path: str) -> bool:
    """Whether an open file is the one at a path."""
    try:
        at = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), at)
