"""Existing data becomes a version where it is: listed, scanned, and not copied."""

from __future__ import annotations

import os
import stat
import threading
import uuid as uuids
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artfs.artifacts import seal
from artfs.artifacts.metadata import REGISTERED_FROM, storable
from artfs.artifacts.outside import file_outside
from artfs.artifacts.save import checked_type
from artfs.artifacts.scan import in_place
from artfs.artifacts.tagging import Tag, named_tags
from artfs.catalog.new_version import NewVersion
from artfs.classes import qualified_name
from artfs.content.digest import BLOCK_SIZE, FileDigest, hash_file
from artfs.content.files import walk_files
from artfs.content.long_paths import lstat, reachable
from artfs.enums import ArtifactSaveType, ArtifactType
from artfs.errors import InvalidValue, SourceNotFound, StoreError
from artfs.names import check_artifact_name, name_of_version
from artfs.scopes import step_scope
from artfs.secrets.redaction import has_secret, redacted
from artfs.stores.local.store import local_path
from artfs.types import StorageSize, Uri

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.materializers.base import BaseMaterializer
    from artfs.workspace.workspace import Workspace


Advance = Callable[[int], None]


def register(
    workspace: Workspace,
    source: str | os.PathLike[str],
    name: str,
    *,
    version: str | int | None = None,
    artifact_type: ArtifactType | str | None = None,
    tags: Sequence[str | Tag] | None = None,
    metadata: Mapping[str, Any] | None = None,
    producer_id: int | None = None,
    advance: Advance = lambda done: None,
    expect: Advance = lambda found: None,
) -> Version:
    """Register a file or folder in a workspace and return the version's row.

    Args:
        producer_id: the step run that made the data; the one that runs here when not given.
        advance: called with the number of bytes scanned since the last call, from several threads.
        expect: called with the number of bytes that were found to be scanned, while they are looked for.

    The other arguments, and what is raised, are as for `artfs.register_artifact`.
    """
    check_artifact_name(name)
    version_name = name_of_version(version) if version is not None else None
    names = named_tags(workspace.catalog, tags)
    type_ = checked_type(artifact_type, ArtifactType.DATA)
    given_metadata = storable(metadata or {})
    path, entry_name = _resolved(source)
    known = _hashed_ahead(path, advance, expect)
    scanned = in_place(seal.scan(path, entry_name=entry_name, known=known, follows=True), path)
    facts = {"storage_size": StorageSize(scanned.tree.bytes), REGISTERED_FROM: Uri(path)}
    scope = step_scope.get()
    new = NewVersion(
        name,
        scanned.tree,
        str(uuids.uuid4()),
        name=version_name,
        tags=names,
        type=type_,
        save_type=ArtifactSaveType.PREEXISTING.value,
        materializer=qualified_name(_materializer(path)),
        data_type="pathlib.Path",
        producer_id=scope.step_run_id if producer_id is None and scope is not None else producer_id,
        user=workspace.user,
        metadata={**facts, **given_metadata},
    )
    store = workspace.stores.active
    with seal.bring(seal.plan(scanned, new, workspace.catalog, store, store), workspace) as ready:
        [made] = seal.commit(workspace, [ready])
    if scope is not None:
        scope.saved(made)
    return made


def _resolved(source: str | os.PathLike[str]) -> tuple[Path, bytes]:
    """Where the data really is, with all links followed, as what a link leads to may change; and what it is called."""
    shown = os.fspath(source) if isinstance(source, str | os.PathLike) else ""
    if not shown:
        raise InvalidValue(f"cannot register {source!r}: give the path or file:// URI of a file or folder")
    path = local_path(shown)
    if has_secret(shown):
        raise InvalidValue(
            f"cannot register {redacted(shown)!r}: a secret in it would be kept; give the URI without it, and"
            " credentials in the environment"
        )
    if path is None:
        scheme = shown.partition("://")[0]
        why = f"no artifact store for {scheme}:// is installed; give a path or a file:// URI"
        raise StoreError(f"cannot register '{shown}': {why}", subject=shown)
    try:
        real = Path(os.path.realpath(os.path.expanduser(path), strict=True))
    except FileNotFoundError:
        raise SourceNotFound(f"cannot register '{shown}': nothing is there; check the path", subject=shown) from None
    name = os.path.basename(path.rstrip("/"))
    return real, os.fsencode(real.name if name in ("", ".", "..", "~") else name)


def _materializer(path: Path) -> type[BaseMaterializer]:
    """What gives the path back: of the folder, or of the one file."""
    from artfs.materializers.paths import PathMaterializer, PreexistingDataMaterializer

    return PreexistingDataMaterializer if path.is_dir() else PathMaterializer


_Identity = tuple[int, int, int, int, int]

_BATCH = 32
"""Files that one thread takes at a time: most are small."""


def _hashed_ahead(path: Path, advance: Advance, expect: Advance) -> seal.Known:
    """Hash a file, or all files below a directory, and tell the digests to a walk that comes after.

    A digest counts only for a file that the walk finds exactly as it was before and after it was hashed; what cannot be
    read here is left to the walk, which says why.
    """
    batches = _batches(os.fsencode(path), expect)
    first, second = next(batches, ()), next(batches, None)
    if second is None:  # to start a thread takes longer than to hash a few small files
        found = dict(_hashed(first, threading.Event(), advance))
    else:
        found = _hashed_in_threads(chain((first, second), batches), advance)
    return lambda status, source: found.get(_identity(status))


def _hashed_in_threads(batches: Iterable[Sequence[bytes]], advance: Advance) -> dict[_Identity, FileDigest]:
    """Hash files while more are still being listed. An interrupt ends all threads at their next block."""
    stop = threading.Event()
    found: dict[_Identity, FileDigest] = {}
    pool = ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0))))
    try:
        for hashed in [pool.submit(_hashed, batch, stop, advance) for batch in batches]:
            found.update(hashed.result())
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def _batches(path: bytes, expect: Advance) -> Iterator[Sequence[bytes]]:
    """The files at or below a path, some at a time; `expect` hears how many bytes they have."""
    batch: list[bytes] = []
    size = 0
    for file in _files(path):
        try:
            size += lstat(file).st_size
        except OSError:
            continue  # the walk finds out
        batch.append(file)
        if len(batch) == _BATCH or size >= BLOCK_SIZE:
            expect(size)
            yield batch
            batch, size = [], 0
    if batch:
        expect(size)
        yield batch


def _files(path: bytes) -> Iterator[bytes]:
    if not os.path.isdir(path):
        yield path
        return
    for file in walk_files(path, on_error=lambda error: None):
        try:
            yield (os.path.islink(file) and file_outside(path, file, os.readlink(file))) or file
        except OSError:
            continue  # the walk finds out


def _hashed(sources: Sequence[bytes], stop: threading.Event, advance: Advance) -> list[tuple[_Identity, FileDigest]]:
    hashed: list[tuple[_Identity, FileDigest]] = []
    for source in sources:
        if stop.is_set():
            break
        try:
            with reachable(source) as at:
                descriptor = os.open(at, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                continue
            digest = hash_file(descriptor, stop.is_set, advance)
            if _identity(os.fstat(descriptor)) == _identity(before) and digest.size == before.st_size:
                hashed.append((_identity(before), digest))
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return hashed


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
