"""Versions that are owed to stores, and stores that they are owed to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from artfs.catalog.blobs import Place
from artfs.catalog.new_version import NewContents, NewVersion
from artfs.catalog.pending import PendingRow
from artfs.catalog.versions import STAGED, Version
from artfs.content.digest import hash_bytes
from artfs.content.tree import Tree
from artfs.errors import StoreError
from artfs.stores.backend import Progress, Stored
from artfs.stores.base import Store
from artfs.stores.remote.fsspec import FsspecStore
from artfs.transfers.arrival import is_there
from artfs.transfers.pending import owe_copy, owe_upload
from artfs.transfers.retrying import Clock
from artfs.workspace.registration import register_store
from artfs.workspace.workspace import Workspace
from support.trees import file_entry

FILES = {b"a": b"first", b"deep/b": b"second", b"deep/again": b"first", b"large": os.urandom(5 * 2**20)}


class SickStore(FsspecStore):
    """A store of another machine, in memory, that does what `ill` says before it takes a file."""

    flavor = "test-sick"
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"memory://"}
    PROTOCOL: ClassVar[str] = "memory"
    ill: ClassVar[Any] = None

    def put(self, source: Path, key: bytes, progress: Progress = lambda taken: None) -> Stored:
        if self.ill is not None:
            type(self).ill(self, source, key)
        return super().put(source, key, progress)


class Time:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: round(self.seconds * 1_000_000), lambda: 1.0)


def local_store(workspace: Workspace, root: Path, name: str = "other") -> Store:
    """A second store on this machine."""
    return register_store(workspace, name, "local", str(root))


def contents_of(version: Version, workspace: Workspace) -> dict[bytes, bytes]:
    """What is in a version's files, read from wherever it can be."""
    assert version.tree_id is not None
    found: dict[bytes, bytes] = {}
    for path, entry in workspace.catalog.trees.load(version.tree_id).walk():
        if entry.file is not None:
            with workspace.blobs.open(entry.file.digest) as reader:
                found[path] = bytes(reader.read(0, entry.file.size))
    return found


def is_whole_in(store: Store, version: Version, workspace: Workspace) -> bool:
    """Whether a store has all of a version: the catalog says so, and the bytes are right."""
    assert version.tree_id is not None
    assert store.id is not None
    files = [entry.file for _, entry in workspace.catalog.trees.load(version.tree_id).walk() if entry.file]
    known = workspace.catalog.copies.of([file.digest for file in files], store.id)
    return all(
        known[file.digest].live and all(is_there(store, copy.path, file) for copy in known[file.digest].live)
        for file in files
    )


def landed(workspace: Workspace, store: Store, contents: dict[bytes, bytes], artifact: str = "big") -> Version:
    """Make a version as it is before its upload: its files in the landing area of a store, its places staged."""
    uuid = uuid4()
    folder = f"{artifact}/{uuid.hex}".encode()
    area = workspace.transfers.landing.area(store)
    places = {hash_bytes(content): path for path, content in contents.items()}
    for path in places.values():
        content = contents[path]
        file = Path(area.place_path(folder + b"/" + path))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.chmod(file, 0o400)
    catalog = workspace.catalog
    with catalog.transaction():
        machine = catalog.machines.own_id()
        tree = Tree.from_files({path: file_entry(content) for path, content in contents.items()})
        staged = {
            digest: Place(folder + b"/" + path, store.id, state=STAGED, machine_id=machine)
            for digest, path in places.items()
        }
        new = NewVersion(artifact, tree, str(uuid), state=STAGED, store_id=store.id)
        version = catalog.versions.create(new, NewContents(staged))
        owe_upload(catalog, version, sum(map(len, contents.values())))
    return version


def the_row(workspace: Workspace) -> PendingRow:
    [row] = workspace.catalog.pending.list()
    return row


def has_landed_files(workspace: Workspace, store: Store) -> bool:
    return list(workspace.transfers.landing.area(store).places()) != []


def owe(workspace: Workspace, version: Version, store: Store) -> None:
    assert store.id is not None
    owe_copy(workspace.catalog, version, store.id)


def state(workspace: Workspace, version: Version) -> str:
    row = workspace.catalog.versions.by_id(version.id)
    assert row is not None
    return row.state


def contents_of_landing(workspace: Workspace, store: Store) -> set[bytes]:
    area = workspace.transfers.landing.area(store)
    return {Path(area.place_path(place)).read_bytes() for place in area.places()}


def fails(store: Store, source: Path, key: bytes) -> None:
    """What a `SickStore` may be ill with."""
    raise StoreError("no route to the host")
