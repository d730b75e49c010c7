"""`/runs` and `/runs/<pipeline>`: pipelines and their runs, read afresh each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from artfs_mount.tree import inode
from artfs_mount.tree.file_names import catalog_name, file_name
from artfs_mount.tree.links import RUN_RESERVED
from artfs_mount.tree.node import DIRECTORY_MODE, FOREVER, Attributes, Directory, Link, Node, no_entry, stale
from artfs_mount.tree.run import Run, run_row

if TYPE_CHECKING:
    from artfs.catalog.runs import Pipeline as PipelineRow
    from artfs.catalog.runs import Run as RunRow
    from artfs_mount.tree.context import Context

LATEST: Final = b"latest"


class Runs(Directory):
    """The directory of pipelines, and of programs that were seen to make versions."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self.ino = int(inode.Fixed.RUNS)
        self._context = context

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._context.started_ns, name_seconds=FOREVER)

    def lookup(self, name: bytes) -> Node:
        text = catalog_name(name)
        row = self._context.catalog.runs.pipeline(text) if text is not None else None
        if row is not None and file_name(row.name) == name:
            return Pipeline(self._context, row)
        for shown, node in self.entries() if b"~" in name else ():
            if shown == name:
                return node
        raise no_entry(name)

    def entries(self) -> Sequence[tuple[bytes, Node]]:
        rows = self._context.catalog.runs.pipelines()
        return [(file_name(row.name), Pipeline(self._context, row)) for row in rows]


class Pipeline(Directory):
    """The directory of a pipeline's runs."""

    __slots__ = ("_context", "_row")

    def __init__(self, context: Context, row: PipelineRow) -> None:
        self.ino = inode.pack(inode.Kind.PIPELINE, row.id)
        self._context = context
        self._row = row

    def attributes(self) -> Attributes:
        latest = self._context.catalog.runs.latest(self._row.id)
        changed_us = latest.started_us if latest else self._row.created_us
        fresh = self._context.fresh_seconds
        return Attributes(self.ino, DIRECTORY_MODE, 0, changed_us * 1000, 1, fresh, fresh)

    def lookup(self, name: bytes) -> Node:
        if name == LATEST:
            return latest_run(self._context, self._row.id)
        text = catalog_name(name)
        row = self._context.catalog.runs.get(self._row.name, text) if text is not None else None
        if row is not None and _shown(row) == name:
            return Run(self._context, row)
        for shown, node in self.entries() if b"~" in name else ():
            if shown == name:
                return node
        raise no_entry(name)

    def entries(self) -> Sequence[tuple[bytes, Node]]:
        rows = self._context.catalog.runs.list(self._row.id)
        found: list[tuple[bytes, Node]] = [(_shown(row), Run(self._context, row)) for row in rows]
        if rows:
            found.append((LATEST, _latest(self._row.id, rows[-1])))
        return found


def pipeline(context: Context, payload: int) -> Pipeline:
    """The directory of an inode number."""
    row = context.catalog.runs.pipeline_by_id(payload)
    if row is None:
        raise stale(payload)
    return Pipeline(context, row)


def run(context: Context, payload: int) -> Run:
    """The directory of an inode number."""
    return Run(context, run_row(context, payload))


def latest_run(context: Context, payload: int) -> Link:
    """The link `latest` of an inode number."""
    row = context.catalog.runs.latest(payload)
    if row is None:
        raise stale(payload)
    return _latest(payload, row)


def _latest(pipeline_id: int, row: RunRow) -> Link:
    return Link(inode.pack(inode.Kind.RUN_LATEST, pipeline_id), _shown(row), row.started_us * 1000)


def _shown(row: RunRow) -> bytes:
    return file_name(row.name, taken=RUN_RESERVED)
