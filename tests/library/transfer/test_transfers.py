"""What is owed to stores is brought there: checked, once, by whoever works."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artfs.artifacts.delete import delete_version
from artfs.artifacts.register import register
from artfs.artifacts.save import save
from artfs.catalog.pending import COPY
from artfs.catalog.versions import LIVE, STAGED, Version
from artfs.errors import InvalidValue, StoreError
from artfs.stores.base import Store
from artfs.transfers import delivery
from artfs.transfers.pending import owe_copy, owe_upload
from artfs.transfers.worker import Worker
from artfs.workspace.workspace import Workspace
from support.transfers import (
    FILES,
    SickStore,
    contents_of,
    contents_of_landing,
    has_landed_files,
    is_whole_in,
    landed,
    local_store,
    owe,
    state,
    the_row,
)


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
