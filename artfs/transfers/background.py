"""Threads that work beside a program, one for each thing that is done."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable


class Background:
    """The threads of one owner, by name. Many threads may use it.

    There is no lock that a fork could leave locked: at worst two threads do the same, which all that is done here
    bears. A child of a fork has none of them.
    """

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}

    def start(self, name: str, function: Callable[[], None], *, may_be_cut: bool = False) -> None:
        """Have something done, unless that is being done. A program that is ending begins nothing more.

        Args:
            name: of what is done.
            function: does it, and raises nothing.
            may_be_cut: whether the program may end in the middle of it; else its end waits for that.
        """
        if self.is_at(name):
            return
        thread = threading.Thread(target=function, name=f"artfs {name}", daemon=may_be_cut)
        with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
            thread.start()
            self._threads[name] = thread

    def is_at(self, name: str) -> bool:
        """Whether something is being done."""
        thread = self._threads.get(name)
        return thread is not None and thread.is_alive()

    def wait(self, name: str, seconds: float | None = None) -> None:
        """Return when something is done, or time is up."""
        thread = self._threads.get(name)
        if thread is not None:
            thread.join(seconds)
