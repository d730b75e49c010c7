"""What a step can learn and say while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from artfs.artifacts.tagging import Tag, checked_tags
from artfs.catalog.versions import Version
from artfs.errors import InvalidValue
from artfs.pipelines.define.plan import OutputPlan, StepTask

if TYPE_CHECKING:
    from artfs.objects.model import ModelVersionResponse
    from artfs.objects.objects import Objects
    from artfs.objects.pipeline import PipelineResponse
    from artfs.objects.run import PipelineRunResponse, StepRunResponse
    from artfs.objects.version import ArtifactVersionResponse


@dataclass
class StepContext:
    """The step that runs.

    Attributes:
        task: what it was given.
        versions: rows of its inputs, by name.
        attempt: 1, and one more for every retry.
        metadata, tags: what it has said of its outputs, by output.
        is_over: whether its outputs are decided, as when hooks are called.
        make_folder: makes the directory of an output, where its files will be.
    """

    task: StepTask
    versions: Mapping[str, Sequence[Version]]
    attempt: int = 1
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, list[str | Tag]] = field(default_factory=dict)
    is_over: bool = False
    make_folder: Callable[[OutputPlan], str] | None = None

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
    def pipeline(self) -> PipelineResponse:
        """The pipeline, with all its runs."""
        return _objects().find_pipeline(self.task.pipeline)

    @property
    def pipeline_run(self) -> PipelineRunResponse:
        """The run that the step belongs to, as far as it has come."""
        return _objects().find_run(self.task.run_uuid)

    @property
    def step_run(self) -> StepRunResponse:
        """This run of the step."""
        return self.pipeline_run.steps[self.task.name]

    @property
    def model(self) -> ModelVersionResponse:
        """The version of a model that the step makes its outputs for. Raises InvalidValue if there is none."""
        objects, number = _objects(), self.task.model_version_id
        row = objects.catalog.models.version_by_id(number) if number is not None else None
        if row is None:
            raise InvalidValue(f"step '{self.task.name}' has no model: give it one with @pipeline(model=Model(...))")
        return objects.model_version(row)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values of its parameters, defaults too."""
        return self.step_run.parameters

    @property
    def inputs(self) -> dict[str, ArtifactVersionResponse]:
        """The versions of its inputs, by input; of a list the first, see `all_inputs`."""
        return {name: versions[0] for name, versions in self.all_inputs.items() if versions}

    @property
    def all_inputs(self) -> dict[str, list[ArtifactVersionResponse]]:
        """The versions of its inputs, by input, also all those of a list."""
        objects = _objects()
        return {name: [objects.version(row) for row in rows] for name, rows in self.versions.items()}

    def get_output_artifact_uri(self, output_name: str | None = None) -> str:
        """Return the directory that the files of an output will be in.

        What the step writes there becomes part of the output's version, beside the files of its value.

        Args:
            output_name: which output; may be left out when there is only one.

        Raises:
            InvalidValue: there is no such output, or the step has ended.
        """
        plan = self._output(output_name)
        assert self.make_folder is not None, "the step runs"
        return self.make_folder(plan)

    def add_output_metadata(self, metadata: Mapping[str, Any], output_name: str | None = None) -> None:
        """Add metadata to an output, which may be left out when there is only one."""
        self.metadata.setdefault(self._output(output_name).slot, {}).update(metadata)

    def add_output_tags(self, tags: Sequence[str | Tag], output_name: str | None = None) -> None:
        """Add tags to an output, which may be left out when there is only one."""
        checked_tags(tags)
        self.tags.setdefault(self._output(output_name).slot, []).extend(tags)

    def _output(self, name: str | None) -> OutputPlan:
        if self.is_over:
            raise InvalidValue(f"the outputs of step '{self.task.name}' are decided already", subject=name)
        slots = [output.slot for output in self.task.outputs]
        if name is None and len(slots) == 1:
            return self.task.outputs[0]
        for output in self.task.outputs:
            if name in (output.slot, output.artifact):
                return output
        known = ", ".join(slots) or "none"
        raise InvalidValue(f"step '{self.task.name}' has no output '{name}'; it has: {known}", subject=name)


def _objects() -> Objects:
    from artfs.objects.objects import Objects
    from artfs.workspace.current import current_workspace

    return Objects(current_workspace())


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
