"""What a step can learn and say while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from artfs.catalog.versions import Version
from artfs.errors import InvalidValue
from artfs.pipelines.define.plan import StepTask


@dataclass
class StepContext:
    """The step that runs.

    Attributes:
        task: what it was given.
        inputs: versions of its inputs, by name.
        attempt: 1, and one more for every retry.
    """

    task: StepTask
    inputs: Mapping[str, Sequence[Version]]
    attempt: int = 1
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)

    @property
    def step_name(self) -> str:
        """The step's name in this run."""
        return self.task.name

    @property
    def pipeline_name(self) -> str:
        """The pipeline's name."""
        return self.task.pipeline

    @property
    def run_name(self) -> str:
        """The run's name."""
        return self.task.run_name

    @property
    def pipeline_run(self) -> Any:
        """The run that the step belongs to, as far as it has come."""
        from artfs.objects.objects import Objects
        from artfs.workspace.current import current_workspace

        return Objects(current_workspace()).find_run(self.task.run_uuid)

    @property
    def step_run(self) -> Any:
        """This run of the step."""
        return self.pipeline_run.steps[self.task.name]

    def add_output_metadata(self, metadata: Mapping[str, Any], output_name: str | None = None) -> None:
        """Adds metadata to an output, which may be left out when there is only one."""
        self.metadata.setdefault(self._slot(output_name), {}).update(metadata)

    def add_output_tags(self, tags: Sequence[str], output_name: str | None = None) -> None:
        """Adds tags to an output, which may be left out when there is only one."""
        self.tags.setdefault(self._slot(output_name), []).extend(tags)

    def _slot(self, name: str | None) -> str:
        slots = [output.slot for output in self.task.outputs]
        if name is None and len(slots) == 1:
            return slots[0]
        for output in self.task.outputs:
            if name in (output.slot, output.artifact):
                return output.slot
        known = ", ".join(slots) or "none"
        raise InvalidValue(f"step '{self.task.name}' has no output '{name}'; it has: {known}", subject=name)


current_context: ContextVar[StepContext | None] = ContextVar("artfs_step_context", default=None)


def get_step_context() -> StepContext:
    """Return the context of the step that runs.

    Raises:
        InvalidValue: no step runs here.

    Example:
        >>> get_step_context().add_output_metadata({"rows": 150})
    """
    context = current_context.get()
    if context is None:
        raise InvalidValue("get_step_context() answers only within a step that a pipeline runs")
    return context
