"""A file that is written from front to back need not be read again to be sealed; any other must be.

A digest is kept by inode, and the disk gives the inode of a file that is gone to the next one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artfs.content.digest import Digest, hash_bytes
from artfs_mount.incoming.contents import Contents, Reader
from artfs_mount.incoming.drafts import Drafts
from artfs_mount.incoming.namespace import RENAME_EXCHANGE, Namespace
from artfs_mount.incoming.nodes import DraftNode, DraftNodes

ME = os.getuid(), os.getgid(), os.getpid()


class Incoming:
    """The parts of `/incoming`, and two drafts."""

    def __init__(self, base: Path) -> None:
        (base / "work").mkdir()
        (base / "records").mkdir()
        self.nodes = DraftNodes(os.fsencode(base / "work"))
        self.drafts = Drafts(base / "records")
        self.namespace = Namespace(self.nodes, self.drafts)
        self.contents = Contents(self.nodes, self.drafts, _no_stubs)
        self.one, self.two = (self._make_draft(name) for name in (b"one", b"two"))

    def write(self, draft: DraftNode, name: bytes, *pieces: tuple[int, bytes]) -> DraftNode:
        """Makes a file of pieces, each with its offset, in this order."""
        node, descriptor = self.namespace.make_file(
            draft, name, os.O_EXCL, 0o644, os.getuid(), os.getgid(), os.getpid()
        )
        node.lookups += 1
        file = self.contents.opened(node, descriptor, os.O_WRONLY, os.getpid())
        for offset, piece in pieces:
            self.contents.write(node, offset, piece)
        self.contents.close(file)
        return node

    def digest(self, node: DraftNode) -> Digest | None:
        """The digest that sealing would believe."""
        known = self.drafts.digests.get(node.backing)
        return known.digest if known is not None else None

    def _make_draft(self, name: bytes) -> DraftNode:
        node = self.namespace.make_directory(self.nodes.root, name, 0o755, *ME)
        node.lookups += 1
        return node


def _no_stubs(digest: Digest) -> Reader:
    raise AssertionError("no file is a stub here")


@pytest.fixture
def incoming(tmp_path: Path) -> Incoming:
    return Incoming(tmp_path)


def test_written_from_front_to_back(incoming: Incoming) -> None:
    assert incoming.digest(incoming.write(incoming.one, b"file", (0, b"ab"), (2, b"cd"))) == hash_bytes(b"abcd")


@pytest.mark.parametrize("pieces", [[(0, b"ab"), (9000, b"cd"), (0, b"AB")], [(9_000_000, b"cd")]])
def test_written_otherwise(incoming: Incoming, pieces: list[tuple[int, bytes]]) -> None:
    assert incoming.digest(incoming.write(incoming.one, b"file", *pieces)) is None


def test_opened_for_writing_again(incoming: Incoming) -> None:
    node = incoming.write(incoming.one, b"file", (0, b"content"))
    file = incoming.contents.open(node, os.O_WRONLY, os.getpid())
    assert incoming.digest(node) is None
    incoming.contents.close(file)
    assert incoming.digest(node) is None


@pytest.mark.parametrize("size", [0, 3, 100])
def test_truncated(incoming: Incoming, size: int) -> None:
    node = incoming.write(incoming.one, b"file", (0, b"content"))
    incoming.contents.truncate(node, size, incoming.drafts.who(os.getpid()))
    assert incoming.digest(node) is None


def test_moved_to_another_draft(incoming: Incoming) -> None:
    node = incoming.write(incoming.one, b"file", (0, b"content"))
    incoming.namespace.rename(incoming.one, b"file", incoming.two, b"moved", 0, os.getpid())
    assert incoming.digest(node) == hash_bytes(b"content")
    incoming.namespace.rename(incoming.nodes.root, b"two", incoming.nodes.root, b"three", 0, os.getpid())
    assert incoming.digest(node) == hash_bytes(b"content")


def test_removed(incoming: Incoming) -> None:
    incoming.write(incoming.one, b"file", (0, b"content"))
    incoming.namespace.remove(incoming.one, b"file", os.getpid())
    assert incoming.drafts.digests == {}


def test_removed_by_one_of_two_names(incoming: Incoming) -> None:
    node = incoming.write(incoming.one, b"file", (0, b"content"))
    incoming.namespace.hard_link(node, incoming.one, b"linked", os.getpid())
    incoming.namespace.remove(incoming.one, b"file", os.getpid())
    assert incoming.digest(node) == hash_bytes(b"content")
    incoming.namespace.remove(incoming.one, b"linked", os.getpid())
    assert incoming.drafts.digests == {}


def test_removed_while_it_was_written(incoming: Incoming) -> None:
    node, descriptor = incoming.namespace.make_file(incoming.one, b"file", os.O_EXCL, 0o644, *ME)
    file = incoming.contents.opened(node, descriptor, os.O_WRONLY, os.getpid())
    incoming.contents.write(node, 0, b"content")
    incoming.namespace.remove(incoming.one, b"file", os.getpid())
    incoming.contents.close(file)
    assert incoming.drafts.digests == {}


def test_replaced_and_exchanged(incoming: Incoming) -> None:
    kept = incoming.write(incoming.one, b"kept", (0, b"kept"))
    incoming.write(incoming.two, b"replaced", (0, b"replaced"))
    exchanged = incoming.write(incoming.two, b"exchanged", (0, b"exchanged"))
    incoming.namespace.rename(incoming.one, b"kept", incoming.two, b"replaced", 0, os.getpid())
    incoming.namespace.rename(incoming.two, b"replaced", incoming.two, b"exchanged", RENAME_EXCHANGE, os.getpid())
    assert incoming.drafts.digests.keys() == {kept.backing, exchanged.backing}
    assert incoming.digest(exchanged) == hash_bytes(b"exchanged")


def test_a_write_that_failed(incoming: Incoming) -> None:
    """Whatever the file holds then, its digest is looked at anew."""
    node, descriptor = incoming.namespace.make_file(incoming.one, b"file", os.O_EXCL, 0o644, *ME)
    file = incoming.contents.opened(node, descriptor, os.O_WRONLY, os.getpid())
    incoming.contents.write(node, 0, b"content")
    with pytest.raises(OSError):
        incoming.contents.write(node, 2**63 - 2, b"too far")
    incoming.contents.close(file)
    path = Path(os.fsdecode(incoming.nodes.path(incoming.one))) / "file"
    assert os.getxattr(path, "user.artfs.unfinished") == b"EINVAL"
