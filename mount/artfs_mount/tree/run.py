"""`/runs/<pipeline>/<run>`: what a run did, and in `steps` a directory for each of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from artfs.describe.runs import run as describe
from artfs.lineage.dot import to_dot
from artfs.lineage.graph import Graph, cut, run_graph
from artfs.lineage.svg import to_svg
from artfs_mount.tree import inode
from artfs_mount.tree.blocking import Slow
from artfs_mount.tree.file_names import catalog_name, file_name
from artfs_mount.tree.generated import GeneratedFile, GeneratedText, Template, drawn, page_of
from artfs_mount.tree.json_text import json_text
from artfs_mount.tree.links import many_step_facts
from artfs_mount.tree.listing import FixedDirectory, Numbered
from artfs_mount.tree.node import DIRECTORY_MODE, FOREVER, Attributes, Directory, Listing, TreeNode, no_entry, stale
from artfs_mount.tree.step import StepDirectory

if TYPE_CHECKING:
    from artfs.catalog.runs import Run as RunRow
    from artfs_mount.tree.context import Context

STEPS: Final = b"steps"
DRAWN_NODES: Final = 300
DRAWN_LINKS: Final = 1000
"""What is drawn, and nearest to what was asked about. More takes long to lay out, and `ls -l` waits for it."""


class RunDirectory(Directory):
    """The directory of a run. Until the run has ended, what is in it is read afresh each time."""

    __slots__ = ("_context", "_ended_us", "_id", "_started_us")

    def __init__(self, context: Context, run_id: int, started_us: int, ended_us: int | None) -> None:
        self.ino = inode.pack(inode.InodeKind.RUN, run_id)
        self._context = context
        self._id = run_id
        self._started_us = started_us
        self._ended_us = ended_us

    def attributes(self) -> Attributes:
        changed_ns = (self._ended_us or self._started_us) * 1000
        seconds = FOREVER if self._ended_us is not None else 0.0
        return Attributes(self.ino, DIRECTORY_MODE, 0, changed_ns, 1, seconds, self._context.fresh_seconds)

    def lookup(self, name: bytes) -> TreeNode:
        if name == STEPS:
            return StepsDirectory(self._context, self._id, self._started_us)
        for template in RUN_PAGES.values():
            if template.name == name:
                return GeneratedFile(self._context, inode.InodeKind.RUN_PAGE, self._id, template)
        raise no_entry(name)

    def listing(self) -> Listing:
        return FixedDirectory(
            (name, self.lookup(name)) for name in (*(page.name for page in RUN_PAGES.values()), STEPS)
        )


class StepsDirectory(Directory):
    """The directory of a run's steps, in the order in which they began."""

    __slots__ = ("_context", "_run_id", "_started_us")

    def __init__(self, context: Context, run_id: int, started_us: int) -> None:
        self.ino = inode.pack(inode.InodeKind.STEPS, run_id)
        self._context = context
        self._run_id = run_id
        self._started_us = started_us

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._started_us * 1000, 1, FOREVER, FOREVER)

    def lookup(self, name: bytes) -> TreeNode:
        text = catalog_name(name)
        row = self._context.catalog.lineage.step_named(self._run_id, text) if text is not None else None
        if row is not None and file_name(row.name) == name:
            return StepDirectory(self._context, row)
        return self.long_named(name)

    def listing(self) -> Listing:
        self._context.may_wait()
        return Numbered(self._context, self._context.catalog.listings.step_ids(self._run_id), self._entries)

    def _entries(self, ids: list[int]) -> Iterator[tuple[int, bytes, TreeNode]]:
        for row in many_step_facts(self._context, ids):
            yield row.id, file_name(row.name), StepDirectory(self._context, row)


def steps(context: Context, payload: int) -> StepsDirectory:
    """The directory of an inode number."""
    return StepsDirectory(context, payload, run_row(context, payload).started_us)


def run_page(context: Context, payload: int) -> TreeNode:
    """The generated file of an inode number."""
    return page_of(context, inode.InodeKind.RUN_PAGE, payload, RUN_PAGES)


def run_row(context: Context, run_id: int) -> RunRow:
    """The run as of now.

    Raises:
        Stale: It was deleted.
    """
    row = context.catalog.runs.by_id(run_id)
    if row is None:
        raise stale(run_id)
    return row


def _json(context: Context, run_id: int) -> GeneratedText:
    row = run_row(context, run_id)
    return GeneratedText(json_text(describe(context.catalog, row)), _changed(row))


def _status(context: Context, run_id: int) -> GeneratedText:
    row = run_row(context, run_id)
    return GeneratedText(f"{row.status}\n".encode(), _changed(row))


def _drawn(which: int, draw: Callable[[Graph], str]) -> Callable[[Context, int], GeneratedText]:
    def make(context: Context, run_id: int) -> GeneratedText:
        row, graph = run_row(context, run_id), run_graph(context.catalog, run_id)
        return GeneratedText(drawn(context, ("run", run_id, which), graph, draw), _changed(row))

    return make


def _dot(graph: Graph) -> str:
    return to_dot(cut(graph, 10 * DRAWN_NODES, 10 * DRAWN_LINKS))


def _svg(graph: Graph) -> str:
    return to_svg(graph, nodes=DRAWN_NODES, links=DRAWN_LINKS)


def _environment(context: Context, run_id: int) -> GeneratedText:
    row = run_row(context, run_id)
    facts = context.catalog.environments.get(row.environment_id) if row.environment_id is not None else None
    return GeneratedText(
        "".join(f"{line}\n" for line in _lines(facts or {})).encode("utf-8", "backslashreplace"), row.started_us
    )


def _lines(facts: Mapping[str, object], indent: str = "") -> list[str]:
    """`key: value`, what is nested indented below its key; packages as pip writes them."""
    lines = []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            as_pins = key == "packages"
            nested = [f"  {name}=={version}" for name, version in value.items()] if as_pins else _lines(value, "  ")
            lines += [f"{indent}{key}:", *(indent + line for line in nested)]
        else:
            lines.append(f"{indent}{key}: {'' if value is None else value}")
    return lines


def _changed(row: RunRow) -> int:
    return row.ended_us or row.heartbeat_us or row.started_us


RUN_PAGES: Final[Mapping[int, Template]] = {
    template.which: template
    for template in (
        Template(b"run.json", 0, _json, Slow.QUERY),
        Template(b"status", 1, _status),
        Template(b"dag.svg", 2, _drawn(2, _svg), Slow.MAKING),
        Template(b"dag.dot", 3, _drawn(3, _dot), Slow.MAKING),
        Template(b"environment.txt", 4, _environment),
    )
}
