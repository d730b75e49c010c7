"""A pipeline, a name with runs, as users hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artfs.enums import ExecutionStatus
from artfs.errors import RunNotFound
from artfs.objects.pagination import Page
from artfs.text.times import moment

if TYPE_CHECKING:
    from datetime import datetime

    from artfs.catalog.filters import Where
    from artfs.catalog.runs import PipelineRow
    from artfs.objects.objects import Objects
    from artfs.objects.run import PipelineRunResponse

_NEWEST_FIRST = "desc:started"


class PipelineResponse:
    """A name with runs: a pipeline, or a program that was run or seen."""

    def __init__(self, objects: Objects, row: PipelineRow) -> None:
        self._objects = objects
        self.row: PipelineRow = row

    @property
    def id(self) -> int:
        """Its row in the catalog."""
        return self.row.id

    @property
    def name(self) -> str:
        """Its name."""
        return self.row.name

    @property
    def created(self) -> datetime:
        """When its name was first used, UTC."""
        return moment(self.row.created_us)

    @property
    def runs(self) -> Page[PipelineRunResponse]:
        """Its runs, newest first."""
        return self._page({})

    @property
    def num_runs(self) -> int:
        """How many runs it has."""
        return self._objects.catalog.runs.count(self.row.id)

    @property
    def last_run(self) -> PipelineRunResponse:
        """Its newest run. Raises RunNotFound if it has none."""
        return self._first(self.runs, "no run")

    @property
    def last_successful_run(self) -> PipelineRunResponse:
        """Its newest run that has completed, by itself or from the cache. Raises RunNotFound if it has none."""
        successful = [status.value for status in ExecutionStatus if status.is_successful]
        return self._first(self._page({"status": ("oneof", successful)}), "no successful run")

    def _page(self, where: Where) -> Page[PipelineRunResponse]:
        return self._objects.run_page(where, pipeline_id=self.row.id, sort=_NEWEST_FIRST)

    def _first(self, page: Page[PipelineRunResponse], problem: str) -> PipelineRunResponse:
        if not page.items:
            raise RunNotFound(f"pipeline '{self.name}' has {problem} yet", subject=self.name)
        return page.items[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PipelineResponse) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        count = self.num_runs
        return f"<pipeline {self.name}: {count} run{'' if count == 1 else 's'}>"
