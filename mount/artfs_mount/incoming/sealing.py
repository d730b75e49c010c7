"""Sealing: how a draft becomes a version without its bytes being copied.

    measure   digest every file (most were digested while they were written), on a worker thread, while the draft may
              still change: then the measurement is thrown away
    commit    make the stubs, link new bytes into the store, make them durable, insert the version's rows, on a worker
              thread; nothing may change the draft, but it can be read
    finish    put the stubs in the places of the files, on the event loop, so that nobody meets a stub unawares

A kill between any two of them leaves either no version (the links are removed at the next start) or the version and
files that still share inodes with it (they become stubs at the next start, before anybody can write to them):
recovery.py.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import uuid as uuids
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from artfs import users
from artfs.artifacts import orphans, seal
from artfs.artifacts.measure import closed
from artfs.catalog.versions import Version
from artfs.content.digest import Digest, FileDigest
from artfs.content.files import sync_filesystem
from artfs.content.long_paths import shown
from artfs.enums import ArtifactSaveType
from artfs.errors import DraftHeld, InvalidName, VersionExists
from artfs.names import check_artifact_name, check_version_name
from artfs.redaction import has_secret, redacted
from artfs.stores.local import local_path
from artfs_mount.incoming import stubs
from artfs_mount.incoming.as_user import run_as
from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.drafts import Draft
from artfs_mount.incoming.incoming import Incoming

SYNC_EARLY_BYTES = 64 * 2**20
"""More new bytes than this go to the disk before nobody may change the draft any more, and not first while all wait."""


@dataclass(frozen=True)
class Request:
    """What is to be made of a draft. artifact: its own name when None. version: the next number when None."""

    artifact: str | None = None
    version: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """A draft as it was when its `changes` stood at this number."""

    changes: int
    content: seal.Measured


@dataclass(frozen=True)
class Outcome:
    """The version that a draft is now. made: it is new. waiting: stubs, to be put in the places of its files."""

    version: Version
    made: bool
    waiting: tuple[stubs.Stub, ...]


class Sealing:
    """Turns the drafts of an `Incoming` into versions."""

    def __init__(self, incoming: Incoming, mount_point: Path) -> None:
        self._incoming = incoming
        self._workspace = incoming.workspace
        self._mount_point = mount_point

    def check(self, draft: Draft, request: Request) -> None:
        """Refuses at once what cannot become a version, whatever is in it."""
        check_artifact_name(self._artifact(draft, request))
        if (trouble := self._incoming.catalog_trouble()) is not None:
            raise DraftHeld(f"{draft.title}: {trouble}", subject=draft.name)
        if request.version is not None:
            check_version_name(request.version)
        writers = draft.history.open_writers
        if writers:
            how_many = "a file is" if writers == 1 else f"{writers} files are"
            raise DraftHeld(
                f"{draft.title}: {how_many} still open for writing; close them, then commit", subject=draft.name
            )

    def measure(self, draft: Draft, changes: int, *, cancelled: Callable[[], bool]) -> Measurement:
        """Looks at all of a draft as it is while its `changes` stand at this number. For a worker thread.

        Raises Cancelled when the draft changes meanwhile, whatever that looked like from here.
        """

        def stop() -> bool:
            return draft.changes != changes or cancelled()

        path = Path(os.fsdecode(self._incoming.path(draft.name)))
        if self._incoming.kind(draft.name) is DraftKind.LINK:
            return Measurement(changes, self._measure_linked(path, stop))
        known = _Known(self._incoming.drafts.digests, os.fsencode(path))
        measured = seal.measure(path, known=known.digest_of, cancelled=stop)
        known.check_links(measured)
        if sum(file.digest.size for file in measured.files if not file.stand_in) > SYNC_EARLY_BYTES:
            sync_filesystem(self._incoming.area.work)
        return Measurement(changes, measured)

    def unchanged(self, draft: Draft, measurement: Measurement, request: Request) -> Version | None:
        """The version that the draft already is, when nothing new was asked for."""
        catalog = self._workspace.catalog
        artifact = catalog.artifacts.get(self._artifact(draft, request))
        if artifact is None:
            return None
        if request.version is not None:
            if catalog.versions.get(artifact.id, request.version) is not None:
                raise VersionExists(
                    f"{artifact.name}: it already has a version {request.version}; choose another name",
                    subject=artifact.name,
                )
            return None
        latest = catalog.versions.latest(artifact.id)
        return latest if latest is not None and latest.digest == measurement.content.tree.digest else None

    def commit(self, draft: Draft, measurement: Measurement, request: Request) -> Outcome:
        """Makes the version, or nothing. For a worker thread, while nothing changes the draft."""
        content = self._as_reached(measurement.content)
        version = self.unchanged(draft, measurement, request)
        with contextlib.ExitStack() as undo:
            waiting = tuple(self._stubs(content, undo))
            if version is not None:
                version, waiting = self._taken_up(draft, measurement, request, waiting)
            made = version is None
            if version is None:
                uuid = str(uuids.uuid4())
                self._incoming.drafts.sealing(draft, uuid)
                version = seal.seal(
                    content,
                    self._workspace,
                    self._artifact(draft, request),
                    uuid=uuid,
                    name=request.version,
                    tags=request.tags,
                    save_type=(ArtifactSaveType.PREEXISTING if content.in_place else ArtifactSaveType.INCOMING).value,
                    user=self._owner(content),
                )
            undo.pop_all()
        return Outcome(version, made, waiting)

    def _taken_up(
        self, draft: Draft, measurement: Measurement, request: Request, waiting: tuple[stubs.Stub, ...]
    ) -> tuple[Version | None, tuple[stubs.Stub, ...]]:
        """The version that the draft already is, now with the tags that were asked for, and the stubs to use.

        Whoever removes bytes looks for stubs before he commits that: after this transaction he sees these. Bytes that
        are in no store (any more) have no stub; their files keep their own.
        """
        catalog = self._workspace.catalog
        with catalog.transaction():
            version = self.unchanged(draft, measurement, request)
            if version is None:
                return None, waiting
            catalog.tags.add(version.id, *request.tags)
            stored = catalog.blobs.known({stub.digest for stub in waiting})
        usable = tuple(stub for stub in waiting if stub.digest in stored and stored[stub.digest].owned)
        for stub in set(waiting) - set(usable):
            stub.discard()
        return version, usable

    def put(self, waiting: Sequence[stubs.Stub]) -> None:
        """Puts stubs in the places of files. For the event loop: no request may come between the disk and the nodes."""
        with stubs.times_kept(waiting):
            for stub in waiting:
                stub.put()
                self._adopt(stub)

    def protect(self, version: Version) -> None:
        """Makes the store's files the daemon's own. For a worker thread, when no draft shares an inode with them."""
        orphans.protect(self._workspace, version)

    def _adopt(self, stub: stubs.Stub) -> None:
        """Lets the node of a file mean the stub that took its place."""
        self._incoming.drafts.digests.pop(stub.before, None)
        node = self._incoming.nodes.known(stub.before)
        if node is not None:
            self._incoming.nodes.rebind(node, stub.number)
            self._incoming.contents.became_stub(node, stub.digest)

    def detach(self, draft: Draft) -> bytes:
        """Takes a draft out of `/incoming`, on the event loop; returns where its files are, to be deleted."""
        path = self._incoming.path(draft.name)
        away = os.fsencode(self._incoming.area.scratch / str(uuids.uuid4()))
        if self._incoming.kind(draft.name) is DraftKind.DIRECTORY:
            os.chmod(path, 0o700)  # to move a directory is to write in it
        os.rename(path, away)
        self._incoming.nodes.cut_off(draft.name)
        self._incoming.drafts.remove(draft.name)
        return away

    def _stubs(self, content: seal.Measured, undo: contextlib.ExitStack) -> Iterator[stubs.Stub]:
        """Makes the stubs, to be discarded unless all goes well. What is one already is left alone."""
        if content.in_place:
            return
        names: dict[int, list[bytes]] = defaultdict(list)
        digests: dict[int, Digest] = {}
        for file in content.files:
            if not file.stand_in:
                names[file.st_ino].append(file.source_path)
                digests[file.st_ino] = file.digest.digest
        scratch = os.fsencode(self._incoming.area.scratch / f"stub-{uuids.uuid4()}")
        for number, paths in names.items():
            stub = stubs.make(paths, digests[number], b"%s-%d" % (scratch, number))
            undo.callback(stub.discard)
            yield stub

    def _as_reached(self, content: seal.Measured) -> seal.Measured:
        """Closes the version to those whom the mode of `/incoming` keeps from the draft; data in place tells itself."""
        is_open = self._incoming.area.work.stat().st_mode & stat.S_IXOTH
        return content if content.in_place or is_open else closed(content)

    def _owner(self, content: seal.Measured) -> str:
        """Who the version is shown to belong to: the daemon's user where not all of it belongs to one."""
        owner, *others = content.owners or {os.geteuid()}
        return self._workspace.user if others else users.name_of(owner)

    def _measure_linked(self, link: Path, stop: Callable[[], bool]) -> seal.Measured:
        """Looks at what a link leads to with the rights of the link's owner, who may have nobody's but his own."""
        owner = os.lstat(link).st_uid
        look = functools.partial(self._measure_in_place, link, os.readlink(link), stop)
        try:
            return look() if owner == os.geteuid() else run_as(users.by_uid(owner), look)
        except PermissionError as error:
            who = users.name_of(owner)
            raise DraftHeld(
                f"{link.name}: {who}, who made the link, may not read what it leads to ({error}); copy it instead",
                subject=link.name,
            ) from error

    def _measure_in_place(self, link: Path, target: str, stop: Callable[[], bool]) -> seal.Measured:
        if has_secret(target):
            raise DraftHeld(
                f"{link.name}: it links to {redacted(target)}, and a secret in a link would be kept; link to the URI "
                "without it, and give credentials in the environment",
                subject=link.name,
            )
        if "://" not in target and not os.path.isabs(target):
            raise DraftHeld(
                f"{link.name}: a relative link registers nothing; link to an absolute path or a URI", subject=link.name
            )
        resolved = Path(os.path.realpath(local_path(target) or "/dev/null"))
        if resolved.is_relative_to(self._mount_point):
            raise DraftHeld(
                f"{link.name}: {target} lies in the mount itself; copy it instead of linking it", subject=link.name
            )
        if self._mount_point.is_relative_to(resolved):
            raise DraftHeld(f"{link.name}: the mount itself lies in {target}; link to a part of it", subject=link.name)
        return seal.measure_in_place(target, cancelled=stop)

    def _artifact(self, draft: Draft, request: Request) -> str:
        if request.artifact is not None:
            return request.artifact
        try:
            return draft.name.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidName(
                f"{draft.name!r}: the name of an artifact must be UTF-8; rename it", subject=draft.name
            ) from None


class _Known:
    """Tells `measure` the digests that need no reading, and stops it at files that are not whole."""

    def __init__(self, digests: Mapping[int, FileDigest], root: bytes) -> None:
        self._root = root
        self._digests = digests
        self._linked: dict[int, tuple[int, bytes]] = {}

    def digest_of(self, status: os.stat_result, path: bytes) -> FileDigest | seal.Elsewhere | None:
        why = stubs.unfinished(path)
        if why is not None:
            raise DraftHeld(f"{self._shown(path)}: {_reason(why)}; write it again or remove it", subject=path)
        blob = stubs.blob_of(path)
        if blob is not None:
            return seal.Elsewhere(FileDigest(blob, status.st_size))
        if status.st_nlink > 1:
            self._linked[status.st_ino] = status.st_nlink, path
        known = self._digests.get(status.st_ino)
        return known if known is not None and known.size == status.st_size else None

    def check_links(self, measured: seal.Measured) -> None:
        """Refuses files with names outside the draft: through those the version's bytes could be written to."""
        names = Counter(file.st_ino for file in measured.files)
        for number, (links, path) in self._linked.items():
            if names[number] < links:
                raise DraftHeld(
                    f"{self._shown(path)}: it has hard links outside of its draft; copy it there, or remove the links",
                    subject=path,
                )

    def _shown(self, path: bytes) -> str:
        return os.fsencode(shown(os.path.relpath(path, os.path.dirname(self._root)))).decode("utf-8", "replace")


def _reason(why: bytes) -> str:
    if why == b"open":
        return "it was being written when the daemon stopped, so its end may be missing"
    return f"a write to it failed ({why.decode('ascii', 'replace')})"
