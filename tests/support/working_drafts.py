"""Drafts on a real disk, with all that makes versions of them but a mount, a loop and a clock that goes by itself."""

from __future__ import annotations

import os
from pathlib import Path

from artfs.catalog.versions import Version
from artfs.content.digest import Digest
from artfs.workspace.workspace import Workspace
from artfs_mount.incoming import area as areas
from artfs_mount.incoming import recovery
from artfs_mount.incoming.commit import DraftCommit, MadeVersion, Request
from artfs_mount.incoming.complete.rule import Seal
from artfs_mount.incoming.contents import OpenFile
from artfs_mount.incoming.drafts import Draft
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.nodes import DraftNode
from artfs_mount.incoming.selection import Part

ME = os.getuid(), os.getgid(), os.getpid()


def all_steps(commit: DraftCommit) -> MadeVersion:
    """Makes a version, by all steps up to the lineage."""
    commit.look()
    content = commit.snapshot()
    commit.decide()
    made = commit.commit(content)
    for _ in commit.give_back(made):
        pass
    commit.protect(made)
    commit.free(made)
    return made


class WorkingDrafts:
    """`/incoming` of a home. now: what its clock says; programs tell by their paths in it what they do."""

    def __init__(self, home: Path, mount_point: Path) -> None:
        mount_point.mkdir(exist_ok=True)
        self.now = 0.0
        self.mount_point = mount_point
        self.workspace = Workspace.open(home)
        self.incoming = Incoming(self.workspace, areas.claim(self.workspace.home.mounts, mount_point))
        self.incoming.drafts.clock = lambda: self.now
        recovery.recover(self.incoming, clean=True)

    def node(self, path: str) -> DraftNode:
        """The node of a path, as the kernel keeps it."""
        node = self.incoming.nodes.root
        for name in filter(None, path.split("/")):
            node, _ = self.incoming.namespace.lookup(node, name.encode())
            node.lookups += 1
        return node

    def above(self, path: str) -> tuple[DraftNode, bytes]:
        """The directory that a path is in, made if need be, and its name."""
        above, _, name = path.rpartition("/")
        made = ""
        for part in filter(None, above.split("/")):
            if not self.path(f"{made}/{part}".strip("/")).exists():
                self.incoming.namespace.make_directory(self.node(made), part.encode(), 0o755, *ME).lookups += 1
            made = f"{made}/{part}".strip("/")
        return self.node(above), name.encode()

    def open(self, path: str, flags: int = os.O_WRONLY | os.O_CREAT | os.O_TRUNC) -> OpenFile:
        """Opens a file as the handlers of the mount do."""
        parent, name = self.above(path)
        contents = self.incoming.contents
        if not os.path.lexists(self.path(path)):
            node, number = self.incoming.namespace.make_file(parent, name, flags, 0o644, *ME)
            node.lookups += 1
            return contents.opened(node, number, flags, ME[2])
        node = self.node(path)
        if flags & os.O_TRUNC:
            contents.begin_anew(node)
        file = contents.open(node, flags, ME[2])
        if flags & os.O_TRUNC:
            contents.truncate_open(node, 0)
            contents.truncated(file, 0)
        return file

    def write(self, file: OpenFile, content: bytes, offset: int = 0) -> None:
        self.incoming.contents.write(file.node, offset, content)
        self.incoming.contents.wrote(file)

    def close(self, file: OpenFile) -> None:
        self.incoming.contents.close(file)

    def save(self, path: str, content: bytes, flags: int = os.O_WRONLY | os.O_CREAT | os.O_TRUNC) -> None:
        file = self.open(path, flags)
        self.write(file, content)
        self.close(file)

    def remove(self, path: str) -> None:
        """Removes a file, or a directory with all that is in it, name by name."""
        parent, name = self.above(path)
        if self.path(path).is_dir() and not self.path(path).is_symlink():
            for inner in sorted(os.listdir(self.path(path))):
                self.remove(f"{path}/{inner}")
            self.incoming.namespace.remove_directory(parent, name, ME[2])
        else:
            self.incoming.namespace.remove(parent, name, ME[2])

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        self.incoming.namespace.rename(*self.above(old), *self.above(new), flags, ME[2])

    def link(self, old: str, new: str) -> None:
        self.incoming.namespace.hard_link(self.node(old), *self.above(new), ME[2])

    def path(self, path: str) -> Path:
        """Where it is on the disk."""
        return Path(os.fsdecode(self.incoming.path(os.fsencode(path))))

    def draft(self, name: str) -> Draft:
        return self.incoming.draft(name.encode())

    def pin(self, name: str) -> list[str]:
        """Keeps what is complete in a draft; returns the units that were not kept before."""
        draft, drafts = self.draft(name), self.incoming.drafts
        units = self.incoming.to_pin(draft)
        for unit in units:
            at = self.now
            path = self.incoming.path(draft.name)
            growing = [os.path.join(path, stream) for stream in draft.history.open_in((), unit, streams=True)]
            kept = drafts.pins.make(os.path.join(path, unit), growing)
            drafts.pin(draft, unit, kept, at)
        self.tidy()
        return [unit.decode() for unit in units]

    def tidy(self) -> None:
        for kept in self.incoming.drafts.take_leavings():
            self.incoming.drafts.pins.remove(kept)
            self.incoming.drafts.pins.removed(kept)

    def begin(self, name: str) -> DraftCommit:
        """What the rule says to be complete of a draft, on its way to a version."""
        draft = self.draft(name)
        decision = self.incoming.decision(draft)
        assert isinstance(decision, Seal), decision
        pins = self.incoming.drafts.pins
        kept = {unit: pins.of(draft.name, unit) for unit in decision.pinned}
        pinned = {unit: each.path for unit, each in kept.items() if each is not None}
        part = Part(decision.leave_out, pinned, child=decision.child, world_size=decision.world_size)
        return DraftCommit(self.incoming, self.mount_point, draft, Request(sealed_by=decision.by, part=part))

    def seal(self, name: str) -> MadeVersion:
        """Makes a version of what is complete."""
        made = all_steps(self.begin(name))
        self.tidy()
        return made

    def stored(self, version: Version) -> dict[str, bytes]:
        """What a version holds, read from where its bytes are."""
        cursor = self.workspace.blobs.cursor

        def content(digest: Digest, size: int) -> bytes:
            reader = cursor(digest)
            try:
                return bytes(reader.read(0, size))
            finally:
                reader.close()

        assert version.tree_id is not None
        tree = self.workspace.catalog.trees.load(version.tree_id)
        return {
            path.decode(): content(entry.file.digest, entry.file.size)
            for path, entry in tree.walk()
            if entry.file is not None
        }

    def scratch(self) -> set[str]:
        """What lies in the folder for things on their way, other than the folder for pins itself."""
        scratch = self.incoming.area.scratch
        return {path.relative_to(scratch).as_posix() for path in scratch.rglob("*")} - {"pins"}
