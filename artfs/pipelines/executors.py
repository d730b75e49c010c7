"""Where steps run: in threads of this process, or in processes of their own. Other machines would be a third kind."""

from __future__ import annotations

import contextvars
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Protocol

import cloudpickle

from artfs.errors import InvalidValue
from artfs.pipelines.execution import StepOutcome, run_task
from artfs.pipelines.plan import StepTask
from artfs.workspace import Workspace


class Executor(Protocol):
    """Runs tasks. keeps_values: values are handed on in memory, so that a step need not load what was just made."""

    keeps_values: bool

    def submit(self, task: StepTask) -> Future[StepOutcome]: ...

    def close(self, *, wait: bool) -> None: ...


class ThreadExecutor:
    """Steps run in threads of this process."""

    keeps_values = True

    def __init__(self, workspace: Workspace, workers: int) -> None:
        self._workspace = workspace
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="artfs-step")

    def submit(self, task: StepTask) -> Future[StepOutcome]:
        context = contextvars.copy_context()
        return self._pool.submit(context.run, run_task, self._workspace, task)

    def close(self, *, wait: bool) -> None:
        self._pool.shutdown(wait=wait, cancel_futures=True)


class ProcessExecutor:
    """Steps run in processes of their own; what passes between them goes through the store."""

    keeps_values = False

    def __init__(self, workspace: Workspace, workers: int) -> None:
        # A fork would copy locks that other threads hold.
        self._pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))

    def submit(self, task: StepTask) -> Future[StepOutcome]:
        try:
            packed = cloudpickle.dumps(task)
        except (pickle.PicklingError, TypeError) as error:
            raise InvalidValue(f"step '{task.name}' cannot be sent to another process: {error}; use threads") from None
        return self._pool.submit(_run_packed, packed)

    def close(self, *, wait: bool) -> None:
        self._pool.shutdown(wait=wait, cancel_futures=True)


EXECUTORS: dict[str, Callable[[Workspace, int], Executor]] = {"threads": ThreadExecutor, "processes": ProcessExecutor}


def _run_packed(packed: bytes) -> StepOutcome:
    from artfs.pipelines.logs import LogCapture

    task: StepTask = cloudpickle.loads(packed)
    with Workspace.open(task.home) as workspace, LogCapture():
        outcome = run_task(workspace, task)
    return StepOutcome(outcome.versions, {})
