"""What a store knows of its versions without a catalog: written in time, replaced by tombstones, put right by gc."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from artfs import load_artifact, pipeline, register_artifact, save_artifact, step
from artfs.artifacts.gc import MIN_AGE_SECONDS, Garbage, gc
from artfs.artifacts.seal import scan
from artfs.artifacts.verify import verify
from artfs.catalog.versions import Version
from artfs.client import Client
from artfs.content.digest import hash_bytes
from artfs.home.home import Home
from artfs.stages import stages
from artfs.stores.manifest import Manifest
from artfs.workspace.workspace import Workspace
from support.stages import at
from support.versions import seal

LARGE = bytes(100_000)
OLD = time.time() - MIN_AGE_SECONDS - 10


def newest(workspace: Workspace, name: str) -> Version:
    version = workspace.catalog.versions.latest(workspace.catalog.artifacts.ensure(name).id)
    assert version is not None
    return version


def path_of(workspace: Workspace, version: Version) -> Path:
    folder = UUID(version.uuid).hex
    return workspace.home.store_root / version.artifact / folder / ".artfs" / "version.json"


def described(workspace: Workspace, name: str) -> Manifest:
    found = workspace.manifests.read(newest(workspace, name))
    assert found is not None and found.trusted
    return found


class TestWhenItIsWritten:
    def test_that_of_a_large_version_is_there_when_the_save_returns(self, workspace: Workspace) -> None:
        save_artifact(LARGE, "large")
        assert path_of(workspace, newest(workspace, "large")).exists()
        assert workspace.catalog.versions.owed_manifests() == []

    def test_it_is_durable_before_anybody_is_told(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        synced, sync = set[int](), os.fsync

        def noted(descriptor: int) -> None:
            sync(descriptor)
            synced.add(os.fstat(descriptor).st_ino)

        monkeypatch.setattr(os, "fsync", noted)
        save_artifact(LARGE, "large")
        path = path_of(workspace, newest(workspace, "large"))
        assert {each.stat().st_ino for each in (path, path.parent, *path.parents[1:3])} <= synced

    def test_that_of_a_small_version_comes_with_its_sync(self, workspace: Workspace) -> None:
        for number in range(3):
            save_artifact(number, "small")
        versions = workspace.catalog.versions.list()
        assert not any(path_of(workspace, version).exists() for version in versions)
        assert len(workspace.catalog.versions.owed_manifests()) == 3
        workspace.syncing.sync()
        assert all(path_of(workspace, version).exists() for version in versions)
        assert workspace.catalog.versions.owed_manifests() == []
        assert all(workspace.manifests.differences(version) == [] for version in workspace.catalog.versions.list())

    def test_nothing_is_written_for_a_version_that_never_came_to_be(self, workspace: Workspace) -> None:
        def fail() -> None:
            raise OSError(5, "Input/output error")

        with stages.heard(at("recorded", fail)), pytest.raises(OSError):
            save_artifact(LARGE, "large")
        assert list(workspace.home.store_root.glob("large/*")) == []

    @pytest.mark.expected_warnings("the manifest of large/1 is still to be written")
    def test_a_version_whose_manifest_cannot_be_written_is_there_and_owes_it(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse() -> None:
            [folder] = workspace.home.store_root.glob("large/*/.artfs")
            folder.rmdir()
            folder.touch()

        with stages.heard(at("committed", refuse)):
            save_artifact(LARGE, "large")
        assert load_artifact("large") == LARGE
        [owed] = workspace.catalog.versions.owed_manifests()
        path_of(workspace, owed).parent.unlink()
        workspace.syncing.sync()
        assert workspace.manifests.differences(newest(workspace, "large")) == []


@step
def source() -> bytes:
    return LARGE


@step
def scaled(data: bytes, factor: int) -> np.ndarray:
    return np.full((20, 20, 3), factor, dtype="uint8")


@pipeline
def training() -> None:
    scaled(source(), factor=2)


class TestWhatItSays:
    def test_it_describes_a_version_wholly(self, workspace: Workspace) -> None:
        training()
        version = newest(workspace, "training::scaled::output")
        workspace.syncing.sync()
        found, tree_id = described(workspace, version.artifact), version.tree_id
        head = found.head
        assert tree_id is not None and found.tree == workspace.catalog.trees.load(tree_id)
        assert (head.artifact, head.name, head.number, head.uuid) == (version.artifact, "1", 1, version.uuid)
        assert (head.mode, head.mtime_ns, head.created_us) == (version.mode, version.mtime_ns, version.created_us)
        assert (head.materializer, head.data_type, head.trusted) == (version.materializer, "numpy.ndarray", True)
        assert head.user == workspace.user and head.home == workspace.home.identity
        assert (head.metadata is not None and head.metadata["shape"].json == "[20, 20, 3]") or head.metadata
        assert head.producer is not None
        assert (head.producer.step, head.producer.pipeline) == ("scaled", "training")
        [read] = head.inputs
        source_version = newest(workspace, "training::source::output")
        assert (read.slot, read.uuid, read.version) == ("data", source_version.uuid, "1")
        [shown] = workspace.catalog.visualizations.list(version.id)
        assert [(each.name, each.kind) for each in head.visualizations] == [(shown.name, shown.kind)]
        store = workspace.stores.active
        for digest, where in found.places.items():
            with store.open_place(where.path) as reader:
                assert hash_bytes(reader.pread(0, reader.size)) == digest

    def test_tags_and_metadata_are_as_they_were_sealed(self, workspace: Workspace) -> None:
        save_artifact(LARGE, "a", tags=["best"], metadata={"rows": 3, "when": None})
        head = described(workspace, "a").head
        assert head.tags == ("best",)
        assert head.metadata is not None
        assert (head.metadata["rows"].type, head.metadata["rows"].text) == ("int", "3")

    def test_a_content_that_another_version_has_is_named_by_its_key(self, workspace: Workspace) -> None:
        save_artifact(LARGE, "a")
        save_artifact([LARGE, 1], "b")
        workspace.syncing.sync()
        first, second = newest(workspace, "a"), described(workspace, "b")
        where = second.places[hash_bytes(LARGE)]
        assert where.path.startswith(f"a/{UUID(first.uuid).hex}/".encode())

    def test_data_in_place_is_where_it_was_registered(self, workspace: Workspace, tmp_path: Path) -> None:
        (tmp_path / "data").write_bytes(b"data")
        register_artifact(tmp_path / "data", "data")
        workspace.syncing.sync()
        found = described(workspace, "data")
        [where] = found.places.values()
        assert (where.in_place, where.path) == (True, bytes(tmp_path / "data"))
        assert path_of(workspace, newest(workspace, "data")).exists()

    def test_names_that_are_no_text_are_kept(self, workspace: Workspace, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / os.fsdecode(b"\xff\x80")).write_bytes(LARGE)
        os.symlink(b"\xfe", bytes(tmp_path / "d") + b"/link")
        version = seal(scan(tmp_path / "d"), workspace, "d")
        assert workspace.manifests.differences(version) == []

    def test_no_version_shows_it_as_content(self, workspace: Workspace, tmp_path: Path) -> None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "file").write_bytes(LARGE)
        version = seal(scan(tmp_path / "d"), workspace, "d")
        assert os.listdir(load_artifact("d")) == ["file"]
        assert os.listdir(Client().get_artifact_version("d").download_files(tmp_path / "out")) == ["file"]
        assert version.files == 1


class TestTombstones:
    @pytest.fixture(params=[LARGE, b"small"], ids=["large", "small"])
    def version(self, workspace: Workspace, request: pytest.FixtureRequest) -> Version:
        save_artifact(request.param, "a")
        workspace.syncing.sync()
        return newest(workspace, "a")

    def check(self, workspace: Workspace, version: Version) -> None:
        text = json.loads(path_of(workspace, version).read_bytes())
        assert (text["state"], text["uuid"], text["name"], text["entries"]) == ("purged", version.uuid, "1", [])
        assert [path.name for path in path_of(workspace, version).parents[1].iterdir()] == [".artfs"]

    def test_a_deleted_version_leaves_one(self, workspace: Workspace, version: Version) -> None:
        Client().delete_artifact_version(UUID(version.uuid))
        self.check(workspace, version)
        gc(workspace)
        self.check(workspace, version)

    def test_a_pruned_version_leaves_one(self, workspace: Workspace, version: Version) -> None:
        save_artifact(b"newer", "a")
        Client().prune_artifacts()
        self.check(workspace, version)

    def test_gc_replaces_a_manifest_that_a_kill_left(self, workspace: Workspace, version: Version) -> None:
        class Killed(BaseException):
            pass

        def kill() -> None:
            raise Killed

        with stages.heard(at("purged", kill)), pytest.raises(Killed):
            Client().delete_artifact_version(UUID(version.uuid))
        assert json.loads(path_of(workspace, version).read_bytes())["state"] == "live"
        gc(workspace)
        self.check(workspace, version)

    def test_one_that_is_purged_while_its_manifest_is_written_has_a_tombstone(self, workspace: Workspace) -> None:
        save_artifact(b"late", "late")
        version = newest(workspace, "late")

        def purge() -> None:
            Client().delete_artifact_version(UUID(version.uuid))

        with stages.heard(at("synced", purge)):
            workspace.syncing.sync()
        path = path_of(workspace, version)
        assert not path.exists() or json.loads(path.read_bytes())["state"] == "purged"


class TestGarbage:
    def test_versions_without_a_manifest_get_one(self, workspace: Workspace) -> None:
        save_artifact(LARGE, "a")
        version = newest(workspace, "a")
        before = path_of(workspace, version).read_bytes()
        path_of(workspace, version).unlink()
        assert gc(workspace) == Garbage()
        assert path_of(workspace, version).read_bytes() == before

    @pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: _empty(path)], ids=["gone", "empty"])
    def test_a_manifest_that_a_crash_took_is_written_again_and_is_no_damage(
        self, workspace: Workspace, spoil: Callable[[Path], None]
    ) -> None:
        save_artifact(LARGE, "a")
        version = newest(workspace, "a")
        spoil(path_of(workspace, version))
        assert list(verify(workspace, [version])) == []
        assert workspace.manifests.differences(version) == []

    def test_a_manifest_that_says_other_things_is_told(self, workspace: Workspace) -> None:
        save_artifact(LARGE, "a", tags=["x"])
        version = newest(workspace, "a")
        path = path_of(workspace, version)
        text = path.read_bytes().replace(b'"artifact":"a"', b'"artifact":"b"')
        path.chmod(0o600)
        path.write_bytes(text)
        [damage] = verify(workspace, [version])
        assert "the store says other things than the catalog: artifact is 'b' instead of 'a'" in damage.reason

    def test_what_another_home_claimed_stays(self, workspace: Workspace) -> None:
        for name, claim in (("own", workspace.home.identity), ("earlier", "1"), ("other", str(UUID(int=7)))):
            folder = workspace.home.store_root / name / "0123456789abcdef0123456789abcdef"
            folder.mkdir(parents=True)
            os.setxattr(folder, "user.artfs.claimed", claim.encode())
            (folder / "file").write_bytes(b"half")
            os.utime(folder, (OLD, OLD))
        assert {Path(path).parent.name for path in gc(workspace).directories} == {"own", "earlier"}
        assert (workspace.home.store_root / "other/0123456789abcdef0123456789abcdef/file").exists()

    def test_what_is_young_stays(self, workspace: Workspace) -> None:
        folder = workspace.home.store_root / "half" / "0123456789abcdef0123456789abcdef"
        with workspace.stores.active.claim(os.fsencode(folder.relative_to(workspace.home.store_root))):
            (folder / "file").write_bytes(b"half")
        assert gc(workspace) == Garbage(young=1)
        os.utime(folder, (OLD, OLD))
        assert gc(workspace, dry_run=True).directories == gc(workspace).directories == [str(folder)]

    def test_claims_hold_where_no_attributes_are_kept(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(*_: object, **__: object) -> bytes:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(os, "setxattr", refused)
        monkeypatch.setattr(os, "getxattr", refused)
        save_artifact(LARGE, "a")
        claims = workspace.home.store_root / ".artfs" / "claims"
        assert [path.name for path in claims.iterdir()] == [UUID(newest(workspace, "a").uuid).hex]
        folder = workspace.home.store_root / "half" / "0123456789abcdef0123456789abcdef"
        with workspace.stores.active.claim(b"half/" + folder.name.encode()):
            (folder / "file").write_bytes(b"half")
        (workspace.home.store_root / "users" / ("f" * 32)).mkdir(parents=True)
        for path in workspace.home.store_root.glob("*/*"):
            os.utime(path, (OLD, OLD))
        assert gc(workspace).directories == [str(folder)]
        assert len(list(claims.iterdir())) == 1


def _empty(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"")


def test_a_later_fact_of_its_lineage_makes_a_new_generation(workspace: Workspace) -> None:
    save_artifact(LARGE, "a")
    version = newest(workspace, "a")
    workspace.manifests.rewrite(version.id)
    assert described(workspace, "a").head.generation == newest(workspace, "a").manifest == 2
    assert workspace.manifests.differences(newest(workspace, "a")) == []


def test_the_key_of_a_home_is_its_owners_alone(workspace: Workspace) -> None:
    save_artifact(LARGE, "a")
    assert (workspace.home.path / "manifest.key").stat().st_mode & 0o777 == 0o600
    assert Home(workspace.home.path).manifest_key == workspace.home.manifest_key
