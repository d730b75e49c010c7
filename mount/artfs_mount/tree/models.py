"""`/models`: collections of versions under one name, read afresh each time.

/models/<model>/<version>/<artifact>   -> the newest of the artifact's versions that are in it
/models/<model>/<stage>                -> the version that is in staging or production; also `latest`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from artfs.enums import ModelStages
from artfs_mount.tree import inode
from artfs_mount.tree.links import many_version_facts
from artfs_mount.tree.listing import FixedDirectory, HasTime, LinkDirectory, TableDirectory
from artfs_mount.tree.node import Link, Listing, TreeNode, as_text, no_entry, stale

if TYPE_CHECKING:
    from artfs.catalog.lineage import VersionFacts
    from artfs.catalog.listings import Named
    from artfs.catalog.models import ModelVersion
    from artfs_mount.tree.context import Context

LINK_UPS: Final = 3
LINKED: Final = (ModelStages.LATEST, ModelStages.PRODUCTION, ModelStages.STAGING)
"""The words that stand beside the versions. Their order is that of inode numbers: new ones come last."""


class ModelsDirectory(TableDirectory):
    """The directory of models."""

    __slots__ = ()
    number = inode.Fixed.MODELS

    def _row(self, name: str) -> HasTime | None:
        return self._context.catalog.models.get(name)

    def _rows(self, after: int, most: int) -> Sequence[Named]:
        return self._context.catalog.listings.models(after, most)

    def _child(self, row: HasTime) -> TreeNode:
        return ModelDirectory(self._context, row.id, row.created_us)


class ModelDirectory(LinkDirectory):
    """The directory of a model's versions. Versions and stages may go, so that the kernel does not keep their names."""

    __slots__ = ("_id",)
    name_seconds = 0.0

    def __init__(self, context: Context, model_id: int, created_us: int) -> None:
        super().__init__(context, inode.pack(inode.InodeKind.MODEL, model_id), created_us)
        self._id = model_id

    def lookup(self, name: bytes) -> TreeNode:
        text = as_text(name)
        if text in LINKED:
            link = _stage_link(self._context, self._id, ModelStages(text))
            if link is None:
                raise no_entry(name)
            return link
        row = self._context.catalog.models.version(self._id, text)
        if row is None:
            raise no_entry(name)
        return _directory(self._context, row)

    def listing(self) -> Listing:
        self._context.may_wait()
        return FixedDirectory(self._entries())

    def _entries(self) -> Iterator[tuple[bytes, TreeNode]]:
        for row in self._context.catalog.models.versions(self._id):
            yield row.name.encode(), _directory(self._context, row)
        for stage in LINKED:
            link = _stage_link(self._context, self._id, stage)
            if link is not None:
                yield stage.value.encode(), link


class ModelVersionDirectory(LinkDirectory):
    """The directory of a model's version: a link for each artifact that has a version in it."""

    __slots__ = ("_id",)
    name_seconds = 0.0

    def __init__(self, context: Context, model_version_id: int, created_us: int) -> None:
        super().__init__(context, inode.pack(inode.InodeKind.MODEL_VERSION, model_version_id), created_us)
        self._id = model_version_id

    def lookup(self, name: bytes) -> TreeNode:
        self._context.may_wait()  # it looks at all versions that are in it
        newest = self._context.catalog.models.newest_of(self._id, as_text(name))
        if newest is None:
            raise no_entry(name)
        [facts] = many_version_facts(self._context, [newest])
        return _link(facts)

    def listing(self) -> Listing:
        self._context.may_wait()
        ids = list(self._context.catalog.models.version_ids(self._id))
        newest = {facts.artifact: facts for facts in many_version_facts(self._context, ids)}
        return FixedDirectory((artifact.encode(), _link(facts)) for artifact, facts in newest.items())


def model(context: Context, payload: int) -> ModelDirectory:
    """The directory of an inode number."""
    row = context.catalog.models.by_id(payload)
    if row is None:
        raise stale(payload)
    return ModelDirectory(context, row.id, row.created_us)


def model_version(context: Context, payload: int) -> ModelVersionDirectory:
    """The directory of an inode number."""
    row = context.catalog.models.version_by_id(payload)
    if row is None:
        raise stale(payload)
    return _directory(context, row)


def stage_link(context: Context, payload: int) -> Link:
    """The link of a stage, of an inode number."""
    model_id, which = inode.unpack_pair(payload, inode.WHICH_BITS)
    link = _stage_link(context, model_id, LINKED[which]) if which < len(LINKED) else None
    if link is None:
        raise stale(payload)
    return link


def _directory(context: Context, row: ModelVersion) -> ModelVersionDirectory:
    return ModelVersionDirectory(context, row.id, row.created_us)


def _stage_link(context: Context, model_id: int, stage: ModelStages) -> Link | None:
    rows = context.catalog.models
    row = rows.latest(model_id) if stage is ModelStages.LATEST else rows.in_stage(model_id, stage)
    if row is None:
        return None
    ino = inode.pack_pair(inode.InodeKind.MODEL_STAGE, model_id, LINKED.index(stage), inode.WHICH_BITS)
    return Link(ino, row.name.encode(), row.created_us * 1000)


def _link(facts: VersionFacts) -> Link:
    """The link to a version. Its name may come to mean a newer one, so that the kernel does not keep it."""
    target = f"{'../' * LINK_UPS}artifacts/{facts.artifact}/{facts.name}".encode()
    return Link(inode.link(inode.InodeKind.VERSION_LINK, LINK_UPS, facts.id), target, facts.created_us * 1000)
