"""Reading all bytes of versions again, to find those that are not what was stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artfs.artifacts.lookup import is_removed, shown_name
from artfs.content.digest import BLOCK_SIZE, Digest, Hasher, format_digest
from artfs.errors import ArtfsError, CatalogCorrupt
from artfs.stores.verified import BlobReader, BlockCache, Candidate

if TYPE_CHECKING:
    from artfs.catalog.blobs import Blob
    from artfs.catalog.versions import Version
    from artfs.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Damage:
    """Something of a version that is not what was stored.

    Args:
        version: it is in, as `artifact/version`.
        path: of the file in the version; empty when it is the catalog's list of files.
        place: where the bytes lie that are wrong; None when there are none.
        reason: what is wrong.
    """

    version: str
    path: bytes
    place: str | None
    reason: str


def verify(
    workspace: Workspace, versions: Iterable[Version], advance: Callable[[int], None] = lambda done: None
) -> Iterator[Damage]:
    """Compare every file of versions with its digest, in every place where it lies, and yield what is wrong.

    Content that several files share is read once. A version is damaged only if a file has no good place left, but a
    bad copy is told too: it is one failure away from damage.

    Args:
        workspace: where they are.
        versions: what to read; tombstones have nothing to read.
        advance: called with the number of bytes of the versions that were dealt with since the last call.
    """
    # What a crash took of small files is written again, and is no damage.
    workspace.syncing.try_to_sync()
    known: dict[Digest, list[tuple[str | None, str]]] = {}
    for version in versions:
        damages: list[Damage] = []
        try:
            damages += _damages(workspace, version, known, advance)
        except CatalogCorrupt as error:
            damages.append(Damage(shown_name(version), b"", None, str(error)))
        # One that was purged in the meantime has lost its bytes on purpose.
        if damages and not is_removed(workspace.catalog, version):
            yield from damages


def _damages(
    workspace: Workspace,
    version: Version,
    known: dict[Digest, list[tuple[str | None, str]]],
    advance: Callable[[int], None],
) -> Iterator[Damage]:
    """What is wrong with one version; `known` are the problems of the contents that were read already."""
    if version.tree_id is None:
        return
    name = shown_name(version)
    tree = workspace.catalog.trees.load(version.tree_id)
    if tree.digest != version.digest:
        found, wanted = format_digest(tree.digest), format_digest(version.digest)
        yield Damage(name, b"", None, f"the catalog lists other files: {found} instead of {wanted}")
    for path, entry in tree.walk():
        if entry.file is None:
            continue
        digest = entry.file.digest
        if digest not in known:
            known[digest] = list(_problems(workspace, digest, advance))
        else:
            advance(entry.file.size)
        yield from (Damage(name, path, place, reason) for place, reason in known[digest])


def _problems(workspace: Workspace, digest: Digest, advance: Callable[[int], None]) -> Iterator[tuple[str | None, str]]:
    """The places of a blob that are not good, and why."""
    blob = workspace.catalog.blobs.get(digest)
    candidates = workspace.candidates(blob.id) if blob is not None else []
    if blob is None or not candidates:
        yield None, "its bytes are in no store"
        return
    for number, candidate in enumerate(candidates):
        # Only the first place counts as progress: the total is that of the files.
        reason = _problem(blob, candidate, advance if number == 0 else lambda done: None)
        if reason is not None:
            yield candidate.shown, reason


def _problem(blob: Blob, candidate: Candidate, advance: Callable[[int], None]) -> str | None:
    try:
        if blob.kind != "content":
            _read_identity(blob, candidate, advance)
            return None
        with candidate.open() as reader:
            if reader.size != blob.size:
                return f"it has {reader.size} bytes instead of {blob.size}"
            hasher = Hasher()
            for start in range(0, blob.size, BLOCK_SIZE):
                piece = reader.pread(start, BLOCK_SIZE)
                hasher.update(piece)
                advance(len(piece))
    except OSError as error:
        return str(error) if isinstance(error, ArtfsError) else error.strerror or str(error)
    found = hasher.finish()
    if found.digest == blob.digest:
        return None
    changed = "" if candidate.owned else "it was changed since it was registered: "
    return f"{changed}it is {format_digest(found.digest)} instead of {format_digest(blob.digest)}"


def _read_identity(blob: Blob, candidate: Candidate, advance: Callable[[int], None]) -> None:
    """Data whose digest is not known: that it can be read and has kept its size and time is all there is to see."""
    with BlobReader(blob.file, [candidate], cache=BlockCache(0), has_digest=False) as reader:
        for start in range(0, blob.size, BLOCK_SIZE):
            advance(len(reader.read(start, BLOCK_SIZE)))
