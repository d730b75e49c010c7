"""What is owed to stores is brought there: checked, once, by whoever works, and whatever has failed before."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest

from artfs.artifacts.delete import delete_version
from artfs.artifacts.register import register
from artfs.artifacts.save import save
from artfs.artifacts.seal import scan
from artfs.catalog.pending import COPY
from artfs.catalog.versions import LIVE, STAGED, Version
from artfs.errors import InvalidValue, StoreError
from artfs.stores.backend import Progress, Stored
from artfs.stores.base import Store
from artfs.stores.local.store import LocalStore
from artfs.stores.remote.fsspec import FsspecStore
from artfs.transfers import delivery
from artfs.transfers.pending import owe_copy, owe_upload, told
from artfs.transfers.worker import Worker
from artfs.workspace.workspace import Workspace
from support.transfers import (
    Time,
    contents_of,
    has_landed_files,
    is_whole_in,
    landed,
    local_store,
    the_row,
)
from support.versions import seal

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


@pytest.fixture
def time(workspace: Workspace) -> Time:
    return Time()


@pytest.fixture
def worker(workspace: Workspace, time: Time) -> Iterator[Worker]:
    """A worker whose time goes on when a test says so."""
    made = Worker(
        workspace.home, lambda: workspace.catalog, workspace.stores, workspace.manifests.write_owed, time.clock
    )
    yield made
    made.close()


@pytest.fixture
def remote(workspace: Workspace) -> Iterator[Store]:
    row = workspace.catalog.stores.register("bucket", "test-sick", "memory://bucket/artfs")
    SickStore.ill = None
    yield workspace.stores.by_id(row.id)
    SickStore.ill = None
    fsspec.filesystem("memory").rm("/", recursive=True)


@pytest.fixture
def other(workspace: Workspace, tmp_path: Path) -> Store:
    return local_store(workspace, tmp_path / "other")


@pytest.fixture
def version(workspace: Workspace, tmp_path: Path) -> Version:
    """A version in the default store."""
    for path, content in FILES.items():
        file = tmp_path / "made" / os.fsdecode(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return seal(scan(tmp_path / "made"), workspace, "big", adopt=False)


def owe(workspace: Workspace, version: Version, store: Store) -> None:
    assert store.id is not None
    owe_copy(workspace.catalog, version, store.id)


def state(workspace: Workspace, version: Version) -> str:
    row = workspace.catalog.versions.by_id(version.id)
    assert row is not None
    return row.state


class TestCopies:
    def test_to_a_local_store(self, workspace: Workspace, worker: Worker, version: Version, other: Store) -> None:
        owe(workspace, version, other)
        assert not is_whole_in(other, version, workspace)
        [owed] = worker.owed()
        assert (owed.what, owed.store, owed.left, owed.row.kind) == ("big/1", "other", 11 + 5 * 2**20, COPY)
        worker.work()
        assert worker.owed() == []
        assert is_whole_in(other, version, workspace)
        modes = {Path(other.place_path(place)).stat().st_mode & 0o777 for place in other.places()}
        assert modes == {0o400}
        assert len(list(other.places())) == 3, "equal files are one"

    @pytest.mark.expected_warnings("another place has the bytes")
    def test_to_a_store_of_another_machine_and_on_from_there(
        self, workspace: Workspace, worker: Worker, version: Version, remote: Store, other: Store
    ) -> None:
        owe(workspace, version, remote)
        worker.work()
        assert is_whole_in(remote, version, workspace)
        for place in list(workspace.stores.active.places()):
            workspace.stores.active.delete(place)
        assert other.id is not None
        owe_copy(workspace.catalog, version, other.id, source_id=remote.id)
        worker.work()
        assert worker.owed() == []
        assert is_whole_in(other, version, workspace)
        assert list((workspace.home.cache / "transfers").iterdir()) == []
        assert contents_of(version, workspace) == FILES, "reading finds the store that has it"

    def test_what_the_store_has_is_not_brought_again(
        self, workspace: Workspace, worker: Worker, version: Version, other: Store
    ) -> None:
        owe(workspace, version, other)
        worker.work()
        before = {place: os.stat(other.place_path(place)).st_ino for place in other.places()}
        again = save(workspace, b"second", "other")
        owe(workspace, version, other)
        owe(workspace, again, other)
        worker.work()
        assert worker.owed() == []
        now = {place: os.stat(other.place_path(place)).st_ino for place in other.places()}
        assert before.items() <= now.items()

    def test_of_a_single_content(self, workspace: Workspace, worker: Worker, version: Version, other: Store) -> None:
        assert version.tree_id is not None
        entry = workspace.catalog.trees.find(version.tree_id, b"deep/b")
        assert entry is not None
        assert other.id is not None
        workspace.catalog.pending.add(COPY, other.id, bytes=6, blob_id=entry.blob_id)
        assert worker.owed()[0].what.startswith("b3:")
        worker.work()
        assert worker.owed() == []
        [place] = other.places()
        assert Path(other.place_path(place)).read_bytes() == b"second"

    def test_of_what_was_registered_in_place(
        self, workspace: Workspace, worker: Worker, other: Store, tmp_path: Path
    ) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data/file").write_bytes(b"data")
        version = register(workspace, tmp_path / "data", "data")
        with pytest.raises(InvalidValue, match="registered in place"):
            owe_upload(workspace.catalog, version, 4)
        owe(workspace, version, other)
        worker.work()
        assert is_whole_in(other, version, workspace)

    def test_of_what_has_only_landed_here(
        self, workspace: Workspace, worker: Worker, remote: Store, other: Store
    ) -> None:
        version = landed(workspace, remote, FILES)
        workspace.catalog.pending.pause()
        owe(workspace, version, other)
        worker.work()
        assert is_whole_in(other, version, workspace)
        assert state(workspace, version) == STAGED

    def test_from_wherever_it_can_be_read(
        self, workspace: Workspace, worker: Worker, version: Version, other: Store
    ) -> None:
        """One more store that should have it has a flavour that is not here."""
        assert version.tree_id is not None
        away = workspace.catalog.stores.register("away", "not-here", "not-here://away").id
        for path, entry in workspace.catalog.trees.walk(version.tree_id):
            if entry.blob_id is not None:
                workspace.catalog.copies.arrived(away, entry.blob_id, path)
        assert other.id is not None
        owe_copy(workspace.catalog, version, other.id, source_id=away)
        worker.work()
        assert worker.owed() == []
        assert is_whole_in(other, version, workspace)

        for place in list(workspace.stores.active.places()):
            workspace.stores.active.delete(place)
        for place in list(other.places()):
            other.delete(place)
        third = local_store(workspace, Path(other.root).with_name("third"), "third")
        owe(workspace, version, third)
        worker.work()
        assert "no artifact store flavor 'not-here'" in str(the_row(workspace).error)

    def test_of_a_version_that_was_removed_when_it_came_to_be_owed(
        self, workspace: Workspace, worker: Worker, version: Version, other: Store
    ) -> None:
        delete_version(workspace, version)
        owe(workspace, version, other)
        worker.work()
        assert worker.owed() == []
        assert list(other.places()) == []

    def test_of_nothing(self, workspace: Workspace, version: Version, other: Store) -> None:
        delete_version(workspace, version)
        gone = workspace.catalog.versions.by_id(version.id)
        assert gone is not None
        with pytest.raises(InvalidValue, match="nothing to copy"):
            owe(workspace, gone, other)

    def test_a_damaged_file_goes_nowhere(
        self, workspace: Workspace, worker: Worker, version: Version, other: Store, remote: Store
    ) -> None:
        [damaged] = [place for place in workspace.stores.active.places() if place.endswith(b"/deep/b")]
        file = Path(workspace.stores.active.place_path(damaged))
        file.chmod(0o600)
        file.write_bytes(b"SECOND")
        for store in (other, remote):
            owe(workspace, version, store)
        worker.work()
        rows = workspace.catalog.pending.list()
        assert [row.attempts for row in rows] == [1, 1]
        for row in rows:
            assert row.error is not None
            assert f"'{file}' is damaged" in row.error
        for store in (other, remote):
            assert not any(place.endswith(b"/deep/b") for place in store.places())
        file.write_bytes(b"second")
        workspace.catalog.pending.retry()
        worker.work()
        assert worker.owed() == []
        assert is_whole_in(other, version, workspace)
        assert is_whole_in(remote, version, workspace)


class TestUploads:
    def test_a_version_is_live_when_it_is_in_its_store(
        self, workspace: Workspace, worker: Worker, remote: Store
    ) -> None:
        version = landed(workspace, remote, FILES)
        assert state(workspace, version) == STAGED
        assert has_landed_files(workspace, remote)
        worker.work()
        assert worker.owed() == []
        assert state(workspace, version) == LIVE
        assert is_whole_in(remote, version, workspace)
        assert not has_landed_files(workspace, remote)

    def test_a_content_that_two_versions_have_comes_once(
        self, workspace: Workspace, worker: Worker, remote: Store
    ) -> None:
        one = landed(workspace, remote, {b"a": b"same"})
        place = next(iter(workspace.transfers.landing.area(remote).places()))
        two = landed(workspace, remote, {b"b": b"same", b"c": b"other"})
        worker.work()
        assert worker.owed() == []
        assert (state(workspace, one), state(workspace, two)) == (LIVE, LIVE)
        assert is_whole_in(remote, two, workspace)
        assert place in set(remote.places())
        assert not has_landed_files(workspace, remote)

    def test_what_a_dead_worker_left_in_the_landing_area_goes_with_its_version(
        self, workspace: Workspace, worker: Worker, remote: Store
    ) -> None:
        """Its file had become another place of a content that two versions have."""
        version, other = landed(workspace, remote, FILES), landed(workspace, remote, {b"x": b"x"})
        area = workspace.transfers.landing.area(remote)
        left, kept = (Path(area.place_path(delivery.folder_of(each) + b"/left")) for each in (version, other))
        for file in (left, kept):
            file.write_bytes(b"left")
        workspace.catalog.pending.pause([row.id for row in workspace.catalog.pending.of_version(other.id)])
        worker.work()
        assert not left.exists()
        assert kept.exists()
        assert contents_of_landing(workspace, remote) == {b"x", b"left"}

    def test_the_landing_area_is_where_the_settings_say(
        self, workspace: Workspace, worker: Worker, remote: Store, tmp_path: Path
    ) -> None:
        workspace.home.configure(landing=str(tmp_path / "disk"))
        with pytest.raises(StoreError, match=r"landing area of the artifact store 'bucket' cannot be made"):
            worker.landing.area(remote)
        (tmp_path / "disk").mkdir()
        area = worker.landing.area(remote)
        assert Path(area.root).is_relative_to(tmp_path / "disk" / workspace.home.identity)
        assert os.stat(area.root).st_mode & 0o777 == 0o700
        assert worker.landing.area(remote) is area

    def test_a_local_store_is_its_own(self, workspace: Workspace, worker: Worker) -> None:
        active = workspace.stores.active
        assert worker.landing.area(active) is active


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


class TestRemovalMeanwhile:
    def test_a_version_that_is_removed_is_not_brought(
        self, workspace: Workspace, worker: Worker, version: Version, other: Store
    ) -> None:
        owe(workspace, version, other)
        delete_version(workspace, version)
        worker.work()
        assert worker.owed() == []
        assert list(other.places()) == []

    def test_what_is_put_while_it_is_removed_is_taken_back(
        self, workspace: Workspace, worker: Worker, version: Version, remote: Store
    ) -> None:
        owe(workspace, version, remote)

        def removed_meanwhile(store: Store, source: Path, key: bytes) -> None:
            SickStore.ill = None
            delete_version(workspace, version)

        SickStore.ill = removed_meanwhile
        kept = save(workspace, b"first", "kept")  # shares a content with it
        worker.work()
        assert worker.owed() == []
        assert list(remote.places()) == []
        assert contents_of(kept, workspace) == {b"data.bin": b"first"}
        assert workspace.catalog.check() == []


class TestPausing:
    def test_a_row_that_is_paused_ends_after_what_is_being_brought(
        self, workspace: Workspace, worker: Worker, remote: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "BATCH_FILES", 2)
        version = landed(workspace, remote, {b"%d" % number: b"%d" % number for number in range(6)})
        pending = workspace.catalog.pending
        SickStore.ill = lambda store, source, key: pending.pause() if key.endswith(b"1") else None
        worker.work()
        row = the_row(workspace)
        assert (row.done, row.paused, row.error) == (2, True, None)
        worker.work()
        assert the_row(workspace) == row
        assert [each.row for each in worker.wait(seconds=60)] == [row], "whoever waits does not wait for it"
        pending.resume()
        worker.work()
        assert state(workspace, version) == LIVE

    def test_a_worker_that_is_stopped_ends_after_the_content_that_is_being_brought(
        self, workspace: Workspace, worker: Worker, remote: Store
    ) -> None:
        landed(workspace, remote, {b"%d" % number: b"%d" % number for number in range(6)})
        SickStore.ill = lambda store, source, key: worker.stop() if key.endswith(b"2") else None
        worker.work()
        assert the_row(workspace).done == 3
        assert the_row(workspace).attempts == 0


class TestWaiting:
    def test_it_is_done_here_where_nobody_else_does_it(
        self, workspace: Workspace, version: Version, other: Store, remote: Store
    ) -> None:
        owe(workspace, version, other)
        uploaded = landed(workspace, remote, {b"a": b"content"})
        seen: list[str] = []
        left = workspace.transfers.wait(show=lambda left: seen.extend(each.what for each in left))
        assert left == []
        assert state(workspace, uploaded) == LIVE
        assert is_whole_in(other, version, workspace)
        assert set(seen) <= {"big/1", "big/2"}

    def test_nothing_owed_is_not_waited_for(self, workspace: Workspace) -> None:
        assert workspace.transfers.wait() == []
        assert not workspace.transfers.is_somewhere()

    def test_it_ends_when_its_time_is_up_with_what_is_left(self, workspace: Workspace, remote: Store) -> None:
        landed(workspace, remote, {b"a": b"content"})
        stalled = threading.Event()
        SickStore.ill = lambda store, source, key: stalled.wait(60)
        left = workspace.transfers.wait(seconds=0.5)
        assert [each.is_worked_on for each in left] == [True]
        assert told(left) == "1 transfer is still owed to 'bucket', 7 bytes; 'artfs sync' or a mount goes on with that"
        stalled.set()
        assert workspace.transfers.wait() == []

    def test_a_store_that_stalls_keeps_no_other_waiting(
        self, workspace: Workspace, version: Version, other: Store, remote: Store
    ) -> None:
        landed(workspace, remote, {b"a": b"content"})
        owe(workspace, version, other)
        stalled, come = threading.Event(), threading.Event()

        def stalls(store: Store, source: Path, key: bytes) -> None:
            come.set()
            stalled.wait(60)

        SickStore.ill = stalls
        waiting = threading.Thread(target=workspace.transfers.wait)
        waiting.start()
        assert come.wait(60)
        while len(workspace.catalog.pending.list()) > 1:
            assert waiting.is_alive()
        assert is_whole_in(other, version, workspace)
        stalled.set()
        waiting.join()

    def test_what_fails_for_long_is_given_up(self, workspace: Workspace, remote: Store) -> None:
        landed(workspace, remote, {b"a": b"content"})
        SickStore.ill = fails
        left = workspace.transfers.wait(patience=1.0)
        assert "; the last error: no route to the host; " in told(left)
        assert left[0].row.attempts >= 1
        SickStore.ill = None
        assert workspace.transfers.wait() == [], "and tried at once by whoever waits next"

    def test_another_worker_does_it_and_its_death_is_noticed(
        self, workspace: Workspace, home: Path, remote: Store
    ) -> None:
        """What is in memory is this process's own, so that the other worker does nothing, and is killed."""
        landed(workspace, remote, {b"a": b"content"})
        with workspace.transfers.locks.held("worker"):
            assert workspace.transfers.is_somewhere()
            assert len(workspace.transfers.wait(seconds=0.3)) == 1
        assert workspace.transfers.wait() == []


def fails(store: Store, source: Path, key: bytes) -> None:
    raise StoreError("no route to the host")


def panics(store: Store, source: Path, key: bytes) -> None:
    raise ZeroDivisionError("password=hunter2")


def is_full(store: Store, source: Path, key: bytes) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def contents_of_landing(workspace: Workspace, store: Store) -> set[bytes]:
    area = workspace.transfers.landing.area(store)
    return {Path(area.place_path(place)).read_bytes() for place in area.places()}
