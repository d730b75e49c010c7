"""A directory in which all files of a version stand, each compared with its digest.

Mostly that is where the version's bytes lie anyway. When they are shared with other versions, or lie in several places,
it is a *view*: links under the cache, made once for each version and checked again whenever it is used.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from artfs.artifacts.compare import Compare, StoredFile
from artfs.artifacts.metadata import REGISTERED_FROM
from artfs.content.digest import BLOCK_SIZE
from artfs.content.files import remove_tree, write_all
from artfs.content.long_paths import reachable
from artfs.content.tree import EntryKind
from artfs.enums import ArtifactSaveType
from artfs.errors import ArtfsError, DigestMismatch, PlaceChanged, StoreError, VersionNotFound
from artfs.names import RESERVED_PREFIX
from artfs.stores.local.store import LocalStore, local_path

if TYPE_CHECKING:
    from artfs.catalog.blobs import BlobPlace
    from artfs.catalog.trees import EntryRow
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

_OWN = RESERVED_PREFIX.encode()
_NO_LINK = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True, slots=True)
class _Choice:
    """A file, and the place that its bytes are taken from."""

    file: StoredFile
    place: BlobPlace
    shown: str


def checkout(
    workspace: Workspace, version: Version, *, only_looked_up: bool = False, alone: bool = True, lasting: bool = False
) -> Path:
    """Return a directory in which all files of a version stand, after comparing each with its digest.

    The files may be the store's own: never write to them.

    Args:
        only_looked_up: nobody reads the files now, so that for large data in place which this process has compared
            before, its size and times will do.
        alone: nothing else is in it, not even the version's manifest: whoever gets it looks around there.
        lasting: nothing else will come to be in it either, as a manifest does late in the version's own folder.

    Raises:
        VersionNotFound: the version was purged.
        DigestMismatch, PlaceChanged: a file is not what was stored; the line names it.
        StoreError: the bytes of a file are nowhere, or in a store that cannot be used now.
    """
    current = workspace.catalog.versions.by_id(version.id)
    if current is None or current.tree_id is None:
        raise VersionNotFound(f"version {version.shown_name} was removed", subject=version.shown_name)
    rows = list(workspace.catalog.trees.walk(current.tree_id))
    files = _files(workspace, current, rows)
    compare = Compare(workspace, only_looked_up)
    directory = _common_directory(workspace, current, files)
    may_stay = current.store_id is None or not lasting
    if directory is not None and may_stay and _holds_exactly(directory, rows, alone=alone):
        failures = compare.failures(files, lambda file: os.path.join(directory, os.fsdecode(file.path)))
        if not failures:
            return Path(directory)
    return _view(workspace, version, rows, files, compare)


def location(workspace: Workspace, version: Version) -> str:
    """Return the directory that all files of a version are in, or its `artfs://` URI where they are in several."""
    current = workspace.catalog.versions.by_id(version.id)
    uri = f"artfs://{version.shown_name}"
    if current is None or current.tree_id is None:
        return uri
    files = _files(workspace, current, list(workspace.catalog.trees.walk(current.tree_id)))
    return _common_directory(workspace, current, files) or uri


def drop_view(workspace: Workspace, version_uuid: str) -> None:
    """Remove the view of a version, if there is one, so that it keeps no bytes alive."""
    _remove(_view_path(workspace, version_uuid))


def _files(workspace: Workspace, version: Version, rows: Sequence[tuple[bytes, EntryRow]]) -> list[StoredFile]:
    return [_file(workspace, version, path, row.blob_id) for path, row in rows if row.blob_id is not None]


def _file(workspace: Workspace, version: Version, path: bytes, blob_id: int) -> StoredFile:
    blob = workspace.catalog.blobs.by_id(blob_id)
    assert blob is not None
    places = _places(workspace, blob_id)
    if version.save_type == ArtifactSaveType.PREEXISTING:
        # What was registered is where the user has it, also when a store has the same.
        places.sort(key=lambda at: at[0].owned)
    return StoredFile(path, blob_id, blob.file if blob.kind == "content" else None, places)


def _places(workspace: Workspace, blob_id: int) -> list[tuple[BlobPlace, str]]:
    """The places of a content with the full path or URI of each, without those in stores that are away.

    Raises StoreError if there are no others.
    """
    found: list[tuple[BlobPlace, str]] = []
    away: StoreError | None = None
    for place in workspace.catalog.blobs.places(blob_id):
        if place.store_id is None:
            found.append((place, os.fsdecode(place.path)))
            continue
        store = workspace.stores.by_id(place.store_id)
        try:
            store.check_there()
        except StoreError as error:
            away = error
        else:
            found.append((place, store.place_path(place.path)))
    if away is not None and not found:
        raise away
    return found


def _common_directory(workspace: Workspace, version: Version, files: Sequence[StoredFile]) -> str | None:
    """The local directory that all files are in, each under the path that it has in the version."""
    same: dict[object, list[StoredFile]] = defaultdict(list)
    for file in files:
        # Of registered files that are equal, the place of one is recorded.
        same[file.blob_id if version.save_type == ArtifactSaveType.PREEXISTING else file.path].append(file)
    common: list[str] | None = None
    for equal in same.values():
        paths = [path for _, shown in equal[0].places if (path := local_path(shown)) is not None]
        endings = ["/" + os.fsdecode(file.path) for file in equal]
        found = [path[: -len(ending)] for path in paths for ending in endings if path.endswith(ending)]
        common = found if common is None else [each for each in common if each in found]
        if not common:
            return None
    if common and len(common) > 1 and (registered := workspace.catalog.metadata.value(version.id, REGISTERED_FROM)):
        # Folders that hold the same were registered: this version is the one that the user named.
        return next((each for each in common if each == registered.value), common[0])
    return common[0] if common else None


def _holds_exactly(
    directory: str, rows: Sequence[tuple[bytes, EntryRow]], *, links_are_files: bool = False, alone: bool = True
) -> bool:
    """Whether the entries of a directory, at any depth, are those of the version.

    Args:
        alone: whether its manifest may not be there either.
        links_are_files: whether links may stand for files, as in views.
    """
    wanted = {path: row.kind for path, row in rows}
    pending = [b""]
    while pending:
        above = pending.pop()
        try:
            with reachable(os.path.join(os.fsencode(directory), above)) as at, os.scandir(at) as entries:
                for entry in entries:
                    path = above + entry.name
                    if path == _OWN and not alone:
                        continue
                    kind = _kind(entry)
                    expected = wanted.pop(path, None)
                    stands_for_file = links_are_files and kind == EntryKind.SYMLINK and expected == EntryKind.FILE
                    if expected != kind and not stands_for_file:
                        return False
                    if kind == EntryKind.DIRECTORY:
                        pending.append(path + b"/")
        except OSError:
            # Whoever looks at each file finds out what is wrong.
            return False
    return not wanted


def _kind(entry: os.DirEntry[bytes]) -> EntryKind | None:
    if entry.is_symlink():
        return EntryKind.SYMLINK
    if entry.is_dir():
        return EntryKind.DIRECTORY
    return EntryKind.FILE if entry.is_file() else None


# Views.


def _view_path(workspace: Workspace, version_uuid: str) -> Path:
    return workspace.home.cache / "views" / version_uuid


def _view(
    workspace: Workspace,
    version: Version,
    rows: Sequence[tuple[bytes, EntryRow]],
    files: Sequence[StoredFile],
    compare: Compare,
) -> Path:
    view = _view_path(workspace, version.uuid)
    if _holds_exactly(str(view), rows, links_are_files=True) and not compare.failures(
        files, lambda file: os.path.join(view, os.fsdecode(file.path))
    ):
        return view
    chosen = _good_places(version, files, compare)
    with _draft_of_view(workspace) as draft:
        for path, row in rows:
            with reachable(os.path.join(os.fsencode(draft), path)) as target:
                if row.kind == EntryKind.DIRECTORY:
                    os.mkdir(target)
                elif row.kind == EntryKind.SYMLINK:
                    os.symlink(row.target or b"", target)
                else:
                    _bring(workspace, chosen[path], target)
        _put(draft, view)
    return view


@contextmanager
def _draft_of_view(workspace: Workspace) -> Iterator[Path]:
    """A directory beside the views; what a killed process leaves of it is found as an orphan of the cache."""
    relative = f"views/{uuid.uuid4().hex}".encode()
    workspace.home.sharing.make_folder(workspace.home.cache)
    with closing(LocalStore(str(workspace.home.cache))) as cache, cache.claim(relative):
        draft = Path(cache.place_path(relative))
        try:
            yield draft
        finally:
            _remove(draft)


def _good_places(version: Version, files: Sequence[StoredFile], compare: Compare) -> dict[bytes, _Choice]:
    """For each file the first place that has the right bytes; what is on another machine is checked when it is read."""
    chosen: dict[bytes, _Choice] = {}
    whys: dict[bytes, str] = {}
    waiting, attempt = list(files), 0
    while waiting:
        for file in waiting:
            if attempt >= len(file.places):
                raise _damaged(compare.workspace, version, file, whys.get(file.path))
            chosen[file.path] = _Choice(file, *file.places[attempt])
        local = [file for file in waiting if local_path(chosen[file.path].shown) is not None]
        failures = compare.failures(local, lambda file: str(local_path(chosen[file.path].shown)))
        for path, why in failures.items():
            whys.setdefault(path, f"{chosen[path].shown}: {why}")
        waiting, attempt = [file for file in waiting if file.path in failures], attempt + 1
    return chosen


def _bring(workspace: Workspace, choice: _Choice, target: bytes) -> None:
    """Make a file of a view: a link, or a copy of what is on another machine."""
    source = local_path(choice.shown)
    if source is None:
        _fetch(workspace, choice, target)
        return
    # A hard link of the user's own file would be one that he does not know of.
    if choice.place.owned:
        try:
            with reachable(source) as at:
                os.link(at, target)
            return
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
    os.symlink(os.fsencode(source), target)


def _fetch(workspace: Workspace, choice: _Choice, target: bytes) -> None:
    if choice.file.digest is None:
        raise StoreError(f"cannot fetch '{choice.shown}': its digest is not known", subject=choice.shown)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    try:
        with workspace.blobs.open(choice.file.digest.digest) as reader:
            for start in range(0, reader.size, BLOCK_SIZE):
                write_all(descriptor, reader.read(start, BLOCK_SIZE))
    finally:
        os.close(descriptor)


def _put(draft: Path, view: Path) -> None:
    """Give a new view its name. One that is there already is broken, or was made by somebody else just now."""
    while True:
        try:
            os.rename(draft, view)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        aside = view.with_name(uuid.uuid4().hex)
        try:
            os.rename(view, aside)
        except FileNotFoundError:
            continue
        _remove(aside)


def _remove(view: Path) -> None:
    """Remove a view as far as that can be done: a collection of garbage finds what is left."""
    with suppress(OSError):
        remove_tree(os.fsencode(view), despite_modes=True)


def _damaged(workspace: Workspace, version: Version, file: StoredFile, why: str | None) -> ArtfsError:
    name = f"'{os.fsdecode(file.path)}' of {version.shown_name}"
    if why is None:
        return StoreError(f"the bytes of {name} lie in no store", subject=file.path)
    if (unusable := _unusable_store(workspace, file)) is not None:
        return StoreError(f"{name} cannot be read: {unusable}", subject=file.path)
    if file.places[0][0].owned:
        return DigestMismatch(f"{name} is damaged: {why}; run 'artfs verify' to see what else is", subject=file.path)
    advice = "restore it, or register it again as a new version"
    return PlaceChanged(f"{name} was changed after it was registered: {why}; {advice}", subject=file.path)


def _unusable_store(workspace: Workspace, file: StoredFile) -> StoreError | None:
    """Why a store that should have a file cannot be used at all: then nothing is known to be wrong with the file."""
    for place, _ in file.places:
        if place.store_id is None:
            continue
        try:
            workspace.stores.by_id(place.store_id).open_place(place.path).close()
        except StoreError as error:
            return error
        except OSError:
            continue  # the store is there, and the file is what is wrong
    return None
