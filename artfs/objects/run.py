"""Runs of pipelines and of their steps, as users hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from artfs.catalog.runs import Run
from artfs.catalog.steps import Input, Output, StepRun
from artfs.describe.runs import run
from artfs.enums import ExecutionStatus
from artfs.errors import InvalidValue, RunNotFound
from artfs.lineage.explain import Explanation, explain_step
from artfs.objects.metadata import MetadataValue
from artfs.runs import log_file
from artfs.text import html
from artfs.text.times import moment

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from artfs.catalog.metadata import Logged
    from artfs.objects.objects import Objects
    from artfs.objects.version import ArtifactVersionResponse


class _Begun:
    """What runs and their steps have in common."""

    row: Run | StepRun

    @property
    def id(self) -> UUID:
        """Its id."""
        return UUID(self.row.uuid)

    @property
    def name(self) -> str:
        """Its name: of a step in its run, of a run among those of its pipeline."""
        return self.row.name

    @property
    def status(self) -> ExecutionStatus | str:
        """Where it stands, or how it ended; a step is `skipped` when one before it had failed."""
        return _status(self.row.status)

    @property
    def error(self) -> str | None:
        """Why it failed; of a step, the traceback."""
        return self.row.error

    @property
    def started(self) -> datetime:
        """When it began, UTC."""
        return moment(self.row.started_us)

    @property
    def ended(self) -> datetime | None:
        """When it ended, UTC; None while it runs."""
        return moment(self.row.ended_us) if self.row.ended_us is not None else None

    @property
    def duration(self) -> timedelta | None:
        """How long it took."""
        return _duration(self.row.started_us, self.row.ended_us)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Begun) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)


class StepRunResponse(_Begun):
    """One run of a step."""

    def __init__(self, objects: Objects, row: StepRun) -> None:
        self._objects = objects
        self.row: StepRun = row

    @property
    def run(self) -> PipelineRunResponse:
        """The run that it belongs to."""
        row = self._objects.catalog.runs.by_id(self.row.run_id)
        if row is None:
            raise RunNotFound(f"the run of step '{self.name}' has been deleted", subject=self.name)
        return self._objects.run(row)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values of its parameters, with the types that they had.

        Raises:
            ClassNotFound, UntrustedClass, MaterializerError: the class of one cannot be found here, or has changed too
                much since.
        """
        return self._objects.parameters(self.row.parameters)

    @property
    def source(self) -> str | None:
        """Its source code."""
        return self.row.source

    @property
    def attempt(self) -> int:
        """1, and one more for every time that it was tried again."""
        return self.row.attempt

    @property
    def inputs(self) -> dict[str, ArtifactVersionResponse]:
        """The versions that it read, by input; of a list the first, see `all_inputs`."""
        return {slot: versions[0] for slot, versions in self.all_inputs.items()}

    @property
    def all_inputs(self) -> dict[str, list[ArtifactVersionResponse]]:
        """The versions that it read, by input, also all those of a list."""
        return self._by_slot(self._objects.catalog.steps.inputs(self.row.id))

    @property
    def outputs(self) -> dict[str, ArtifactVersionResponse]:
        """The versions that it gave out, by output."""
        found = self._by_slot(self._objects.catalog.steps.outputs(self.row.id))
        return {slot: versions[0] for slot, versions in found.items()}

    @property
    def output(self) -> ArtifactVersionResponse:
        """The only output. Raises InvalidValue when there are none or several."""
        outputs = self.outputs
        if len(outputs) != 1:
            raise InvalidValue(f"step '{self.name}' has {len(outputs)} outputs; use .outputs[name]", subject=self.name)
        return next(iter(outputs.values()))

    @property
    def metadata(self) -> dict[str, Any]:
        """What was logged about it, as plain values by key."""
        return self._objects.catalog.run_metadata.get(self.row.run_id, self.row.id)

    @property
    def run_metadata(self) -> dict[str, MetadataValue]:
        """What was logged about it: `run_metadata["loss"].value`."""
        return _logged(self._objects.catalog.run_metadata.rows(self.row.run_id, self.row.id))

    @property
    def logs(self) -> str:
        """What it printed and logged."""
        path = log_file(self._objects.workspace.home.path, self.row.log_path)
        return path.read_text("utf-8") if path is not None and path.exists() else ""

    def explain(self) -> Explanation:
        """Say why it ran, or did not have to: `.reasons` has a line for each part of its key that changed."""
        return explain_step(self._objects.catalog, self.run.row, self.row)

    def _by_slot(self, rows: Sequence[Input] | Sequence[Output]) -> dict[str, list[ArtifactVersionResponse]]:
        found: dict[str, list[ArtifactVersionResponse]] = {}
        versions = {row.id: row for row in self._objects.catalog.versions.by_ids([row.version_id for row in rows])}
        for row in rows:
            if row.version_id in versions:
                response = self._objects.version(versions[row.version_id])
                found.setdefault(row.slot, []).append(response)
        return found

    def __repr__(self) -> str:
        return f"<step run {self.name}: {self.status}>"


class PipelineRunResponse(_Begun):
    """One run of a pipeline."""

    def __init__(self, objects: Objects, row: Run) -> None:
        self._objects = objects
        self.row: Run = row

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.row.pipeline

    @property
    def config(self) -> Mapping[str, Any]:
        """What it was started with; raises as `StepRunResponse.parameters`."""
        recorded = self.row.config
        if "parameters" not in recorded:
            return recorded
        return {**recorded, "parameters": self._objects.parameters(recorded["parameters"])}

    @property
    def environment(self) -> Mapping[str, Any] | None:
        """Python, packages, machine and git commit that it ran with."""
        number = self.row.environment_id
        return self._objects.catalog.environments.get(number) if number is not None else None

    @property
    def steps(self) -> dict[str, StepRunResponse]:
        """Its steps, by name, in the order in which they began."""
        rows = self._objects.catalog.steps.list(self.row.id)
        return {row.name: self._objects.step(row) for row in rows}

    @property
    def tags(self) -> list[str]:
        """Its tags, sorted."""
        return list(self._objects.catalog.tags.of_run(self.row.id))

    @property
    def metadata(self) -> dict[str, Any]:
        """What was logged about it, as plain values by key."""
        return self._objects.catalog.run_metadata.get(self.row.id)

    @property
    def run_metadata(self) -> dict[str, MetadataValue]:
        """What was logged about it: `run_metadata["loss"].value`."""
        return _logged(self._objects.catalog.run_metadata.rows(self.row.id))

    def visualize(self, *, open_browser: bool = True) -> Path | None:
        """Show its steps and versions as a graph: in the notebook where there is one, else as a page in the browser.

        Args:
            open_browser: False writes the page and does not open it.

        Returns:
            the path of the page; None in a notebook.
        """
        from artfs.lineage.show import show_run

        return show_run(self._objects.workspace, self.row, open_browser=open_browser)

    def summary(self) -> dict[str, Any]:
        """Return what lists and `run.json` say of it; see `artfs.describe`."""
        return run(self._objects.catalog, self.row)

    def refresh(self) -> PipelineRunResponse:
        """The run as it is in the catalog now."""
        return self._objects.find_run(self.row.uuid)

    def __repr__(self) -> str:
        count = len(self.steps)
        return f"<run {self.pipeline}/{self.name}: {self.status}, {count} step{'' if count == 1 else 's'}>"

    def _repr_html_(self) -> str:
        described = self.summary()
        shown = {key: described[key] for key in ("run", "status", "started", "seconds")}
        return html.facts({**shown, **described["steps"]}, f"{self.pipeline}/{self.name}")


def _logged(rows: Sequence[Logged]) -> dict[str, MetadataValue]:
    return {row.key: MetadataValue(row.value, row.type, moment(row.created_us)) for row in rows}


def _status(text: str) -> ExecutionStatus | str:
    return ExecutionStatus(text) if text in set(ExecutionStatus) else text


def _duration(started_us: int, ended_us: int | None) -> timedelta | None:
    return timedelta(microseconds=ended_us - started_us) if ended_us is not None else None
