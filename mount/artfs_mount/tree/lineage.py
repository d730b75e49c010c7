"""`/lineage`: for every version a node that leads to what it came from and to what was made of it.

`upstream` is the only link from one node to another. What a version was made from is always older than it, so a walk
that follows links ends and meets no loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from artfs.describe.graph import graph as describe
from artfs.lineage.dot import to_dot
from artfs.lineage.graph import Graph, version_graph
from artfs.lineage.svg import to_svg
from artfs_mount.tree import inode
from artfs_mount.tree.file_names import step_name, version_name
from artfs_mount.tree.links import (
    lineage_link,
    many_step_facts,
    many_version_facts,
    step_facts,
    step_link,
    version_facts,
    version_link,
)
from artfs_mount.tree.listing import LinkDirectory
from artfs_mount.tree.node import DIRECTORY_MODE, FOREVER, Attributes, Directory, Node, as_text, no_entry, stale
from artfs_mount.tree.page import Made, Page, Template, page_of
from artfs_mount.tree.run import DRAWN_LINKS, DRAWN_NODES

if TYPE_CHECKING:
    from artfs.catalog.artifacts import Artifact as ArtifactRow
    from artfs.catalog.lineage import VersionFacts
    from artfs_mount.tree.context import Context

NODE_UPS: Final = 3
RELATED_UPS: Final = 4
"""From a node, and from a directory in it, to the top."""
_PRODUCER: Final = b"producer"
_ARTIFACT: Final = b"artifact"


class Lineage(Directory):
    """The directory of artifacts."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self.ino = int(inode.Fixed.LINEAGE)
        self._context = context

    def attributes(self) -> Attributes:
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._context.started_ns, name_seconds=FOREVER)

    def lookup(self, name: bytes) -> Node:
        row = self._context.catalog.artifacts.get(as_text(name))
        if row is None:
            raise no_entry(name)
        return LineageArtifact(self._context, row)

    def entries(self) -> Sequence[tuple[bytes, Node]]:
        rows = self._context.catalog.artifacts.list()
        return [(row.name.encode(), LineageArtifact(self._context, row)) for row in rows]


class LineageArtifact(Directory):
    """The directory of an artifact's versions, also of those that were purged."""

    __slots__ = ("_context", "_row")

    def __init__(self, context: Context, row: ArtifactRow) -> None:
        self.ino = inode.pack(inode.Kind.LINEAGE_ARTIFACT, row.id)
        self._context = context
        self._row = row

    def attributes(self) -> Attributes:
        fresh = self._context.fresh_seconds
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._row.created_us * 1000, 1, fresh, fresh)

    def lookup(self, name: bytes) -> Node:
        version = self._context.catalog.versions.get(self._row.id, as_text(name))
        if version is None:
            raise no_entry(name)
        return LineageNode(self._context, version_facts(self._context, version.id))

    def entries(self) -> Sequence[tuple[bytes, Node]]:
        ids = [version.id for version in self._context.catalog.versions.list(self._row.id, purged=True)]
        found = many_version_facts(self._context, ids)
        return [(facts.name.encode(), LineageNode(self._context, facts)) for facts in found]


class LineageNode(Directory):
    """The node of a version."""

    __slots__ = ("_context", "_version")

    def __init__(self, context: Context, version: VersionFacts) -> None:
        self.ino = inode.pack(inode.Kind.LINEAGE_NODE, version.id)
        self._context = context
        self._version = version

    def attributes(self) -> Attributes:
        changed_ns = self._version.created_us * 1000
        return Attributes(self.ino, DIRECTORY_MODE, 0, changed_ns, 1, FOREVER, self._context.fresh_seconds)

    def lookup(self, name: bytes) -> Node:
        if name == _ARTIFACT:
            return version_link(self._context, NODE_UPS, self._version)
        if name == _PRODUCER and self._version.producer_id is not None:
            return step_link(self._context, NODE_UPS, step_facts(self._context, self._version.producer_id))
        if name in _RELATED_NUMBERS:
            return Related(self._context, self._version, _RELATED_NUMBERS[name])
        for template in LINEAGE_PAGES.values():
            if template.name == name:
                return Page(self._context, inode.Kind.LINEAGE_PAGE, self._version.id, template)
        raise no_entry(name)

    def entries(self) -> Sequence[tuple[bytes, Node]]:
        producer = [] if self._version.producer_id is None else [_PRODUCER]
        pages = [template.name for template in LINEAGE_PAGES.values()]
        return [(name, self.lookup(name)) for name in (_ARTIFACT, *producer, *_RELATED_NUMBERS, *pages)]


class Related(LinkDirectory):
    """A directory of links in a node: one of `_RELATED`."""

    __slots__ = ("_version", "_which")

    def __init__(self, context: Context, version: VersionFacts, which: int) -> None:
        ino = inode.pack_pair(inode.Kind.RELATED, version.id, which, inode.WHICH_BITS)
        super().__init__(context, ino, version.created_us)
        self._version = version
        self._which = which

    def _read(self) -> Mapping[bytes, Node]:
        return _RELATED[self._which][1](self._context, self._version.id)


def lineage_artifact(context: Context, payload: int) -> LineageArtifact:
    """The directory of an inode number."""
    row = context.catalog.artifacts.by_id(payload)
    if row is None:
        raise stale(payload)
    return LineageArtifact(context, row)


def lineage_node(context: Context, payload: int) -> LineageNode:
    """The node of an inode number."""
    return LineageNode(context, version_facts(context, payload))


def related(context: Context, payload: int) -> Related:
    """The directory of an inode number."""
    version_id, which = inode.unpack_pair(payload, inode.WHICH_BITS)
    if which not in _RELATED:
        raise stale(payload)
    return Related(context, version_facts(context, version_id), which)


def lineage_page(context: Context, payload: int) -> Node:
    """The generated file of an inode number."""
    return page_of(context, inode.Kind.LINEAGE_PAGE, payload, LINEAGE_PAGES)


def lineage_picture(context: Context, version_id: int) -> Page:
    """`graph.svg` of a version's node, for `.artfs/lineage.svg`."""
    return Page(context, inode.Kind.LINEAGE_PAGE, version_id, LINEAGE_PAGES[_SVG])


def _consumers(context: Context, version_id: int) -> Mapping[bytes, Node]:
    steps = many_step_facts(context, context.catalog.lineage.consumers(version_id))
    return {step_name(step.pipeline, step.run, step.name): step_link(context, RELATED_UPS, step) for step in steps}


def _upstream(context: Context, version_id: int) -> Mapping[bytes, Node]:
    found = many_version_facts(context, context.catalog.lineage.upstream(version_id))
    return {version_name(facts.artifact, facts.name): lineage_link(context, facts) for facts in found}


def _versions(find: Callable[[Context], Callable[[int], list[int]]]) -> Callable[[Context, int], Mapping[bytes, Node]]:
    def read(context: Context, version_id: int) -> Mapping[bytes, Node]:
        found = many_version_facts(context, find(context)(version_id))
        return {version_name(facts.artifact, facts.name): version_link(context, RELATED_UPS, facts) for facts in found}

    return read


_RELATED: Final[Mapping[int, tuple[bytes, Callable[[Context, int], Mapping[bytes, Node]]]]] = {
    0: (b"consumers", _consumers),
    1: (b"upstream", _upstream),
    2: (b"downstream", _versions(lambda context: context.catalog.lineage.downstream)),
    3: (b"ancestors", _versions(lambda context: context.catalog.lineage.ancestors)),
    4: (b"descendants", _versions(lambda context: context.catalog.lineage.descendants)),
}
_RELATED_NUMBERS: Final = {name: which for which, (name, _) in _RELATED.items()}


def _graph(context: Context, version_id: int) -> Graph:
    def load() -> Graph:
        return version_graph(context.catalog, version_id, most=DRAWN_NODES)

    return context.facts.get(("graph", version_id), load, lambda graph: 3 * len(graph))


def _dot(context: Context, version_id: int) -> Made:
    graph = _graph(context, version_id)
    return Made(to_dot(graph).encode(), _changed(graph))


def _svg(context: Context, version_id: int) -> Made:
    graph = _graph(context, version_id)
    return Made(to_svg(graph, nodes=DRAWN_NODES, links=DRAWN_LINKS).encode(), _changed(graph))


def _json(context: Context, version_id: int) -> Made:
    graph = _graph(context, version_id)
    return Made(json.dumps(describe(graph), indent=2).encode() + b"\n", _changed(graph))


def _changed(graph: Graph) -> int:
    times = [version.created_us for version in graph.versions.values()]
    return max([*times, *(step.ended_us or step.started_us for step in graph.steps.values())])


_DOT: Final = 0
_SVG: Final = 1
_JSON: Final = 2

LINEAGE_PAGES: Final[Mapping[int, Template]] = {
    _DOT: Template(b"graph.dot", _DOT, _dot),
    _SVG: Template(b"graph.svg", _SVG, _svg),
    _JSON: Template(b"graph.json", _JSON, _json),
}
