"""Where steps run. A new kind is a module here, and a line in `EXECUTORS`."""

from __future__ import annotations

from collections.abc import Callable

from artfs.pipelines.executors.executor import Executor as Executor
from artfs.pipelines.executors.processes import ProcessExecutor
from artfs.pipelines.executors.threads import ThreadExecutor
from artfs.workspace.workspace import Workspace

EXECUTORS: dict[str, Callable[[Workspace, int], Executor]] = {"threads": ThreadExecutor, "processes": ProcessExecutor}
