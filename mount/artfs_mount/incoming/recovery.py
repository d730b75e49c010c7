"""What a start does with the drafts that an earlier daemon left, before anybody can reach them.

A draft that was being sealed either became a version (then its files still share inodes with the store and get their
stubs now) or did not (then the links are taken out of the store). A draft that was being written when the daemon was
killed may lack what its writer could not write any more: it is held until somebody writes to it again or commits it.

Where an older catalog was restored, it may know neither the version that a draft is nor the contents that its stubs
stand for: the contents are looked for in the stores, and nothing is taken out of those.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Collection
from dataclasses import replace

from artfs.artifacts.orphans import inodes_of, placed_inodes, protect, remove_orphan_anywhere
from artfs.artifacts.unlisted import find_contents
from artfs.catalog.versions import Version
from artfs.content.digest import Digest, format_digest
from artfs.content.files import clone_or_copy, walk_files
from artfs.content.long_paths import lstat, reachable
from artfs.home.older_catalog import is_older
from artfs_mount.incoming import stubs
from artfs_mount.incoming.drafts import Record, State, read_records
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.snapshot import why_unfinished

log = logging.getLogger(__name__)

FORGOTTEN = "it was version %s, which the catalog does not know: an older catalog was restored"

INTERRUPTED = (
    "the daemon stopped while this draft was not yet a version, so its writer may not have finished; "
    "write to it again, commit it (artfs commit), or remove it"
)


def recover(incoming: Incoming, *, clean: bool) -> None:
    """Takes up all drafts of an area. clean: the last daemon ended in order, with nothing open."""
    records = read_records(incoming.area.records)
    work = incoming.nodes.path_of_root
    catalog_is_older = is_older(incoming.workspace.catalog, incoming.workspace.stores)
    if catalog_is_older:
        _find_contents(incoming, work)
    for name in os.listdir(work):
        record = records.pop(name, Record(name, State.CHANGED))
        if record.state is State.SEALING:
            record = _finish_sealing(incoming, record, catalog_is_older=catalog_is_older)
        if catalog_is_older and record.state is State.SEALED and not _is_known(incoming, record):
            why = f"{FORGOTTEN % record.version}; commit it to make a version of it again (artfs commit)"
            record = Record(name, State.CHANGED, held=why)
        if record.state is State.CHANGED and record.held is None and not clean:
            record = replace(record, held=_why_held(incoming.path(name)))
        incoming.drafts.restore(record)
    for name, record in records.items():
        if record.state is State.SEALING:
            _finish_sealing(incoming, record, catalog_is_older=catalog_is_older)
        incoming.drafts.restore(record)
        incoming.drafts.remove(name)


def _why_held(draft: bytes) -> str:
    """What keeps a draft that was not a version yet: a file that was open, which no commit takes, is named."""
    unfinished = (why_unfinished(draft, path) for path in _files(draft))
    return next((why for why in unfinished if why is not None), INTERRUPTED)


def _finish_sealing(incoming: Incoming, record: Record, *, catalog_is_older: bool) -> Record:
    """Completes or undoes the sealing that a kill cut short."""
    assert record.uuid is not None, "a record that says sealing names the version"
    version = incoming.workspace.catalog.versions.by_uuid(record.uuid)
    if version is None and catalog_is_older:
        # The newer catalog may know it: its files stay, and the draft gets its own.
        count = _copy_all(incoming, incoming.path(record.name), record.uuid)
        log.info("draft %r: version %s is not known; %d files were copied", record.name, record.uuid, count)
        return Record(record.name, State.CHANGED, version=record.version)
    if version is None:
        # What was linked under this uuid belongs to no version, and the drafts' files must not share inodes with it.
        remove_orphan_anywhere(incoming.workspace, record.uuid)
        log.info("draft %r: version %s was not made; its links are removed", record.name, record.uuid)
        return Record(record.name, State.CHANGED, version=record.version)
    count = _stub_all(incoming, incoming.path(record.name), version)
    protect(incoming.workspace, version)
    log.info("draft %r: version %s was made; %d files became stubs", record.name, version.name, count)
    return Record(record.name, State.CHANGED if record.partly else State.SEALED, version=version.name)


def _stub_all(incoming: Incoming, draft: bytes, version: Version) -> int:
    """Replaces every file of a draft that shares its inode with a version by a stub."""
    shared = inodes_of(incoming.workspace, version)
    names = _sharing(draft, shared)
    scratch = os.fsencode(incoming.area.scratch / "stub")
    made = [stubs.make(paths, shared[number], b"%s-%d" % (scratch, number)) for number, paths in names.items()]
    catalog = incoming.workspace.catalog
    with catalog.transaction():  # whoever removes bytes looks for stubs first: by now he sees these
        known = catalog.blobs.known({stub.digest for stub in made})
    with stubs.times_kept(made):
        for stub in made:
            if stub.digest in known and known[stub.digest].owned:
                stub.put()
            else:
                stub.discard()
    return len(made)


def _copy_all(incoming: Incoming, draft: bytes, uuid: str) -> int:
    """Gives every file of a draft that shares its inode with a store bytes of its own."""
    names = _sharing(draft, placed_inodes(incoming.workspace, uuid))
    scratch = os.fsencode(incoming.area.scratch / "copy")
    for number, paths in names.items():
        copy = b"%s-%d" % (scratch, number)
        clone_or_copy(paths[0], copy)
        for path in paths:
            link = b"%s.link" % copy
            os.link(copy, link)
            with reachable(path) as at:
                os.rename(link, at)
        os.unlink(copy)
    return len(names)


def _sharing(draft: bytes, inodes: Collection[int]) -> dict[int, list[bytes]]:
    """The names of files of a draft that have one of these inodes, and their own bytes, by inode."""
    names: dict[int, list[bytes]] = {}
    for path in _files(draft) if inodes and os.path.lexists(draft) else ():
        number = lstat(path).st_ino
        if number in inodes and stubs.blob_of(path) is None:
            names.setdefault(number, []).append(path)
    return names


def _find_contents(incoming: Incoming, work: bytes) -> None:
    """Looks in the stores for what stubs stand for and the catalog does not know."""
    sizes: dict[Digest, int] = {}
    for path in _files(work):
        digest = stubs.blob_of(path)
        if digest is not None:
            sizes[digest] = lstat(path).st_size
    unknown = sizes.keys() - incoming.workspace.catalog.blobs.known(sizes.keys()).keys()
    if unknown:
        missing = find_contents(incoming.workspace, unknown, {sizes[digest] for digest in unknown})
        for digest in missing:
            log.error("the bytes of %s, which a draft needs, are in no store", format_digest(digest))


def _is_known(incoming: Incoming, record: Record) -> bool:
    """Whether the version that a draft's record names is in the catalog."""
    catalog = incoming.workspace.catalog
    artifact = catalog.artifacts.get(record.name.decode("utf-8", "surrogateescape"))
    return artifact is not None and catalog.versions.get(artifact.id, str(record.version)) is not None


def _files(path: bytes) -> list[bytes]:
    if os.path.islink(path) or not os.path.isdir(path):
        return [path] if os.path.isfile(path) and not os.path.islink(path) else []
    return [file for file in walk_files(path) if not stat.S_ISLNK(lstat(file).st_mode)]
