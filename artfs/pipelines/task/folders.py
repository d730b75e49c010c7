"""Directories of outputs that a step asks for while it runs; what it writes there becomes part of their versions."""

from __future__ import annotations

import contextlib
import threading

from artfs.artifacts.staging import Staging, staging_directory
from artfs.pipelines.define.plan import OutputPlan
from artfs.workspace.workspace import Workspace


class OutputFolders:
    """The directories of one attempt, each made when it is first asked for.

    Args:
        stack: at whose end those are removed that no version has taken.
    """

    def __init__(self, workspace: Workspace, stack: contextlib.ExitStack) -> None:
        self._workspace = workspace
        self._stack = stack
        self._lock = threading.Lock()
        self._opened: dict[str, Staging] = {}

    def path(self, plan: OutputPlan) -> str:
        """Returns the directory of an output."""
        with self._lock:
            if plan.slot not in self._opened:
                staging = staging_directory(self._workspace.stores.active, self._workspace.home, plan.artifact)
                self._opened[plan.slot] = self._stack.enter_context(staging)
            return self._opened[plan.slot].path

    def opened(self, plan: OutputPlan) -> Staging | None:
        """Returns what was made of an output's directory; None if nobody has asked for it."""
        return self._opened.get(plan.slot)
