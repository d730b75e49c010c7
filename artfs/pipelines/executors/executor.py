"""What runs steps: in this process, in others, or on other machines."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from artfs.pipelines.define.plan import StepTask
from artfs.pipelines.task.execution import StepOutcome


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
