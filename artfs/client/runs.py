"""Pipelines and runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from artfs.client.base import _Calls
from artfs.client.filters import Filter, MetadataFilter, any_of, metadata_where, tag_where, where_of
from artfs.objects.pagination import PAGE_SIZE, Page

if TYPE_CHECKING:
    from artfs.objects.pipeline import PipelineResponse
    from artfs.objects.run import PipelineRunResponse


class _RunCalls(_Calls):
    """What a client can be asked about pipelines and runs."""

    def get_pipeline(self, name_id_or_prefix: str) -> PipelineResponse:
        """Return a pipeline by name: `Client().get_pipeline("training").last_successful_run`.

        Raises:
            PipelineNotFound: there is none.
        """
        return self._objects.find_pipeline(name_id_or_prefix)

    def list_pipelines(self) -> list[PipelineResponse]:
        """Return all pipelines, and programs that were run or seen, by name."""
        return [self._objects.pipeline(row) for row in self.workspace.catalog.runs.pipelines()]

    def get_pipeline_run(self, name_id_or_prefix: str | UUID) -> PipelineRunResponse:
        """Return a run of a pipeline, or of a program that was run or seen.

        Args:
            name_id_or_prefix: an id or its beginning, a run's name, `pipeline/run`, or `pipeline/latest`;
                the name of a pipeline means its newest run.

        Raises:
            RunNotFound: there is none.
            InvalidValue: several runs are meant.
        """
        return self._objects.find_run(name_id_or_prefix)

    def list_pipeline_runs(
        self,
        sort_by: str | None = None,
        page: int = 1,
        size: int = PAGE_SIZE,
        logical_operator: str = "and",
        *,
        pipeline: Filter = None,
        tag: Filter = None,
        tags: Sequence[str] | None = None,
        run_metadata: MetadataFilter | None = None,
        **filters: Filter,
    ) -> Page[PipelineRunResponse]:
        """Return runs, oldest first.

        Args:
            sort_by: `asc:field` or `desc:field`.
            page, size: which page to return; iterating goes on to the next ones.
            logical_operator: `and`, or `or` when one of the filters is enough.
            pipeline: name of the pipeline.
            tag: a tag that the run carries.
            tags: all tags that it carries.
            run_metadata: what was logged for it: `{"accuracy": "gt:0.9"}`, or `["accuracy:gt:0.9"]`.
            filters: name, status, kind (pipeline, exec, observed, client), started (or created, start_time), ended (or
                end_time), user or id; see `Filter`.

        Raises:
            InvalidValue: a field or operator is not known.
        """
        where = where_of({"pipeline": pipeline, **filters})
        where.update(tag_where(tag, tags))
        where.update(metadata_where(run_metadata))
        return self._objects.run_page(where, any_of=any_of(logical_operator), sort=sort_by, page=page, size=size)
