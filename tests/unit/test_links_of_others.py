"""A daemon that cannot take on the rights of others takes no links of theirs to register."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artfs_mount.incoming.drafts import Drafts
from artfs_mount.incoming.namespace import RENAME_EXCHANGE, Namespace
from artfs_mount.incoming.nodes import DraftNodes

SOMEBODY = os.geteuid() + 1
ME = (os.geteuid(), os.getegid(), os.getpid())


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """That of a daemon that is not root, with a draft that is a directory."""
    for folder in ("work", "drafts"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: ME[0] or 1000)
    nodes = DraftNodes(os.fsencode(tmp_path / "work"))
    made = Namespace(nodes, Drafts(tmp_path / "drafts"))
    made.make_directory(nodes.root, b"draft", 0o755, *ME)
    return made


def test_not_when_they_are_made(namespace: Namespace) -> None:
    root = namespace._nodes.root
    with pytest.raises(PermissionError, match="only what its own user links to"):
        namespace.make_link(root, b"link", b"/etc", SOMEBODY + 1000, 0, 0)
    assert namespace.list(root) == [b"draft"]


def test_not_when_they_come_out_of_a_draft(namespace: Namespace) -> None:
    nodes = namespace._nodes
    draft, _ = namespace.lookup(nodes.root, b"draft")
    namespace.make_link(draft, b"link", b"/etc", SOMEBODY + 1000, 0, 0)
    namespace.make_directory(nodes.root, b"other", 0o755, *ME)
    for flags, name in ((0, b"moved"), (RENAME_EXCHANGE, b"other")):
        with pytest.raises(PermissionError):
            namespace.rename(draft, b"link", nodes.root, name, flags, 0, SOMEBODY + 1000)
    assert sorted(namespace.list(nodes.root)) == [b"draft", b"other"]
    with pytest.raises(PermissionError):
        namespace.rename(nodes.root, b"other", draft, b"link", RENAME_EXCHANGE, 0, SOMEBODY + 1000)


def test_the_daemons_own_are_taken(namespace: Namespace) -> None:
    root = namespace._nodes.root
    namespace.make_link(root, b"link", b"/etc", os.geteuid(), 0, 0)
    assert sorted(namespace.list(root)) == [b"draft", b"link"]
