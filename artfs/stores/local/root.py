"""An open directory that nothing reached from it leads out of.

What is below is reached with openat2(RESOLVE_BENEATH): the kernel itself refuses to leave the directory through `..` or
a link, with no gap between check and use. Where that call is missing (old kernels, some sandboxes) the resolved path is
compared by components instead.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence

from artfs.content.long_paths import LONGEST, in_pieces, shown
from artfs.errors import OutsideStore, StoreError
from artfs.sharing import OWNER
from artfs.stores.local.openat2 import open_beneath
from artfs.stores.mark import is_away

ATTEMPTS = 50
"""How often something is tried while others may be removing a directory because it was empty."""


class Root:
    """The root directory of a store. Many threads may use it.

    Args:
        path: where it is.
        name: of the store, for messages.
        resolve: returns the full path of a relative one with all links resolved, or raises OutsideStore.
        check: called with the descriptor of a root that was just opened; raises StoreError if it is not the store.
    """

    def __init__(
        self, path: str, name: str, resolve: Callable[[bytes], str], check: Callable[[int], None] = lambda root: None
    ) -> None:
        self.path = path
        self._name = name
        self.sharing = OWNER
        self._resolve = resolve
        self._check = check
        self._descriptor: int | None = None
        self._end: weakref.finalize[[int], Root] | None = None  # whoever forgets a store need not close it
        self._lock = threading.Lock()

    def open(self, relative: bytes, flags: int) -> int:
        """Open what is there, and return the descriptor. Raises OutsideStore when the path leads out."""
        root = self.descriptor()
        try:
            return _open_at_any_depth(root, relative, flags | os.O_CLOEXEC)
        except FileNotFoundError:
            # The root itself may have been moved or made again since it was opened.
            if not self._reopened(root):
                raise
            return _open_at_any_depth(self.descriptor(), relative, flags | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.ELOOP):
                raise OutsideStore(
                    f"'{shown(relative)}' leads out of the store at '{self.path}'", subject=relative
                ) from None
            if error.errno not in (errno.ENOSYS, errno.EPERM):
                raise
        if len(relative) > LONGEST:  # of which no system call says whether there are links in it
            return _open_without_links(root, relative, flags | os.O_CLOEXEC)
        return os.open(self._resolve(relative), flags | os.O_CLOEXEC)

    def open_directory(self, relative: bytes, *, is_new: bool = False) -> int:
        """Open a directory, making it and those above it as needed, and return the descriptor.

        Args:
            relative: where it is.
            is_new: it is most likely not there yet: a hint that saves time.
        """
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(FileNotFoundError):
                return self._make_and_open(relative, is_new=is_new)
        return self._make_and_open(relative, is_new=is_new)

    def in_directory(self, relative: bytes, act: Callable[[int], None]) -> None:
        """Do something with the descriptor of a directory."""
        directory = self.open(relative or b".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            act(directory)
        finally:
            os.close(directory)

    def remove_empty(self, directory: bytes) -> None:
        """Remove a directory, and those above it, as far as they are empty."""
        while directory:
            above, _, name = directory.rpartition(b"/")
            try:
                self.in_directory(above, functools.partial(_rmdir, name))
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                return
            directory = above

    def is_at(self, descriptor: int, directory: bytes) -> bool:
        """Whether the open directory still is the one of that name."""
        try:
            there = self.open(directory, os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            return False
        try:
            return os.path.samestat(os.fstat(descriptor), os.fstat(there))
        finally:
            os.close(there)

    def descriptor(self) -> int:
        """Return the root's own descriptor, which stays valid until `close`."""
        descriptor = self._descriptor
        if descriptor is None:
            with self._lock:
                if self._descriptor is None:
                    self._descriptor = self._open_root()
                    self._end = weakref.finalize(self, os.close, self._descriptor)
                    self._end.atexit = False
                descriptor = self._descriptor
        return descriptor

    def open_again(self) -> None:
        """Open the directory that is at the path now, which the check may refuse."""
        descriptor = self._descriptor
        if descriptor is None:
            self.descriptor()
        else:
            self._reopened(descriptor)

    def close(self) -> None:
        """Give the descriptor back; the next use opens the directory again."""
        with self._lock:
            if self._end is not None:
                self._end()
            self._descriptor = self._end = None

    def _make_and_open(self, relative: bytes, *, is_new: bool) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY
        missing: list[bytes] = []
        if is_new and relative:
            relative, _, name = relative.rpartition(b"/")
            missing.append(name)
        while True:
            try:
                descriptor = self.open(relative or b".", flags)
                break
            except FileNotFoundError:
                if not relative:
                    raise
            relative, _, name = relative.rpartition(b"/")
            missing.append(name)
        while missing:
            name = missing.pop()
            with contextlib.suppress(FileExistsError), _closing(descriptor):
                self.sharing.make_new_folder(name, directory=descriptor)
            relative = relative + b"/" + name if relative else name
            descriptor = self.open(relative, flags)
        return descriptor

    def _reopened(self, stale: int) -> bool:
        """Whether the root's path now is another directory than the open one, which is then given up."""
        with self._lock:
            if self._descriptor != stale:
                return True
            fresh = self._open_root()
            try:
                if os.path.samestat(os.fstat(fresh), os.fstat(stale)):
                    return False
                # The number must stay valid for threads that use it right now: the new directory takes its place.
                os.dup2(fresh, stale, inheritable=False)
                return True
            finally:
                os.close(fresh)

    def _open_root(self) -> int:
        try:
            root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            what = f"the directory '{self.path}' of artifact store '{self._name}'"
            why = os.strerror(error.errno or 0)
            raise StoreError(f"{what} cannot be used: {why}; {is_away(self._name)}", subject=self.path) from error
        try:
            self._check(root)
        except BaseException:
            os.close(root)
            raise
        return root


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


def _open_at_any_depth(root: int, relative: bytes, flags: int) -> int:
    """Open what is below a directory; where the path is too long for one call, directory by directory."""
    if len(relative) <= LONGEST:
        return open_beneath(root, relative, flags)
    steps, rest = in_pieces(relative)
    return _open_step_by_step(open_beneath, root, [*steps, rest], flags)


def _open_without_links(root: int, relative: bytes, flags: int) -> int:
    """Open what is below a directory, but nothing that a link leads to."""

    def open_name(directory: int, name: bytes, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=directory)

    return _open_step_by_step(open_name, root, relative.split(b"/"), flags)


def _open_step_by_step(open_in: Callable[[int, bytes, int], int], root: int, steps: Sequence[bytes], flags: int) -> int:
    at = root
    try:
        for step in steps[:-1]:
            below = open_in(at, step, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            if at != root:
                os.close(at)
            at = below
        return open_in(at, steps[-1], flags)
    finally:
        if at != root:
            os.close(at)


def _rmdir(name: bytes, directory: int) -> None:
    os.rmdir(name, dir_fd=directory)
