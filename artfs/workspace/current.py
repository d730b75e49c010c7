"""The workspace that a program works in when it names none."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from artfs.home.home import HOME_VARIABLE

if TYPE_CHECKING:
    from artfs.workspace.workspace import Workspace


class _Current:
    """Keeps the workspace of the home in use open, as opening it takes longer than most of what is done in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._variable: str | None = None
        self._workspace: Workspace | None = None

    def workspace(self) -> Workspace:
        variable = os.environ.get(HOME_VARIABLE)
        workspace = self._workspace
        if workspace is not None and variable == self._variable:
            return workspace
        with self._lock:
            if self._workspace is None or variable != self._variable:
                from artfs.workspace.workspace import Workspace

                # The old one is not closed: somebody may still hold it.
                self._workspace = Workspace.open()
                self._variable = variable
            return self._workspace

    def after_fork(self) -> None:
        # Another thread may have held the lock when the process was copied.
        self._lock = threading.Lock()


_current = _Current()
os.register_at_fork(after_in_child=_current.after_fork)


def current_workspace() -> Workspace:
    """Return the workspace of the home that `$ARTFS_HOME` names, or of the usual one; a new home is made.

    Raises:
        HomeError: the home cannot be made or used.
    """
    return _current.workspace()
