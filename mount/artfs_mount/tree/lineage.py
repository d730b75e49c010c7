"""`/lineage`: for every version a node that leads to what it came from and to what was made of it.

`upstream` is the only link from one node to another. What a version was made from is always older than it, so a walk
that follows links ends and meets no loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from artfs.describe.graph import graph as describe
from artfs.errors import VersionNotFound
from artfs.lineage.dot import to_dot
from artfs.lineage.graph import Graph, version_graph
from artfs.lineage.svg import to_svg
from artfs_mount.tree import inode
from artfs_mount.tree.blocking import Slow
from artfs_mount.tree.file_names import step_name, version_name
from artfs_mount.tree.generated import GeneratedFile, GeneratedText, Template, drawn, page_of
from artfs_mount.tree.links import (
    lineage_link,
    many_step_facts,
    many_version_facts,
    step_called,
    step_facts,
    step_link,
    version_called,
    version_facts,
    version_link,
)
from artfs_mount.tree.listing import FixedDirectory, HasTime, LinkDirectory, Numbered, TableDirectory
from artfs_mount.tree.node import (
    DIRECTORY_MODE,
    FOREVER,
    Attributes,
    Directory,
    Listing,
    TreeNode,
    as_text,
    no_entry,
    stale,
)
from artfs_mount.tree.run import DRAWN_LINKS, DRAWN_NODES

if TYPE_CHECKING:
    from artfs.catalog.lineage import Lineage as LineageTable
    from artfs.catalog.lineage import VersionFacts
    from artfs.catalog.listings import Named
    from artfs_mount.tree.context import Context

NODE_UPS: Final = 3
RELATED_UPS: Final = 4
"""From a node, and from a directory in it, to the top."""
_PRODUCER: Final = b"producer"
_ARTIFACT: Final = b"artifact"


class LineageDirectory(TableDirectory):
    """The directory of artifacts."""

    __slots__ = ()
    number = inode.Fixed.LINEAGE

    def _row(self, name: str) -> HasTime | None:
        return self._context.catalog.artifacts.get(name)

    def _rows(self, after: int, most: int) -> Sequence[Named]:
        return self._context.catalog.listings.artifacts(after, most)

    def _child(self, row: HasTime) -> TreeNode:
        return LineageArtifactDirectory(self._context, row.id, row.created_us)


class LineageArtifactDirectory(Directory):
    """The directory of an artifact's versions, also of those that were purged."""

    __slots__ = ("_context", "_created_us", "_id")

    def __init__(self, context: Context, artifact_id: int, created_us: int) -> None:
        self.ino = inode.pack(inode.InodeKind.LINEAGE_ARTIFACT, artifact_id)
        self._context = context
        self._id = artifact_id
        self._created_us = created_us

    def attributes(self) -> Attributes:
        fresh = self._context.fresh_seconds
        return Attributes(self.ino, DIRECTORY_MODE, 0, self._created_us * 1000, 1, fresh, fresh)

    def lookup(self, name: bytes) -> TreeNode:
        version = self._context.catalog.versions.get(self._id, as_text(name))
        if version is None:
            raise no_entry(name)
        return LineageNodeDirectory(self._context, version_facts(self._context, version.id))

    def listing(self) -> Listing:
        self._context.may_wait()
        return Numbered(self._context, self._context.catalog.listings.version_ids(self._id), self._entries)

    def _entries(self, ids: list[int]) -> Iterator[tuple[int, bytes, TreeNode]]:
        for facts in many_version_facts(self._context, ids):
            yield facts.id, facts.name.encode(), LineageNodeDirectory(self._context, facts)


class LineageNodeDirectory(Directory):
    """The node of a version."""

    __slots__ = ("_context", "_version")

    def __init__(self, context: Context, version: VersionFacts) -> None:
        self.ino = inode.pack(inode.InodeKind.LINEAGE_NODE, version.id)
        self._context = context
        self._version = version

    def attributes(self) -> Attributes:
        changed_ns = self._version.created_us * 1000
        return Attributes(self.ino, DIRECTORY_MODE, 0, changed_ns, 1, FOREVER, self._context.fresh_seconds)

    def lookup(self, name: bytes) -> TreeNode:
        if name == _ARTIFACT:
            return version_link(self._context, NODE_UPS, self._version)
        if name == _PRODUCER and self._version.producer_id is not None:
            return step_link(self._context, NODE_UPS, step_facts(self._context, self._version.producer_id))
        if name in _RELATED_NUMBERS:
            return Related(self._context, self._version, _RELATED_NUMBERS[name])
        for template in LINEAGE_PAGES.values():
            if template.name == name:
                version = self._version
                return GeneratedFile(
                    self._context, inode.InodeKind.LINEAGE_PAGE, version.id, template, version.created_us
                )
        raise no_entry(name)

    def listing(self) -> Listing:
        producer = [] if self._version.producer_id is None else [_PRODUCER]
        pages = [template.name for template in LINEAGE_PAGES.values()]
        return FixedDirectory((name, self.lookup(name)) for name in (_ARTIFACT, *producer, *_RELATED_NUMBERS, *pages))


class Related(LinkDirectory):
    """A directory of links in a node: one of `_RELATED`."""

    __slots__ = ("_relation", "_version")

    def __init__(self, context: Context, version: VersionFacts, which: int) -> None:
        ino = inode.pack_pair(inode.InodeKind.RELATED, version.id, which, inode.WHICH_BITS)
        super().__init__(context, ino, version.created_us)
        self._version = version
        self._relation = _RELATED[which]

    def lookup(self, name: bytes) -> TreeNode:
        found = self._relation.find(self._context, self._version.id, name)
        return found if found is not None else self.long_named(name)

    def listing(self) -> Listing:
        self._context.may_wait()
        ids = self._relation.ids(self._context.catalog.lineage, self._version.id)
        return Numbered(self._context, ids, partial(self._relation.entries, self._context))


def lineage_artifact(context: Context, payload: int) -> LineageArtifactDirectory:
    """The directory of an inode number."""
    row = context.catalog.artifacts.by_id(payload)
    if row is None:
        raise stale(payload)
    return LineageArtifactDirectory(context, row.id, row.created_us)


def lineage_node(context: Context, payload: int) -> LineageNodeDirectory:
    """The node of an inode number."""
    return LineageNodeDirectory(context, version_facts(context, payload))


def related(context: Context, payload: int) -> Related:
    """The directory of an inode number."""
    version_id, which = inode.unpack_pair(payload, inode.WHICH_BITS)
    if which not in _RELATED:
        raise stale(payload)
    return Related(context, version_facts(context, version_id), which)


def lineage_page(context: Context, payload: int) -> TreeNode:
    """The generated file of an inode number."""
    return page_of(context, inode.InodeKind.LINEAGE_PAGE, payload, LINEAGE_PAGES)


def lineage_picture(context: Context, version_id: int, created_us: int) -> GeneratedFile:
    """`graph.svg` of a version's node, for `.artfs/lineage.svg`."""
    return GeneratedFile(context, inode.InodeKind.LINEAGE_PAGE, version_id, LINEAGE_PAGES[_SVG], created_us)


@dataclass(frozen=True)
class _Relation:
    """A kind of related things.

    Args:
        name: of the directory.
        ids: row ids of all that are related to a version so.
        entries: the links to some of them.
        find: the link of a name; None for what is not related so, and for names too long to be looked for.
    """

    name: bytes
    ids: Callable[[LineageTable, int], Sequence[int]]
    entries: Callable[[Context, list[int]], Iterator[tuple[int, bytes, TreeNode]]]
    find: Callable[[Context, int, bytes], TreeNode | None]


def _steps(context: Context, ids: list[int]) -> Iterator[tuple[int, bytes, TreeNode]]:
    for step in many_step_facts(context, ids):
        yield step.id, step_name(step.pipeline, step.run, step.name), step_link(context, RELATED_UPS, step)


def _consumer(context: Context, version_id: int, name: bytes) -> TreeNode | None:
    step = step_called(context, name)
    if step is None or not context.catalog.lineage.is_read(version_id, step.id):
        return None
    return step_link(context, RELATED_UPS, step)


def _nodes(context: Context, ids: list[int]) -> Iterator[tuple[int, bytes, TreeNode]]:
    for facts in many_version_facts(context, ids):
        yield facts.id, version_name(facts.artifact, facts.name), lineage_link(context, facts)


def _input(context: Context, version_id: int, name: bytes) -> TreeNode | None:
    facts = version_called(context, name)
    if facts is None or not context.catalog.lineage.is_upstream(facts.id, version_id):
        return None
    return lineage_link(context, facts)


def _versions(context: Context, ids: list[int]) -> Iterator[tuple[int, bytes, TreeNode]]:
    for facts in many_version_facts(context, ids):
        yield facts.id, version_name(facts.artifact, facts.name), version_link(context, RELATED_UPS, facts)


def _version(is_so: Callable[[LineageTable, int, int], bool]) -> Callable[[Context, int, bytes], TreeNode | None]:
    def find(context: Context, version_id: int, name: bytes) -> TreeNode | None:
        facts = version_called(context, name)
        context.may_wait()
        if facts is None or not is_so(context.catalog.lineage, facts.id, version_id):
            return None
        return version_link(context, RELATED_UPS, facts)

    return find


_RELATED: Final[Mapping[int, _Relation]] = {
    0: _Relation(b"consumers", lambda table, id_: table.consumers(id_), _steps, _consumer),
    1: _Relation(b"upstream", lambda table, id_: table.upstream(id_), _nodes, _input),
    2: _Relation(
        b"downstream",
        lambda table, id_: table.downstream(id_),
        _versions,
        _version(lambda table, other, id_: table.is_input(id_, other)),
    ),
    3: _Relation(
        b"ancestors",
        lambda table, id_: table.ancestors(id_),
        _versions,
        _version(lambda table, other, id_: table.is_ancestor(other, id_)),
    ),
    4: _Relation(
        b"descendants",
        lambda table, id_: table.descendants(id_),
        _versions,
        _version(lambda table, other, id_: table.is_ancestor(id_, other)),
    ),
}
_RELATED_NUMBERS: Final = {relation.name: which for which, relation in _RELATED.items()}


def _drawn(which: int, draw: Callable[[Graph], str]) -> Callable[[Context, int], GeneratedText]:
    def make(context: Context, version_id: int) -> GeneratedText:
        try:
            graph = version_graph(context.catalog, version_id, most=DRAWN_NODES)
        except VersionNotFound:
            raise stale(version_id) from None
        return GeneratedText(drawn(context, ("version", version_id, which), graph, draw), _changed(graph))

    return make


def _svg(graph: Graph) -> str:
    return to_svg(graph, nodes=DRAWN_NODES, links=DRAWN_LINKS)


def _json(graph: Graph) -> str:
    return json.dumps(describe(graph), indent=2) + "\n"


def _changed(graph: Graph) -> int:
    times = [version.created_us for version in graph.versions.values()]
    return max([*times, *(step.ended_us or step.started_us for step in graph.steps.values())])


_DOT: Final = 0
_SVG: Final = 1
_JSON: Final = 2

LINEAGE_PAGES: Final[Mapping[int, Template]] = {
    _DOT: Template(b"graph.dot", _DOT, _drawn(_DOT, to_dot), Slow.MAKING),
    _SVG: Template(b"graph.svg", _SVG, _drawn(_SVG, _svg), Slow.MAKING),
    _JSON: Template(b"graph.json", _JSON, _drawn(_JSON, _json), Slow.MAKING),
}
