"""`/runs` and `/runs/<pipeline>`: pipelines and their runs, read afresh each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from artfs_mount.tree import inode
from artfs_mount.tree.file_names import catalog_name, file_name
from artfs_mount.tree.links import RUN_RESERVED
from artfs_mount.tree.listing import Rows
from artfs_mount.tree.node import (
    DIRECTORY_MODE,
    FOREVER,
    Attributes,
    Directory,
    Link,
    Listing,
    TreeNode,
    no_entry,
    stale,
)
from artfs_mount.tree.run import RunDirectory, run_row

if TYPE_CHECKING:
    from artfs.catalog.listings import ListedRun, Listings, Named
    from artfs.catalog.runs import Run as RunRow
    from artfs_mount.tree.context import Context

LATEST: Final = b"latest"


class RunsDirectory(Directory):
    """The directory of pipelines, and of programs that were seen to make versions."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self.ino = int(inode.Fixed.RUNS)
        self._context = context

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._context.started_ns, name_seconds=FOREVER)

    def lookup(self, name: bytes) -> TreeNode:
        text = catalog_name(name)
        row = self._context.catalog.runs.pipeline(text) if text is not None else None
        if row is not None and file_name(row.name) == name:
            return PipelineDirectory(self._context, row.id, row.name, row.created_us)
        return self.long_named(name)

    def listing(self) -> Listing:
        return Rows(self._context, self._context.catalog.listings.pipelines, self._entry, is_quick=True)

    def _entry(self, row: Named) -> tuple[bytes, TreeNode]:
        return file_name(row.name), PipelineDirectory(self._context, *row)


class PipelineDirectory(Directory):
    """The directory of a pipeline's runs. changed_us: when the newest began, where that was read with others'."""

    __slots__ = ("_changed_us", "_context", "_created_us", "_id", "_name")

    def __init__(
        self, context: Context, pipeline_id: int, name: str, created_us: int, changed_us: int | None = None
    ) -> None:
        self.ino = inode.pack(inode.InodeKind.PIPELINE, pipeline_id)
        self._context = context
        self._id = pipeline_id
        self._name = name
        self._created_us = created_us
        self._changed_us = changed_us

    def attributes(self) -> Attributes:
        changed_us = self._changed_us
        if changed_us is None:
            latest = self._context.catalog.runs.latest(self._id)
            changed_us = latest.started_us if latest else self._created_us
        fresh = self._context.fresh_seconds
        return Attributes(self.ino, DIRECTORY_MODE, 0, changed_us * 1000, 1, fresh, fresh)

    def lookup(self, name: bytes) -> TreeNode:
        if name == LATEST:
            latest = self._context.catalog.runs.latest(self._id)
            if latest is None:
                raise no_entry(name)
            return _latest(self._id, latest)
        text = catalog_name(name)
        row = self._context.catalog.runs.get(self._name, text) if text is not None else None
        if row is not None and _shown(row.name) == name:
            return RunDirectory(self._context, row.id, row.started_us, row.ended_us)
        return self.long_named(name)

    def listing(self) -> Listing:
        read = _Reader(self._context.catalog.listings, self._id)
        return Rows(self._context, read, self._entry, self._links, is_quick=True)

    def _entry(self, row: ListedRun) -> tuple[bytes, TreeNode]:
        return _shown(row.name), RunDirectory(self._context, row.id, row.started_us, row.ended_us)

    def _links(self) -> Iterator[tuple[bytes, TreeNode]]:
        latest = self._context.catalog.runs.latest(self._id)
        if latest is not None:
            yield LATEST, _latest(self._id, latest)


class _Reader:
    """Reads the runs of a pipeline in pieces, each after a run of the last piece, which may be deleted meanwhile."""

    def __init__(self, listings: Listings, pipeline_id: int) -> None:
        self._listings = listings
        self._pipeline_id = pipeline_id
        self._began: dict[int, int] = {}

    def __call__(self, after: int, most: int) -> list[ListedRun]:
        rows = self._listings.runs(self._pipeline_id, after, most, after_us=self._began.get(after))
        self._began = {row.id: row.started_us for row in rows}
        return rows


def pipeline(context: Context, payload: int) -> PipelineDirectory:
    """The directory of an inode number."""
    row = context.catalog.runs.pipeline_by_id(payload)
    if row is None:
        raise stale(payload)
    return PipelineDirectory(context, row.id, row.name, row.created_us)


def run(context: Context, payload: int) -> RunDirectory:
    """The directory of an inode number."""
    row = run_row(context, payload)
    return RunDirectory(context, row.id, row.started_us, row.ended_us)


def latest_run(context: Context, payload: int) -> Link:
    """The link `latest` of an inode number."""
    row = context.catalog.runs.latest(payload)
    if row is None:
        raise stale(payload)
    return _latest(payload, row)


def _latest(pipeline_id: int, row: RunRow) -> Link:
    return Link(inode.pack(inode.InodeKind.RUN_LATEST, pipeline_id), _shown(row.name), row.started_us * 1000)


def _shown(run: str) -> bytes:
    return file_name(run, taken=RUN_RESERVED)
