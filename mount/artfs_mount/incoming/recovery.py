"""What a start does with the drafts that an earlier daemon left, before anybody can reach them.

A draft that was being sealed either became a version (then its files still share inodes with the store and get their
stubs now) or did not (then the links are taken out of the store). A draft that was being written when the daemon was
killed may lack what its writer could not write any more: it is held until somebody writes to it again or commits it.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace

from artfs.artifacts.orphans import inodes_of, protect, remove_orphan_anywhere
from artfs.catalog.versions import Version
from artfs_mount.incoming import stubs
from artfs_mount.incoming.drafts import Record, State, read_records
from artfs_mount.incoming.incoming import Incoming

log = logging.getLogger(__name__)

INTERRUPTED = (
    "the daemon stopped while this draft was not yet a version, so its writer may not have finished; "
    "write to it again, commit it (artfs commit), or remove it"
)


def recover(incoming: Incoming, *, clean: bool) -> None:
    """Takes up all drafts of an area. clean: the last daemon ended in order, with nothing open."""
    records = read_records(incoming.area.records)
    work = incoming.nodes.path_of_root
    for name in os.listdir(work):
        record = records.pop(name, Record(name, State.CHANGED))
        if record.state is State.SEALING:
            record = _finish_sealing(incoming, record)
        if record.state is State.CHANGED and record.held is None and not clean:
            record = replace(record, held=INTERRUPTED)
        incoming.drafts.restore(record)
    for name, record in records.items():
        if record.state is State.SEALING:
            _finish_sealing(incoming, record)
        incoming.drafts.restore(record)
        incoming.drafts.remove(name)


def _finish_sealing(incoming: Incoming, record: Record) -> Record:
    """Completes or undoes the sealing that a kill cut short."""
    assert record.uuid is not None, "a record that says sealing names the version"
    version = incoming.workspace.catalog.versions.by_uuid(record.uuid)
    if version is None:
        # What was linked under this uuid belongs to no version, and the drafts' files must not share inodes with it.
        remove_orphan_anywhere(incoming.workspace, record.uuid)
        log.info("draft %r: version %s was not made; its links are removed", record.name, record.uuid)
        return Record(record.name, State.CHANGED, version=record.version)
    count = _stub_all(incoming, incoming.path(record.name), version)
    protect(incoming.workspace, version)
    log.info("draft %r: version %s was made; %d files became stubs", record.name, version.name, count)
    return Record(record.name, State.SEALED, version=version.name)


def _stub_all(incoming: Incoming, draft: bytes, version: Version) -> int:
    """Replaces every file of a draft that shares its inode with a version by a stub."""
    shared = inodes_of(incoming.workspace, version)
    if not shared or not os.path.lexists(draft):
        return 0
    names: dict[int, list[bytes]] = {}
    for path in _files(draft):
        number = os.lstat(path).st_ino
        if number in shared and stubs.blob_of(path) is None:
            names.setdefault(number, []).append(path)
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


def _files(path: bytes) -> list[bytes]:
    if os.path.islink(path) or not os.path.isdir(path):
        return [path] if os.path.isfile(path) and not os.path.islink(path) else []
    found = []
    for folder, _, names in os.walk(path):
        found += [os.path.join(folder, name) for name in names if not os.path.islink(os.path.join(folder, name))]
    return found
