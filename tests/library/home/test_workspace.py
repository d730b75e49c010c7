"""The workspace: a home's parts, put together."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from artfs.content.digest import Digest
from artfs.errors import InvalidValue, StoreNotFound
from artfs.home.home import Home
from artfs.workspace.workspace import Workspace


def test_a_new_home_has_a_default_store_and_stack(home: Path) -> None:
    with Workspace.open() as workspace:
        store = workspace.stores.active
        assert workspace.home.path == home
        assert (store.name, store.flavor, store.path) == ("default", "local", str(home / "store"))
        assert store.id is not None
        assert workspace.stores.by_name("default") is workspace.stores.by_id(store.id) is store
        assert workspace.stores.local() == [store]


def test_making_one_opens_nothing(home: Path) -> None:
    with Workspace(Home(home).create()):
        assert not (home / "catalog.db").exists()


def test_what_is_not_there_is_a_clear_error(home: Path) -> None:
    with Workspace.open(home) as workspace:
        with pytest.raises(StoreNotFound, match="no artifact store is named 'nas'"):
            workspace.stores.by_name("nas")
        with pytest.raises(StoreNotFound, match="id 99"):
            workspace.stores.by_id(99)
        with pytest.raises(FileNotFoundError, match="knows no content b3:00"):
            workspace.blobs.open(Digest(bytes(32)))
        workspace.home.configure(active_stack="gone")
        with pytest.raises(InvalidValue, match=r"the active stack 'gone' of .*config.toml does not exist"):
            _ = workspace.stores.active


def _store_id(home: Path) -> int | None:
    with Workspace.open(home) as workspace:
        return workspace.stores.active.id


def test_processes_that_open_a_new_home_at_once_agree(home: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_store_id, [home] * 8))) == 1
