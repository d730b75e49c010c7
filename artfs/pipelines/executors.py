"""Where steps run: in threads of this process, or in processes of their own. Other machines would be a third kind."""

from __future__ import annotations

import contextvars
import functools
import os
import pickle
import queue
import select
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

import cloudpickle

from artfs.errors import InvalidValue, StepFailed
from artfs.materializers.base import defined
from artfs.pipelines.elsewhere import forget_key_of_other_code
from artfs.pipelines.execution import StepOutcome, run_task
from artfs.pipelines.plan import StepTask
from artfs.pipelines.types_used import own_materializers
from artfs.workspace import Workspace


class Executor(Protocol):
    """Runs tasks. An executor for other machines gets all it needs with a task: see `StepTask`.

    in_this_process: values are handed on in memory, and a step that has nothing beside it may run in the caller's
    thread.
    """

    in_this_process: bool

    def submit(self, task: StepTask) -> Future[StepOutcome]: ...

    def close(self) -> None:
        """Ends, when all tasks have."""
        ...

    def cancel(self) -> None:
        """Ends at once: what still runs leaves no version behind."""
        ...


class ThreadExecutor:
    """Steps run in threads of this process.

    They are daemons, as a program that was told to end must not wait for a step that runs for hours.
    """

    in_this_process = True

    def __init__(self, workspace: Workspace, workers: int) -> None:
        self._workspace = workspace
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._cancelled = threading.Event()

    def submit(self, task: StepTask) -> Future[StepOutcome]:
        future: Future[StepOutcome] = Future()
        self._waiting.put(functools.partial(contextvars.copy_context().run, self._run, task, future))
        if len(self._threads) < self._workers:
            thread = threading.Thread(target=self._work, name=f"artfs-step-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self) -> None:
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def cancel(self) -> None:
        self._cancelled.set()
        for _ in self._threads:
            self._waiting.put(None)

    def _work(self) -> None:
        while (call := self._waiting.get()) is not None:
            call()

    def _run(self, task: StepTask, future: Future[StepOutcome]) -> None:
        if self._cancelled.is_set():
            future.cancel()
            return
        try:
            future.set_result(run_task(self._workspace, task, self._cancelled.is_set))
        except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
            future.set_exception(error)


class ProcessExecutor:
    """Steps run in processes of their own; what passes between them goes through the store."""

    in_this_process = False

    def __init__(self, workspace: Workspace, workers: int) -> None:
        # Unlike the standard library's, it needs no `if __name__ == "__main__"` in the program.
        from loky import ProcessPoolExecutor

        self._pool = ProcessPoolExecutor(workers, initializer=_end_with, initargs=(os.getpid(),))

    def submit(self, task: StepTask) -> Future[StepOutcome]:
        try:
            # Materializers of the script are known where it has run: the other process is told of them.
            packed = cloudpickle.dumps((own_materializers(), task))
        except (pickle.PicklingError, TypeError) as error:
            raise InvalidValue(f"step '{task.name}' cannot be sent to another process: {error}; use threads") from None
        future: Future[StepOutcome] = self._pool.submit(_run_packed, packed)
        return future

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    def cancel(self) -> None:
        self._pool.shutdown(wait=True, kill_workers=True)


EXECUTORS: dict[str, Callable[[Workspace, int], Executor]] = {"threads": ThreadExecutor, "processes": ProcessExecutor}


def _end_with(process: int) -> None:
    """A killed program must not leave processes that go on with its steps."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        os._exit(1)

    def watch() -> None:
        select.select([descriptor], [], [])
        os._exit(1)

    threading.Thread(target=watch, name="artfs-parent", daemon=True).start()


def _run_packed(packed: bytes) -> StepOutcome:
    from artfs.pipelines.logs import captured_output

    task: StepTask
    materializers, task = cloudpickle.loads(packed)
    for materializer in materializers:
        defined.add(materializer)  # a class that was sent had no types yet when it was made here
    workspace = _workspace(task.home)
    try:
        forget_key_of_other_code(workspace, task)
        with captured_output():
            outcome = run_task(workspace, task)
    except Exception as error:
        _check_can_travel(error, task.name)
        raise
    return StepOutcome(outcome.versions, {})


@functools.cache
def _workspace(home: Path) -> Workspace:
    return Workspace.open(home)


def _check_can_travel(error: Exception, step: str) -> None:
    """Raises StepFailed instead of an exception that cannot be made again in another process."""
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:  # noqa: BLE001 - a stranger's exception may raise anything here
        raise StepFailed(f"step '{step}' failed:\n{''.join(traceback.format_exception(error))}") from None
