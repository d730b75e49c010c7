"""Versions as rows of the catalog, and as values."""

from __future__ import annotations

from dataclasses import dataclass

from artfs.catalog.engine import Row
from artfs.catalog.sound import sound_name
from artfs.content.digest import Digest

LIVE = "live"
STAGED = "staged"
PURGED = "purged"

SEALED_BY_THEMSELVES = ("marker", "rename", "next", "ended", "quiet")
"""What makes a version of a draft when nobody asks for one: `sealed_by`."""

COLUMNS = (
    "v.id, v.uuid, v.artifact_id, a.name, v.name, v.number, v.state, v.tree_id, v.digest, v.mode, v.mtime_ns, "
    "v.files, v.bytes, v.type, v.save_type, v.materializer, v.data_type, v.trusted, v.producer_id, v.store_id, "
    "v.user_id, v.created_us, v.purged_us, v.purge_reason, v.machine_id, v.owner, v.owner_group, v.sealed_by, "
    "v.previous_id, v.self_contained, v.folder, v.folder_store_id, v.manifest"
)
FROM = "FROM version v JOIN artifact a ON a.id = v.artifact_id"
_FLAGS = tuple(map(COLUMNS.split(", ").index, ("v.trusted", "v.self_contained")))
"""Where in a row are numbers that mean yes or no."""

_Path = bytes  # `bytes` is a field of Version


@dataclass(frozen=True, slots=True)
class Version:
    """A name for a tree.

    Args:
        uuid: its name on every machine.
        artifact: name of the artifact.
        name: its number as text, or the name that was chosen; `number` if it is one.
        state: live, staged or purged.
        tree_id: what it holds; None once purged.
        digest: of the tree.
        mode, mtime_ns: of its root directory.
        files, bytes: totals of the tree.
        save_type: incoming, manual, step_output, preexisting or external.
        trusted: whether pickles in it may be loaded.
        producer_id: step run that made it.
        created_us, purged_us: microseconds since 1970 UTC; no version is older than an earlier one of its artifact.
        machine_id: machine that made it, and has its bytes while it is staged.
        owner, owner_group: names of whom its files belonged to; None: the user; no group of all.
        sealed_by: what made a draft a version: commit, or one of SEALED_BY_THEMSELVES.
        previous_id: version that the draft went on from.
        self_contained: whether no link in it leads out of it; yes for what an earlier release made.
        folder, folder_store_id: where its manifest lies, below the root of which store; None if none has been written.
        manifest: generation of that; 0 if it is still to be written.
    """

    id: int
    uuid: str
    artifact_id: int
    artifact: str
    name: str
    number: int | None
    state: str
    tree_id: int | None
    digest: Digest
    mode: int
    mtime_ns: int
    files: int
    bytes: int
    type: str
    save_type: str
    materializer: str | None
    data_type: str | None
    trusted: bool
    producer_id: int | None
    store_id: int | None
    user_id: int | None
    created_us: int
    purged_us: int | None
    purge_reason: str | None
    machine_id: int | None = None
    owner: str | None = None
    owner_group: str | None = None
    sealed_by: str | None = None
    previous_id: int | None = None
    self_contained: bool = True
    folder: _Path | None = None
    folder_store_id: int | None = None
    manifest: int = 0

    @property
    def shown_name(self) -> str:
        """How people call it: `artifact/version`."""
        return f"{self.artifact}/{self.name}"


def version_of(row: Row) -> Version:
    for what, name in (("the id of a version", row[1]), ("an artifact", row[3]), ("a version", row[4])):
        sound_name(what, name)
    values = list(row)
    for flag in _FLAGS:
        values[flag] = bool(row[flag])
    return Version(*values)
