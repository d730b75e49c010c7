"""Steps run in threads of this process."""

from __future__ import annotations

import contextvars
import functools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from artfs.pipelines.define.plan import StepTask
from artfs.pipelines.task.execution import StepOutcome, run_task
from artfs.workspace.workspace import Workspace


class ThreadExecutor:
    """Runs steps in threads.

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
