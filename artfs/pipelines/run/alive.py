"""Which runs are alive: each holds a lock of the home, which the kernel frees when its process dies."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from artfs.catalog.runs import Run
from artfs.enums import ExecutionStatus
from artfs.linux.processes import start_time
from artfs.workspace.workspace import Workspace

KILLED = "its process was killed"


@contextmanager
def alive(workspace: Workspace, uuid: str) -> Iterator[None]:
    """Holds the lock of a run. Take it before the run is in the catalog, and give it back when it has ended there."""
    with workspace.transfers.locks.held(_lock(uuid)):
        yield


def fail_dead_runs(workspace: Workspace) -> None:
    """Marks runs of this machine as failed whose process is gone: it was killed, and cannot say so itself."""
    runs, steps = workspace.catalog.runs, workspace.catalog.steps
    for run in runs.unfinished(socket.gethostname()):
        if not _is_dead(workspace, run):
            continue
        with workspace.catalog.transaction():
            now = runs.by_id(run.id)
            if now is None or now.ended_us is not None:
                continue  # it has ended while it was looked at
            for step_run in steps.list(run.id):
                if step_run.ended_us is None:
                    steps.finish(step_run.id, ExecutionStatus.FAILED.value, error=KILLED)
            runs.finish(run.id, ExecutionStatus.FAILED.value, error=KILLED)


def _is_dead(workspace: Workspace, run: Run) -> bool:
    """Whether a run's lock is free. One without a lock (of an older release) is dead when its process is gone."""
    locks = workspace.transfers.locks
    if locks.exists(_lock(run.uuid)):
        return not locks.is_held(_lock(run.uuid))
    own = run.host == socket.gethostname() and run.pid is not None
    return own and str(start_time(run.pid or 0)) != run.process_started


def _lock(uuid: str) -> str:
    return f"run-{uuid}"
