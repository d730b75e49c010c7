"""What the tests of the read-only tree work on: a real home, and versions of real folders or of content trees alone."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from artfs.artifacts.scan import scan
from artfs.catalog.blobs import Place
from artfs.catalog.new_version import NewContents, NewVersion
from artfs.catalog.versions import Version
from artfs.content.tree import Entry, Tree
from artfs.workspace.workspace import Workspace
from artfs_mount.tree.node import Directory, TreeNode
from artfs_mount.tree.tree import MountTree
from support.entries import file
from support.versions import seal

Seal = Callable[..., Version]
Record = Callable[..., Version]
At = Callable[[str], Any]


@pytest.fixture
def tree(workspace: Workspace) -> MountTree:
    """Its tree, as a mount would show it."""
    return MountTree(workspace, status=lambda: b'{"drafts": []}\n')


@pytest.fixture
def at(tree: MountTree) -> At:
    """Returns the node at a path of the mount, by looking up one component after the other."""

    def find(path: str) -> TreeNode:
        node: TreeNode = tree.root
        for component in os.fsencode(path).split(b"/"):
            assert isinstance(node, Directory)
            node = node.lookup(component)
        return node

    return find


@pytest.fixture
def seal_folder(workspace: Workspace) -> Seal:
    """Makes a version of a real file or folder: `seal_folder(path, "name", tags=["best"])`."""

    def make(path: Path, artifact: str, **facts: Any) -> Version:
        return seal(scan(path), workspace, artifact, adopt=False, **facts)

    return make


@pytest.fixture
def record(workspace: Workspace) -> Record:
    """Makes a version of entries by path, whose bytes lie nowhere: `record("name", {b"a/b": file(b"...")})`."""

    def make(artifact: str, entries: Mapping[bytes, Entry] | None = None, **facts: Any) -> Version:
        tree = Tree.from_files({b"f": file(artifact.encode())} if entries is None else entries, mtime_ns=7)
        identifier = str(uuid.uuid4())
        places = {
            entry.file.digest: Place(b"%s/%s" % (identifier.encode(), path), store_id=workspace.stores.active.id)
            for path, entry in tree.walk()
            if entry.file is not None
        }
        return workspace.catalog.versions.create(NewVersion(artifact, tree, identifier, **facts), NewContents(places))

    return make
