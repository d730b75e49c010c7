"""Sealing: what was measured becomes a version, whole or not at all, and no bytes are stored twice."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from pathlib import Path

import pytest

from artfs.artifacts.orphans import inodes_of, orphans, remove_orphan_anywhere
from artfs.artifacts.scan import Elsewhere, Scanned, scan, scan_in_place
from artfs.catalog.versions import Version
from artfs.content import files
from artfs.content.digest import FileDigest, hash_bytes
from artfs.errors import (
    ChangedWhileReading,
    DigestMismatch,
    InvalidName,
    MissingPlace,
    PlaceChanged,
    StoreError,
    VersionExists,
)
from artfs.stages import stages
from artfs.workspace.workspace import Workspace
from support.versions import seal as sealed


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "deep").mkdir(parents=True)
    (made / "a").write_bytes(b"aaa")
    (made / "deep/b").write_bytes(b"bbb")
    (made / "deep/again").write_bytes(b"aaa")
    (made / "deep/link").symlink_to("../a")
    return made


def stored(workspace: Workspace) -> list[bytes]:
    """The files in the store, without the directories of artifact and version."""
    return sorted(place.split(b"/", 2)[2] for place in workspace.stores.active.places())


def content(workspace: Workspace, version: Version) -> dict[bytes, bytes]:
    """The files of a version, read through the verified reader."""
    assert version.tree_id is not None
    found: dict[bytes, bytes] = {}
    for path, entry in workspace.catalog.trees.walk(version.tree_id):
        if entry.blob_id is not None and entry.digest is not None:
            with workspace.blobs.open(entry.digest) as reader:
                found[path] = bytes(reader.read(0, reader.size))
    return found


def make(workspace: Workspace, source: Path, artifact: str = "iris", **facts: str | None) -> Version:
    return sealed(scan(source), workspace, artifact, **facts)  # type: ignore[arg-type]


def test_a_version_holds_what_was_measured(workspace: Workspace, source: Path) -> None:
    scanned = scan(source)
    version = sealed(scanned, workspace, "iris", tags=["good"], metadata={"rows": 3})
    assert (version.artifact, version.name, version.state, version.digest) == (
        "iris",
        "1",
        "live",
        scanned.tree.digest,
    )
    assert (version.mode, version.mtime_ns) == (scanned.mode, scanned.mtime_ns)
    assert content(workspace, version) == {b"a": b"aaa", b"deep/b": b"bbb", b"deep/again": b"aaa"}
    directory = workspace.home.store_root / "iris" / uuid.UUID(version.uuid).hex
    assert (directory / "deep/b").samefile(source / "deep/b")


def test_equal_content_is_stored_once(workspace: Workspace, source: Path) -> None:
    make(workspace, source)
    assert stored(workspace) == [b"a", b"deep/b"]
    (source / "deep/b").unlink()
    (source / "deep/b").write_bytes(b"new")
    version = make(workspace, source)
    assert stored(workspace) == [b"a", b"deep/b", b"deep/b"]
    assert content(workspace, version)[b"a"] == b"aaa"
    make(workspace, source, "other name")
    assert len(stored(workspace)) == 3
    assert sorted(os.listdir(workspace.home.store_root)) == [".artfs", "iris"]


def test_files_that_go_on_being_written_are_copied(workspace: Workspace, source: Path) -> None:
    version = sealed(scan(source), workspace, "iris", adopt=False)
    (source / "a").write_bytes(b"changed")
    assert content(workspace, version)[b"a"] == b"aaa"


def test_a_file_from_another_file_system_is_copied(workspace: Workspace) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        (Path(elsewhere) / "file").write_bytes(b"far")
        version = make(workspace, Path(elsewhere))
    assert content(workspace, version) == {b"file": b"far"}


def test_a_file_that_nobody_may_read_is_readable_in_the_store(workspace: Workspace, source: Path) -> None:
    (source / "a").chmod(0o000)
    version = make(workspace, source)
    assert not (workspace.home.store_root / "iris" / uuid.UUID(version.uuid).hex / "a").samefile(source / "a")
    assert (source / "a").stat().st_mode & 0o777 == 0
    assert content(workspace, version)[b"a"] == b"aaa"


def test_empty_directories_and_files_are_kept(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty/inner").mkdir(parents=True)
    version = make(workspace, tmp_path / "empty")
    assert (version.files, version.bytes, stored(workspace)) == (0, 0, [])
    (tmp_path / "empty/file").touch()
    assert content(workspace, make(workspace, tmp_path / "empty")) == {b"file": b""}


def test_directories_may_be_deeper_than_the_stack(workspace: Workspace, tmp_path: Path) -> None:
    top = path = bytes(tmp_path / "d")
    for _ in range(1100):
        os.mkdir(path)
        path += b"/d"
    Path(os.fsdecode(path)).write_bytes(b"deep down")
    try:
        version = make(workspace, Path(os.fsdecode(top)))
        assert content(workspace, version) == {path[len(top) + 1 :]: b"deep down"}
    finally:
        for directory in (top, os.fsencode(workspace.home.store_root)):
            files.remove_tree(directory)


@pytest.mark.parametrize("name", ["latest", "@x", "../up", ".artfs"])
def test_a_name_that_cannot_be_leaves_nothing(workspace: Workspace, source: Path, name: str) -> None:
    with pytest.raises(InvalidName):
        make(workspace, source, name=name)
    if not name.startswith(("latest", "@")):
        with pytest.raises(InvalidName):
            make(workspace, source, name)
    assert stored(workspace) == [] and workspace.catalog.artifacts.get("iris") is None


def test_a_version_name_is_used_once(workspace: Workspace, source: Path) -> None:
    make(workspace, source, name="first")
    (source / "a").unlink()
    (source / "a").write_bytes(b"other")
    before = stored(workspace)
    with pytest.raises(VersionExists, match="already has, or had, a version 'first'"):
        make(workspace, source, name="first")
    assert stored(workspace) == before


class TestFailure:
    def test_a_file_that_changes_before_it_is_stored_is_an_error(self, workspace: Workspace, source: Path) -> None:
        scanned = scan(source)
        (source / "deep/b").write_bytes(b"longer than before")
        with pytest.raises(ChangedWhileReading, match="was changed while it was stored"):
            sealed(scanned, workspace, "iris")
        assert os.listdir(workspace.home.store_root) == [".artfs"]

    def test_the_error_calls_the_file_as_its_user_does(self, workspace: Workspace, source: Path) -> None:
        scanned = scan(source, called="/mnt/incoming/iris")
        (source / "deep/b").write_bytes(b"longer than before")
        with pytest.raises(ChangedWhileReading, match=r"^'/mnt/incoming/iris/deep/b' was changed while it was stored"):
            sealed(scanned, workspace, "iris")

    def test_a_file_that_is_gone_before_it_is_stored_is_an_error(self, workspace: Workspace, source: Path) -> None:
        scanned = scan(source)
        (source / "deep/b").unlink()
        with pytest.raises(FileNotFoundError):
            sealed(scanned, workspace, "iris")
        assert os.listdir(workspace.home.store_root) == [".artfs"]
        assert workspace.catalog.artifacts.get("iris") is None

    def test_a_store_that_cannot_sync_makes_no_version(
        self, workspace: Workspace, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(workspace.stores.active, "sync", fail)
            with pytest.raises(OSError, match="Input/output error"):
                make(workspace, source)
        assert os.listdir(workspace.home.store_root) == [".artfs"]
        assert make(workspace, source).name == "1"

    def test_a_missing_store_says_so(self, workspace: Workspace, source: Path) -> None:
        shutil.rmtree(workspace.home.store_root)
        with pytest.raises(StoreError, match="is its disk mounted"):
            make(workspace, source)


class TestOrder:
    def test_bytes_and_their_names_are_durable_before_the_version_is(
        self, workspace: Workspace, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: set[int] = set()
        at_commit: list[set[int]] = []
        sync = os.fsync

        def noting_fsync(descriptor: int) -> None:
            sync(descriptor)
            synced.add(os.fstat(descriptor).st_ino)

        def note(stage: str) -> None:
            if stage == "recorded":
                at_commit.append(set(synced))

        monkeypatch.setattr(os, "fsync", noting_fsync)
        with stages.heard(note):
            version = make(workspace, source)
        directory = workspace.home.store_root / "iris" / uuid.UUID(version.uuid).hex
        above = [directory, directory.parent, workspace.home.store_root]
        manifest = directory / ".artfs" / "version.json"
        later = {manifest, manifest.parent}
        needed = {path.stat().st_ino for path in [*directory.rglob("*"), *above] if path not in later}
        assert len(at_commit) == 1 and needed <= at_commit[0]
        assert {manifest.stat().st_ino, manifest.parent.stat().st_ino} <= synced


class TestStandIns:
    def scanned(self, source: Path) -> Scanned:
        def known(status: os.stat_result, path: bytes) -> FileDigest | Elsewhere | None:
            return Elsewhere(FileDigest(hash_bytes(b"aaa"), 3)) if path.endswith(b"/a") else None

        (source / "a").write_bytes(b"\0\0\0")
        (source / "deep/again").unlink()
        return scan(source, known=known)

    def test_their_bytes_come_from_the_store(self, workspace: Workspace, source: Path) -> None:
        make(workspace, source, "earlier")
        (source / "a").unlink()
        version = sealed(self.scanned(source), workspace, "iris")
        assert content(workspace, version)[b"a"] == b"aaa"

    def test_they_are_never_stored_themselves(self, workspace: Workspace, source: Path) -> None:
        with pytest.raises(MissingPlace):
            sealed(self.scanned(source), workspace, "iris")
        assert os.listdir(workspace.home.store_root) == [".artfs"]


def test_bytes_that_went_away_in_between_are_stored_after_all(workspace: Workspace, source: Path) -> None:
    """As when a prune removes a content between the look at the catalog and the commit."""
    earlier = make(workspace, source)
    (source / "deep/b").unlink()
    (source / "deep/b").write_bytes(b"new")

    def purge(stage: str) -> None:
        if stage == "brought":
            for place in workspace.catalog.blobs.places(1) + workspace.catalog.blobs.places(2):
                workspace.catalog.blobs.set_place_state([place.id], "gone")
                workspace.stores.active.delete(place.path)

    with stages.heard(purge):
        version = make(workspace, source)
    assert version.name == str(int(earlier.name) + 1)
    assert content(workspace, version) == {b"a": b"aaa", b"deep/b": b"new", b"deep/again": b"aaa"}


class TestInPlace:
    def test_registered_data_stays_where_it_is(self, workspace: Workspace, source: Path) -> None:
        version = sealed(scan_in_place(str(source)), workspace, "data")
        assert version.save_type == "preexisting" and stored(workspace) == []
        assert content(workspace, version) == {b"a": b"aaa", b"deep/b": b"bbb", b"deep/again": b"aaa"}

    def test_a_change_of_it_is_noticed_and_can_be_registered_again(self, workspace: Workspace, source: Path) -> None:
        version = sealed(scan_in_place(str(source)), workspace, "data")
        (source / "deep/b").write_bytes(b"BBB")
        with pytest.raises(PlaceChanged, match="deep/b' was changed: its content is no longer what was registered"):
            content(workspace, version)
        again = sealed(scan_in_place(str(source)), workspace, "data")
        assert content(workspace, again)[b"deep/b"] == b"BBB"

    def test_data_that_changes_hands_is_not_trusted_for_other_versions(
        self, workspace: Workspace, source: Path
    ) -> None:
        sealed(scan_in_place(str(source)), workspace, "data")
        kept = make(workspace, source, "kept")
        assert stored(workspace) == [b"a", b"deep/b"]
        shutil.rmtree(source)
        assert content(workspace, kept)[b"deep/b"] == b"bbb"


def test_tampered_bytes_are_named_and_another_place_is_used(workspace: Workspace, source: Path) -> None:
    version = make(workspace, source)
    path = workspace.home.store_root / "iris" / uuid.UUID(version.uuid).hex / "deep/b"
    path.unlink()
    path.write_bytes(b"BBB")
    with pytest.raises(DigestMismatch, match="deep/b' is damaged"):
        content(workspace, version)
    (source / "deep/b").write_bytes(b"bbb")
    sealed(scan_in_place(str(source)), workspace, "data")
    assert content(workspace, version)[b"deep/b"] == b"bbb"


class TestOrphans:
    def leave_one(self, workspace: Workspace, source: Path) -> str:
        dead = str(uuid.uuid4())
        store = workspace.stores.active
        with store.claim(b"iris/" + uuid.UUID(dead).hex.encode()):
            store.place(source / "a", b"iris/" + uuid.UUID(dead).hex.encode() + b"/a")
        return dead

    def test_what_a_dead_process_placed_is_found_and_removed(self, workspace: Workspace, source: Path) -> None:
        kept = make(workspace, source)
        (source / "a").unlink()
        (source / "a").write_bytes(b"new")
        dead = self.leave_one(workspace, source)
        store = workspace.stores.active
        assert list(orphans(store, workspace.catalog)) == [(dead, b"iris/" + uuid.UUID(dead).hex.encode())]
        assert remove_orphan_anywhere(workspace, dead) and not remove_orphan_anywhere(workspace, dead)
        assert list(orphans(store, workspace.catalog)) == []
        assert content(workspace, kept)[b"a"] == b"aaa"

    def test_a_version_is_no_orphan(self, workspace: Workspace, source: Path) -> None:
        version = make(workspace, source)
        assert not remove_orphan_anywhere(workspace, version.uuid)
        assert len(content(workspace, version)) == 3

    def test_what_is_being_made_is_left_alone(self, workspace: Workspace, source: Path) -> None:
        dead = self.leave_one(workspace, source)
        with workspace.stores.active.claim(b"iris/" + uuid.UUID(dead).hex.encode()):
            assert not remove_orphan_anywhere(workspace, dead)
        assert remove_orphan_anywhere(workspace, dead)

    def test_foreign_directories_in_the_store_are_left_alone(self, workspace: Workspace) -> None:
        (workspace.home.store_root / "iris/mine").mkdir(parents=True)
        (workspace.home.store_root / "checkpoints" / uuid.uuid4().hex).mkdir(parents=True)
        (workspace.home.store_root / "lost+found").mkdir()
        (workspace.home.store_root / "notes.txt").touch()
        assert list(orphans(workspace.stores.active, workspace.catalog)) == []


def test_the_inodes_that_a_version_shares_are_known(workspace: Workspace, source: Path) -> None:
    version = make(workspace, source)
    shared = inodes_of(workspace, version)
    assert shared[(source / "deep/b").stat().st_ino] == hash_bytes(b"bbb")
    assert len(shared) == 2
