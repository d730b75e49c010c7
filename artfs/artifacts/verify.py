"""Whether the bytes of versions are what was stored: all of them read again, or only looked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artfs.artifacts.lookup import is_removed
from artfs.blobs.memory import Memory
from artfs.blobs.places import Candidate
from artfs.blobs.reader import BlobReader
from artfs.content.digest import BLOCK_SIZE, Digest, format_digest, hash_all
from artfs.enums import ArtifactSaveType
from artfs.errors import ArtfsError, CatalogCorrupt, StoreError
from artfs.names import MANIFEST, PICTURES

if TYPE_CHECKING:
    from artfs.catalog.blobs import Blob
    from artfs.catalog.versions import Version
    from artfs.stores.base import PlaceReader
    from artfs.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Damage:
    """Something of a version that is not what was stored.

    Args:
        version: it is in, as `artifact/version`.
        path: of the file in the version; empty when it is the catalog's list of files.
        place: where the bytes lie that are wrong; None when there are none.
        reason: what is wrong.
        unreachable: the place is in a store that cannot be used now, and nothing is known to be wrong with the bytes.
    """

    version: str
    path: bytes
    place: str | None
    reason: str
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class _Look:
    """A place of a content, and why it is not good.

    Args:
        place: of the bytes; None when there are none.
        owned: whether artfs wrote them.
        reason: None if it is good.
        unreachable: as of `Damage`.
    """

    place: str | None
    owned: bool
    reason: str | None
    unreachable: bool = False


def verify(
    workspace: Workspace, versions: Iterable[Version], advance: Callable[[int], None] = lambda done: None
) -> Iterator[Damage]:
    """Compare every file of versions with its digest, in every place where it lies, and yield what is wrong.

    Content that several files share is read once. A version is damaged only if a file has no good place left, but a
    bad copy is told too: it is one failure away from damage. The lists of pieces are not looked at: one that is wrong
    or gone is noticed when it is used, and costs speed and nothing else.

    Args:
        workspace: where they are.
        versions: what to read; tombstones have nothing to read.
        advance: called with the number of bytes of the versions that were dealt with since the last call.
    """
    # What a crash took of small files is written again, and is no damage.
    if workspace.home.is_writable:
        workspace.syncing.try_to_sync()
    known: dict[Digest, list[_Look]] = {}
    for version in versions:
        damages: list[Damage] = []
        try:
            damages += _damages(workspace, version, known, advance)
            damages += _manifest_damages(workspace, version)
        except CatalogCorrupt as error:
            damages.append(Damage(version.shown_name, b"", None, str(error)))
        # One that was purged in the meantime has lost its bytes on purpose.
        if damages and not is_removed(workspace.catalog, version):
            yield from damages


def bytes_are_there(workspace: Workspace, version: Version) -> bool:
    """Answer whether every file of a version has a place of the right size. Digests are checked when it is read."""
    if version.tree_id is None:
        return False
    checked: set[int] = set()
    for _, entry in workspace.catalog.trees.walk(version.tree_id):
        if entry.blob_id is None or entry.blob_id in checked:
            continue
        checked.add(entry.blob_id)
        if not _is_there(workspace, entry.blob_id, entry.size):
            return False
    return True


def _damages(
    workspace: Workspace,
    version: Version,
    known: dict[Digest, list[_Look]],
    advance: Callable[[int], None],
) -> Iterator[Damage]:
    """What is wrong with one version; `known` are the places of the contents that were read already."""
    if version.tree_id is None:
        return
    name = version.shown_name
    tree = workspace.catalog.trees.load(version.tree_id)
    if tree.digest != version.digest:
        found, wanted = format_digest(tree.digest), format_digest(version.digest)
        yield Damage(name, b"", None, f"the catalog lists other files: {found} instead of {wanted}")
    told: set[str] = set()
    contents = [(path, entry.file.digest, entry.file.size) for path, entry in tree.walk() if entry.file is not None]
    shown = workspace.catalog.visualizations.list(version.id)
    contents += [(PICTURES + each.name.encode(), each.digest, 0) for each in shown]
    for path, digest, size in contents:
        if digest not in known:
            known[digest] = list(_looks(workspace, digest, advance if size else lambda done: None))
        else:
            advance(size)
        for problem in _problems_of(known[digest], version, path):
            assert problem.reason is not None
            if not problem.unreachable:
                yield Damage(name, path, problem.place, problem.reason)
            elif problem.reason not in told:
                # Once a version: a disk that is not mounted would be told for each of its files.
                told.add(problem.reason)
                yield Damage(name, b"", None, problem.reason, unreachable=True)


def _manifest_damages(workspace: Workspace, version: Version) -> Iterator[Damage]:
    """What is wrong with the manifest of a version. One that a crash took is written again, and is no damage."""
    if not version.manifest or version.tree_id is None:
        return
    manifests, place = workspace.manifests, os.fsdecode((version.folder or b"") + b"/" + MANIFEST)
    try:
        if workspace.home.is_writable:
            manifests.mend(version)
        wrong = manifests.differences(version)
    except StoreError:
        return  # its files say so
    except (ArtfsError, OSError) as error:
        wrong = [str(error)]
    if wrong:
        yield Damage(version.shown_name, MANIFEST, place, f"the store says other things than the catalog: {wrong[0]}")


def _problems_of(looks: Sequence[_Look], version: Version, path: bytes) -> list[_Look]:
    """What concerns a file of a version among the places of its content.

    Bytes that artfs wrote and data that a user registered may be equal. What becomes of the one is no damage of the
    other, as long as its own places are good.
    """
    if version.save_type == ArtifactSaveType.PREEXISTING:
        own = [look for look in looks if look.place is not None and not look.owned and _ends_with(look.place, path)]
        relevant = own or looks
        is_good = any(look.reason is None for look in relevant)
        return [] if is_good else [look for look in relevant if look.reason is not None]
    relevant = [look for look in looks if look.owned] or looks
    return [look for look in relevant if look.reason is not None]


def _ends_with(place: str, path: bytes) -> bool:
    return os.fsencode(place).endswith(b"/" + path)


def _looks(workspace: Workspace, digest: Digest, advance: Callable[[int], None]) -> Iterator[_Look]:
    """The places of a blob, and which are not good, and why."""
    blob = workspace.catalog.blobs.get(digest)
    candidates = workspace.blobs.places.of(blob.id) if blob is not None else []
    if blob is None or not candidates:
        yield _Look(None, True, "its bytes are in no store")
        return
    for number, candidate in enumerate(candidates):
        # Only the first place counts as progress: the total is that of the files.
        try:
            reason = _why_not_good(blob, candidate, advance if number == 0 else lambda done: None)
        except StoreError as error:
            yield _Look(candidate.shown, candidate.owned, str(error), unreachable=True)
            continue
        yield _Look(candidate.shown, candidate.owned, reason)


def _why_not_good(blob: Blob, candidate: Candidate, advance: Callable[[int], None]) -> str | None:
    try:
        if blob.kind != "content":
            _read_identity(blob, candidate, advance)
            return None
        with candidate.open() as reader:
            if reader.size != blob.size:
                return f"it has {reader.size} bytes instead of {blob.size}"
            found = hash_all(_blocks(reader, blob.size, advance))
    except StoreError:
        raise
    except OSError as error:
        return str(error) if isinstance(error, ArtfsError) else error.strerror or str(error)
    if found == blob.digest:
        return None
    changed = "" if candidate.owned else "it was changed since it was registered: "
    return f"{changed}it is {format_digest(found)} instead of {format_digest(blob.digest)}"


def _blocks(reader: PlaceReader, size: int, advance: Callable[[int], None]) -> Iterator[bytes]:
    for start in range(0, size, BLOCK_SIZE):
        block = reader.pread(start, BLOCK_SIZE)
        yield block
        advance(len(block))


def _read_identity(blob: Blob, candidate: Candidate, advance: Callable[[int], None]) -> None:
    """Data whose digest is not known: that it can be read and has kept its size and time is all there is to see."""
    with BlobReader(blob.file, [candidate], memory=Memory(0), has_digest=False) as reader:
        for start in range(0, blob.size, BLOCK_SIZE):
            advance(len(reader.read(start, BLOCK_SIZE)))


def _is_there(workspace: Workspace, blob_id: int, size: int) -> bool:
    for candidate in workspace.blobs.places.of(blob_id):
        try:
            with candidate.open() as reader:
                if reader.size == size:
                    return True
        except OSError:
            continue
    return False
