"""The mounted tree as a whole: what an inode number stands for. A new kind of directory is a line in a table here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from artfs_mount.tree import (
    artifact,
    dot_artfs,
    inode,
    lineage,
    links,
    models,
    orders,
    run,
    runs,
    step,
    step_log,
    tags,
    version,
    visualizations,
)
from artfs_mount.tree.artifacts import ArtifactsDirectory
from artfs_mount.tree.blocking import Blocking
from artfs_mount.tree.context import Context
from artfs_mount.tree.node import PIECE, Attributes, Directory, Listing, Text, TreeNode, stale
from artfs_mount.tree.readme import Readme
from artfs_mount.tree.root import INCOMING, IncomingDirectory, Make, StateDirectory, TopDirectory

if TYPE_CHECKING:
    from artfs.workspace.workspace import Workspace

_KINDS: Final[Mapping[int, Callable[[Context, int], TreeNode]]] = {
    inode.InodeKind.FIXED: lambda context, payload: _fixed(context, payload),
    inode.InodeKind.ARTIFACT: artifact.artifact,
    inode.InodeKind.VERSION_ENTRY: version.version_entry,
    inode.InodeKind.LATEST: artifact.latest_link,
    inode.InodeKind.TAG_LINK: artifact.tag_link,
    inode.InodeKind.DOT_ARTFS: dot_artfs.DotArtfs,
    inode.InodeKind.ORDER: orders.order,
    inode.InodeKind.VERSION_TEXT: dot_artfs.version_text,
    inode.InodeKind.VISUALIZATIONS: visualizations.visualizations,
    inode.InodeKind.VISUALIZATION: visualizations.visualization,
    inode.InodeKind.PIPELINE: runs.pipeline,
    inode.InodeKind.RUN_LATEST: runs.latest_run,
    inode.InodeKind.RUN: runs.run,
    inode.InodeKind.STEPS: run.steps,
    inode.InodeKind.STEP: step.step,
    inode.InodeKind.INPUTS: step.inputs,
    inode.InodeKind.OUTPUTS: step.outputs,
    inode.InodeKind.LINEAGE_ARTIFACT: lineage.lineage_artifact,
    inode.InodeKind.LINEAGE_NODE: lineage.lineage_node,
    inode.InodeKind.RELATED: lineage.related,
    inode.InodeKind.TAG: tags.tag,
    inode.InodeKind.MODEL: models.model,
    inode.InodeKind.MODEL_VERSION: models.model_version,
    inode.InodeKind.MODEL_STAGE: models.stage_link,
    inode.InodeKind.VERSION_LINK: links.version_link_of,
    inode.InodeKind.STEP_LINK: links.step_link_of,
    inode.InodeKind.LINEAGE_LINK: links.lineage_link_of,
    inode.InodeKind.RUN_PAGE: run.run_page,
    inode.InodeKind.STEP_PAGE: step.step_page,
    inode.InodeKind.LINEAGE_PAGE: lineage.lineage_page,
    inode.InodeKind.STEP_LOG: step_log.step_log,
}

_FIXED: Final[Mapping[int, Make]] = {
    inode.Fixed.ROOT: lambda context: TopDirectory(context, _LISTED, _HIDDEN),
    inode.Fixed.README: lambda context: Readme(context.started_ns, takes_drafts=context.takes_drafts),
    inode.Fixed.ARTIFACTS: ArtifactsDirectory,
    inode.Fixed.INCOMING: IncomingDirectory,
    inode.Fixed.RUNS: runs.RunsDirectory,
    inode.Fixed.LINEAGE: lineage.LineageDirectory,
    inode.Fixed.MODELS: models.ModelsDirectory,
    inode.Fixed.TAGS: tags.TagsDirectory,
    inode.Fixed.DOT_ARTFS: StateDirectory,
    inode.Fixed.ORDERS: orders.Orders,
}

_LISTED: Final[Mapping[bytes, Make]] = {
    b"README.txt": _FIXED[inode.Fixed.README],
    b"artifacts": _FIXED[inode.Fixed.ARTIFACTS],
    INCOMING: _FIXED[inode.Fixed.INCOMING],
    b"lineage": _FIXED[inode.Fixed.LINEAGE],
    b"models": _FIXED[inode.Fixed.MODELS],
    b"runs": _FIXED[inode.Fixed.RUNS],
    b"tags": _FIXED[inode.Fixed.TAGS],
}

_HIDDEN: Final[Mapping[bytes, Make]] = {b".artfs": _FIXED[inode.Fixed.DOT_ARTFS]}


class Found(NamedTuple):
    """What a name stands for."""

    node: TreeNode
    attributes: Attributes


class Told(NamedTuple):
    """A name in a listing, with what a listing tells of it. position: as of `Entry`."""

    position: int
    name: bytes
    node: TreeNode
    attributes: Attributes


def found(directory: Directory, name: bytes) -> Found:
    """What a name stands for in a directory, with what a lookup tells of it. Raises FileNotFoundError."""
    node = directory.lookup(name)
    return Found(node, node.looked_up())


def told(listing: Listing, position: int) -> list[Told]:
    """The next piece of a listing."""
    piece = listing.after(position, PIECE)
    return [Told(entry.position, entry.name, entry.node, entry.node.listed()) for entry in piece]


class MountTree:
    """The read-only part of a mount. `node` may be called from any thread, `remember` and `forget` from one only.

    Args:
        workspace: Whose versions to show.
        status: Makes the content of `/.artfs/status.json`.
        fresh_seconds: How long the kernel may keep the name of an artifact or version that it has found. A new name is
            seen at once whatever this is, and a name never comes to mean another version; only a purged version or a
            deleted artifact stays visible for so long. At 0 every path below `/artifacts` costs two requests more.
        cached_entries: How many entries of directories to keep in memory, under 200 bytes each.
        loop_thread: The event loop's, by `threading.get_ident()`: there, whatever may take long raises WouldBlock.

    Example:
        >>> tree = MountTree(workspace, status=lambda: b"{}")
        >>> tree.root.lookup(b"artifacts").lookup(b"iris").lookup(b"latest").target()
        b'3'
    """

    def __init__(
        self,
        workspace: Workspace,
        status: Callable[[], bytes],
        *,
        fresh_seconds: float = 1.0,
        cached_entries: int = 200_000,
        loop_thread: int | None = None,
    ) -> None:
        self._context = Context(
            workspace,
            status,
            fresh_seconds=fresh_seconds,
            cached_entries=cached_entries,
            blocking=Blocking(loop_thread),
        )
        self._texts: dict[int, tuple[Text, int]] = {}

    @property
    def root(self) -> TopDirectory:
        """The top of the mount."""
        return TopDirectory(self._context, _LISTED, _HIDDEN)

    def node(self, ino: int) -> TreeNode:
        """What an inode number stands for.

        Raises:
            Stale: It stands for nothing (any more).
        """
        remembered = self._texts.get(ino)
        if remembered is not None:
            return remembered[0]
        kind, payload = inode.unpack(ino)
        make = _KINDS.get(kind)
        if make is None:
            raise stale(ino)
        return make(self._context, payload)

    def look(self) -> None:
        """Take note of what was committed. For the event loop, before it has a question asked on another thread."""
        self._context.facts.look()

    def remember(self, node: TreeNode) -> None:
        """The kernel was told of a node once more. Only generated texts that may change take memory for that."""
        if isinstance(node, Text):
            text, count = self._texts.get(node.ino, (node, 0))
            self._texts[node.ino] = text, count + 1

    def forget(self, ino: int, count: int) -> None:
        """The kernel forgot so many of the times that it was told of a node."""
        text, known = self._texts.pop(ino, (None, 0))
        if text is not None and known > count:
            self._texts[ino] = text, known - count


def _fixed(context: Context, payload: int) -> TreeNode:
    make = _FIXED.get(payload)
    if make is None:
        raise stale(payload)
    return make(context)
