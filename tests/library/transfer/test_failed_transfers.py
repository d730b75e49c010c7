"""What could not be brought to a store waits and is tried again; nothing is lost, damaged or brought twice by that."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path

import pytest

from artfs.artifacts.save import save
from artfs.artifacts.seal import scan
from artfs.catalog.versions import LIVE, STAGED, Version
from artfs.errors import StoreError
from artfs.stores.base import Store
from artfs.stores.local.store import LocalStore
from artfs.transfers import delivery
from artfs.transfers.worker import Worker
from artfs.workspace.workspace import Workspace
from support.transfers import (
    FILES,
    SickStore,
    Time,
    contents_of_landing,
    fails,
    is_whole_in,
    landed,
    owe,
    state,
    the_row,
)
from support.versions import seal


class TestFailures:
    def test_what_failed_waits_longer_each_time_and_then_goes_on(
        self, workspace: Workspace, worker: Worker, remote: Store, time: Time
    ) -> None:
        version = landed(workspace, remote, {b"a": b"content"})
        SickStore.ill = fails
        tries: list[float] = []
        for _ in range(200):
            before = the_row(workspace).attempts
            worker.work()
            if the_row(workspace).attempts > before:
                tries.append(time.seconds)
            time.seconds += 0.25
        assert [round(later - earlier) for earlier, later in itertools.pairwise(tries)] == [1, 2, 4, 8, 16]
        row = the_row(workspace)
        assert row.error == "no route to the host"
        assert row.since_us == 1_000 * 1_000_000
        assert state(workspace, version) == STAGED
        SickStore.ill = None
        worker.work()
        assert the_row(workspace) == row, "its time has not come"
        time.seconds += 300
        worker.work()
        assert worker.owed() == []
        assert is_whole_in(remote, version, workspace)

    def test_what_a_stranger_raises_is_told_without_its_secrets(
        self, workspace: Workspace, worker: Worker, remote: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        landed(workspace, remote, {b"a": b"content"})
        SickStore.ill = panics
        caplog.set_level("CRITICAL", logger="artfs.transfers.worker")
        worker.work()
        error = the_row(workspace).error
        assert error is not None
        assert "ZeroDivisionError: password=***" in error
        assert "hunter2" not in error

    def test_one_that_fails_keeps_no_other_waiting(
        self, workspace: Workspace, worker: Worker, remote: Store, other: Store, version: Version
    ) -> None:
        bad = landed(workspace, remote, {b"bad": b"1"})
        good = landed(workspace, remote, {b"good": b"2"})
        owe(workspace, version, other)
        SickStore.ill = lambda store, source, key: fails(store, source, key) if key.endswith(b"bad") else None
        worker.work()
        assert [owed.row.version_id for owed in worker.owed()] == [bad.id]
        assert state(workspace, good) == LIVE
        assert is_whole_in(other, version, workspace)

    def test_what_came_before_a_failure_is_not_brought_again(
        self, workspace: Workspace, worker: Worker, remote: Store, time: Time
    ) -> None:
        version = landed(workspace, remote, {b"%d" % number: b"%d" % number for number in range(5)})
        put: list[bytes] = []

        def ill(store: Store, source: Path, key: bytes) -> None:
            if key.endswith(b"3") and len(put) == 3:
                put.append(b"failed")
                raise StoreError("reset by peer")
            put.append(key[-1:])

        SickStore.ill = ill
        worker.work()
        row = the_row(workspace)
        assert (row.done, row.attempts, row.error) == (3, 1, "reset by peer")
        time.seconds += 1
        worker.work()
        assert put == [b"0", b"1", b"2", b"failed", b"3", b"4"]
        assert state(workspace, version) == LIVE

    def test_what_a_dead_worker_put_without_recording_it_is_looked_at(
        self, workspace: Workspace, worker: Worker, remote: Store
    ) -> None:
        """Some stores show a file before it is whole."""
        version = landed(workspace, remote, {b"whole": b"whole", b"half": b"half of it"})
        area = workspace.transfers.landing.area(remote)
        for key in list(area.places()):
            content = Path(area.place_path(key)).read_bytes()
            remote.files.makedirs(remote.place_path(key).rpartition("/")[0])
            with remote.files.open(remote.place_path(key), "wb") as file:
                file.write(content[:4] if key.endswith(b"half") else content)
        worker.work()
        assert worker.owed() == []
        assert is_whole_in(remote, version, workspace)

    def test_a_copy_that_a_death_cut_short_is_removed_and_no_file_of_that_name(
        self, workspace: Workspace, worker: Worker, other: Store, tmp_path: Path
    ) -> None:
        (tmp_path / "made/deep").mkdir(parents=True)
        (tmp_path / "made/deep/.artfs-copy-of-mine").write_bytes(b"mine")
        version = seal(scan(tmp_path / "made"), workspace, "big", adopt=False)
        owe(workspace, version, other)
        left = Path(other.place_path(delivery.folder_of(version) + b"/deep/.artfs-copy-0123"))
        left.parent.mkdir(parents=True)
        left.write_bytes(b"mi")
        worker.work()
        assert [place.rpartition(b"/")[2] for place in other.places()] == [b".artfs-copy-of-mine"]
        assert is_whole_in(other, version, workspace)

    def test_what_the_catalog_has_at_a_place_is_never_replaced(
        self, workspace: Workspace, worker: Worker, other: Store, version: Version
    ) -> None:
        owe(workspace, version, other)
        key = delivery.folder_of(version) + b"/a"
        file = Path(other.place_path(key))
        file.parent.mkdir(parents=True)
        file.write_bytes(b"precious")
        stranger = save(workspace, b"precious", "precious")
        assert stranger.tree_id is not None
        [(_, entry)] = workspace.catalog.trees.walk(stranger.tree_id)
        assert entry.blob_id is not None
        assert other.id is not None
        workspace.catalog.copies.arrived(other.id, entry.blob_id, key)
        worker.work()
        assert "has other bytes already" in str(the_row(workspace).error)
        assert file.read_bytes() == b"precious"

    def test_a_store_that_writes_other_bytes_is_found_out(
        self, workspace: Workspace, worker: Worker, version: Version, other: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        owe(workspace, version, other)
        place = LocalStore.place

        def corrupting(store: LocalStore, source: Path, relative: bytes, *, adopt: bool = True) -> bytes:
            place(store, source, relative, adopt=adopt)
            file = Path(store.place_path(relative))
            file.chmod(0o600)
            file.write_bytes(b"x" * file.stat().st_size)
            return relative

        with monkeypatch.context() as patch:
            patch.setattr(LocalStore, "place", corrupting)
            worker.work()
        assert "is not what was written there" in str(the_row(workspace).error)
        assert list(other.places()) == []

    def test_a_full_disk_loses_nothing(self, workspace: Workspace, worker: Worker, remote: Store, time: Time) -> None:
        version = landed(workspace, remote, FILES)
        SickStore.ill = is_full
        worker.work()
        assert the_row(workspace).error == "No space left on device"
        assert contents_of_landing(workspace, remote) == set(FILES.values())
        SickStore.ill = None
        time.seconds += 1
        worker.work()
        assert is_whole_in(remote, version, workspace)

    def test_a_store_whose_disk_is_not_mounted(
        self, workspace: Workspace, worker: Worker, version: Version, other: Store, tmp_path: Path, time: Time
    ) -> None:
        owe(workspace, version, other)
        (tmp_path / "other").rename(tmp_path / "away")
        (tmp_path / "other").mkdir()
        workspace.stores.close()
        worker.work()
        assert "is its disk mounted" in str(the_row(workspace).error)
        assert os.listdir(tmp_path / "other") == []
        (tmp_path / "other").rmdir()
        (tmp_path / "away").rename(tmp_path / "other")
        time.seconds += 1
        worker.work()
        assert worker.owed() == []
        assert is_whole_in(workspace.stores.by_name("other"), version, workspace)


def panics(store: Store, source: Path, key: bytes) -> None:
    raise ZeroDivisionError("password=hunter2")


def is_full(store: Store, source: Path, key: bytes) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
