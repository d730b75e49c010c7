"""A version to be, as a value: what it says of itself, and where the bytes lie that it brings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from artfs.catalog.blobs import Place
from artfs.catalog.version_rows import LIVE
from artfs.content.digest import Digest, FileDigest
from artfs.content.tree import Tree
from artfs.errors import InvalidValue
from artfs.names import check_version_name


@dataclass(frozen=True, slots=True)
class NewVisualization:
    """What shows a version to people.

    Args:
        name: file name below the version's `.artfs/visualizations`.
        kind: csv, html, image, markdown or json.
        file: its content.
    """

    name: str
    kind: str
    file: FileDigest


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a version to be says of itself.

    Args:
        artifact: its artifact, which is made if there is none.
        tree: what it holds.
        uuid: its id, chosen by whoever makes it, who names its folder after it.
        name: chosen name; None for the next number.
        tags, metadata: that it has from the beginning.
        state: `live`, or `staged` when bytes are still to be uploaded.
        mode, mtime_ns: of its root directory.
        type: what it is for people.
        save_type: incoming, manual, step_output, preexisting or external. Only preexisting versions may rest on bytes
            that the user registered in place; for all others those bytes do not count as there.
        materializer, data_type: classes that wrote it, and of the value.
        trusted: whether pickles in it may be loaded.
        producer_id: the step run that makes it.
        store_id: its own store; None in place.
        user: login name of whoever makes it.
        owner, owner_group, sealed_by, previous_id, self_contained, folder, folder_store_id, manifest: as of `Version`.
        visualizations: what shows it to people.
    """

    artifact: str
    tree: Tree
    uuid: str
    name: str | None = None
    tags: Sequence[str] = ()
    state: str = LIVE
    mode: int = 0o755
    mtime_ns: int = 0
    type: str = "DataArtifact"
    save_type: str = "manual"
    materializer: str | None = None
    data_type: str | None = None
    trusted: bool = False
    producer_id: int | None = None
    store_id: int | None = None
    user: str | None = None
    owner: str | None = None
    owner_group: str | None = None
    sealed_by: str | None = None
    previous_id: int | None = None
    self_contained: bool = True
    folder: bytes | None = None
    folder_store_id: int | None = None
    manifest: int = 0
    metadata: Mapping[str, object] = field(default_factory=dict)
    visualizations: Sequence[NewVisualization] = ()

    def check(self) -> None:
        """Raise InvalidName or InvalidValue if it cannot become a version."""
        if self.name is not None:
            check_version_name(self.name)
        if self.state not in (LIVE, "staged"):
            raise InvalidValue(f"a version cannot begin as '{self.state}'")


@dataclass(frozen=True, slots=True)
class NewContents:
    """The bytes of a version to be.

    Args:
        places: where those lie that the catalog does not have yet.
        also_at: where else they lie.
        unsynced: the bytes of those contents whose files are not on stable storage yet: they are committed too.
    """

    places: Mapping[Digest, Place]
    also_at: Collection[tuple[Digest, Place]] = ()
    unsynced: Mapping[Digest, bytes] = field(default_factory=dict)
