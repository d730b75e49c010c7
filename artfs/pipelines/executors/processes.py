"""Steps run in processes of their own on this machine."""

from __future__ import annotations

import functools
import os
import pickle
import select
import threading
import traceback
from concurrent.futures import Future
from pathlib import Path

import cloudpickle

from artfs.errors import InvalidValue, StepFailed
from artfs.materializers.base import defined
from artfs.pipelines.define.plan import StepTask
from artfs.pipelines.executors.elsewhere import forget_key_of_other_code
from artfs.pipelines.fingerprint.types_used import own_materializers
from artfs.pipelines.task.execution import StepOutcome, run_task
from artfs.workspace.workspace import Workspace


class ProcessExecutor:
    """Runs steps in processes of their own; what passes between them goes through the store."""

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
    from artfs.pipelines.task.logs import captured_output

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
