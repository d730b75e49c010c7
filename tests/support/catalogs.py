"""Versions whose bytes are nowhere, for tests of the catalog alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from artfs.catalog import Catalog, Place
from artfs.catalog.new_version import NewContents, NewVersion
from artfs.catalog.trees import files_of
from artfs.catalog.versions import Version
from artfs.content.digest import Digest
from artfs.content.tree import Tree
from support.trees import file_entry


def tree_with(contents: Mapping[bytes, bytes]) -> Tree:
    """The tree with these files, path -> content."""
    return Tree.from_files({path: file_entry(content) for path, content in contents.items()})


def places_for(tree: Tree, uuid: str, **facts: Any) -> dict[Digest, Place]:
    """A place for every content of a tree, as if it had been stored for the version `uuid`."""
    return {digest: Place(f"{uuid}/{digest.hex()}".encode(), **facts) for digest in files_of(tree)}


def save(
    catalog: Catalog, artifact: str, contents: Mapping[bytes, bytes] | Tree | bytes = b"", **facts: Any
) -> Version:
    """Make a version of some files, or of one file."""
    if isinstance(contents, bytes):
        contents = {b"file": contents}
    tree = contents if isinstance(contents, Tree) else tree_with(contents)
    uuid = facts.pop("uuid", None) or str(uuid4())
    places = facts.pop("places", None)
    given = {name: facts.pop(name) for name in ("also_at", "unsynced") if name in facts}
    new = NewContents(places_for(tree, uuid) if places is None else places, **given)
    return catalog.versions.create(NewVersion(artifact, tree, uuid, **facts), new)
