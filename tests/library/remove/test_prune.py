"""What a prune keeps, what it removes and why, and what is left of that."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from artfs import load_artifact, log_artifact_metadata, register_artifact, save_artifact
from artfs.artifacts.prune import apply, plan
from artfs.artifacts.verify import verify
from artfs.client import Client
from artfs.content.stubs import BLOB_ATTRIBUTE
from artfs.errors import ArtifactNotFound, InvalidValue, StoreError, VersionNotFound
from artfs.objects.version import ArtifactVersionResponse
from artfs.stores.local.store import LocalStore
from artfs.workspace.workspace import Workspace


def save_several(name: str, count: int) -> list[ArtifactVersionResponse]:
    return [save_artifact({"name": name, "number": number}, name=name) for number in range(1, count + 1)]


def reasons(workspace: Workspace, **options: object) -> dict[str, str]:
    """What is decided for each version: `-` before the reason of those that would go."""
    return {
        f"{each.version.artifact}/{each.version.name}": each.reason if each.keep else f"-{each.reason}"
        for each in plan(workspace, **options).decisions  # type: ignore[arg-type]
    }


def run_step(workspace: Workspace, name: str, kind: str = "pipeline") -> int:
    """A step run of a run of its own."""
    catalog = workspace.catalog
    return catalog.steps.create(catalog.runs.create("training", name, kind=kind).id, "train").id


def stored(workspace: Workspace) -> set[bytes]:
    return set(workspace.stores.active.places())


NOTHING = "-no run, tag, model or pin needs it"


class TestThePlan:
    def test_the_newest_stays_and_the_others_go(self, workspace: Workspace) -> None:
        save_several("a", 3)
        save_several("b", 1)
        assert reasons(workspace) == {
            "a/1": NOTHING,
            "a/2": NOTHING,
            "a/3": "the newest version",
            "b/1": "the newest version",
        }

    def test_whatever_keeps_a_version_is_told(self, workspace: Workspace) -> None:
        versions = save_several("a", 8)
        catalog, ids = workspace.catalog, [version.row.id for version in versions]
        catalog.pins.add(ids[0], "in the paper")
        catalog.tags.add(ids[1], "best", "also")
        catalog.steps.add_input(run_step(workspace, "read"), "data", ids[2])
        catalog.steps.add_input(run_step(workspace, "seen", "observed"), "data", ids[3], how="observed")
        catalog.steps.add_output(run_step(workspace, "made"), "model", ids[4])
        catalog.steps.add_output(run_step(workspace, "cached"), "model", ids[5], produced=False)
        catalog.versions.set_state(ids[6], "staged")
        assert reasons(workspace) == {
            "a/1": "pinned: in the paper",
            "a/2": "tagged also, best",
            "a/3": "used by run training/read",
            "a/4": "used by run training/seen",
            "a/5": "used by run training/made",
            "a/6": "used by run training/cached",
            "a/7": "not all of it is in its store yet",
            "a/8": "the newest version",
        }

    def test_having_been_seen_when_it_was_made_is_no_use(self, workspace: Workspace) -> None:
        """Else nothing that comes through a mount could ever be pruned."""
        version, _ = save_several("a", 2)
        workspace.catalog.steps.add_output(run_step(workspace, "seen", "observed"), "model", version.row.id)
        assert reasons(workspace)["a/1"] == NOTHING

    def test_more_of_the_newest_can_be_kept_and_none(self, workspace: Workspace) -> None:
        save_several("a", 4)
        kept = reasons(workspace, keep_last=2)
        assert [kept[f"a/{number}"] for number in (2, 3, 4)] == [
            NOTHING,
            "among the newest 2 versions",
            "the newest version",
        ]
        assert set(reasons(workspace, keep_last=0).values()) == {NOTHING}

    def test_a_tombstone_is_neither_kept_nor_counted(self, workspace: Workspace) -> None:
        save_several("a", 3)
        Client().delete_artifact_version("a", "3")
        assert reasons(workspace) == {"a/1": NOTHING, "a/2": "the newest version"}

    def test_young_versions_are_kept(self, workspace: Workspace) -> None:
        save_several("a", 2)
        assert re.match("made since 20", reasons(workspace, older_than=timedelta(days=1))["a/1"])
        assert reasons(workspace, older_than=timedelta())["a/1"] == NOTHING
        assert reasons(workspace, older_than=datetime(2100, 1, 1, tzinfo=UTC))["a/1"] == NOTHING
        assert reasons(workspace, older_than=datetime(2020, 1, 1, tzinfo=UTC))["a/1"] != NOTHING

    def test_only_the_artifacts_that_were_named_are_looked_at(self, workspace: Workspace) -> None:
        for name in ("a", "b", "c"):
            save_several(name, 2)
        assert reasons(workspace, artifacts=["c", "a", "c"]).keys() == {"a/1", "a/2", "c/1", "c/2"}
        with pytest.raises(ArtifactNotFound, match="'d'"):
            plan(workspace, artifacts=["d"])

    def test_what_makes_no_sense_is_refused(self, workspace: Workspace) -> None:
        with pytest.raises(InvalidValue, match="keep_last"):
            plan(workspace, keep_last=-1)
        with pytest.raises(InvalidValue, match="older_than"):
            plan(workspace, older_than=timedelta(days=-1))
        with pytest.raises(InvalidValue, match="older_than must be a datetime or timedelta, not int"):
            plan(workspace, older_than=30)  # type: ignore[arg-type]
        with pytest.raises(InvalidValue, match=r"artifacts must be a list of names: give \['a'\]"):
            plan(workspace, artifacts="a")
        with pytest.raises(InvalidValue, match="exclude each other"):
            apply(workspace, plan(workspace), only_artifact=True, only_metadata=True)

    def test_it_tells_what_would_be_freed_and_changes_nothing(self, workspace: Workspace) -> None:
        first = save_artifact(bytes(5000), name="a")
        save_artifact(bytes(5000), name="b")
        save_artifact(b"x" * 700, name="a")
        save_artifact(b"y", name="a")
        before = stored(workspace)
        assert plan(workspace).bytes == 700
        assert stored(workspace) == before
        assert load_artifact("a", "1") == bytes(5000)
        assert first.refresh().row.state == "live"


class TestRemoving:
    def test_the_versions_are_tombstones_and_their_bytes_are_gone(self, workspace: Workspace) -> None:
        for number in range(3):
            save_artifact(np.full(100, number), name="a", metadata={"accuracy": 0.1 * number})
        kept = {place for place in stored(workspace) if Client().get_artifact_version("a").id.hex.encode() in place}
        done = Client().prune_artifacts()
        assert (done.versions, done.errors, done.spared, done.kept_bytes) == (["a/1", "a/2"], [], [], 0)
        assert done.bytes >= 2 * 800
        assert stored(workspace) == kept
        for name in ("1", "2"):
            with pytest.raises(VersionNotFound, match="was removed: pruned"):
                load_artifact("a", name)
            tombstone = workspace.catalog.versions.get(workspace.catalog.artifacts.ensure("a").id, name)
            assert tombstone is not None
            assert (tombstone.state, tombstone.bytes) == ("purged", 928)
            assert workspace.catalog.metadata.get(tombstone.id) == {}
            assert workspace.catalog.audit.list(f"a@{name}")[0].action == "version.purge"
        assert load_artifact("a").tolist() == [2] * 100
        assert save_artifact(1, name="a").version == "4"
        assert workspace.catalog.blobs.gone_places() == []
        assert workspace.catalog.check() == []

    def test_shared_bytes_stay_as_long_as_somebody_needs_them(self, workspace: Workspace) -> None:
        save_artifact(b"shared", name="first")
        save_artifact(b"own", name="first")
        save_artifact(b"shared", name="second")
        assert Client().prune_artifacts().versions == ["first/1"]
        assert load_artifact("second") == b"shared"
        assert list(verify(workspace, workspace.catalog.versions.list())) == []

    def test_visualizations_go_with_their_version_and_stay_where_another_shows_the_same(
        self, workspace: Workspace
    ) -> None:
        from artfs.artifacts.visualize import read_visualization

        save_artifact({"same": 1}, name="a")
        save_artifact({"other": 1}, name="a")
        save_artifact({"same": 1}, name="b")
        assert Client().prune_artifacts().versions == ["a/1"]
        version = Client().get_artifact_version("b").row
        for row in workspace.catalog.visualizations.list(version.id):
            assert b"same" in read_visualization(workspace, row.digest)
        Client().delete_artifact("b")
        Client().delete_artifact("a")
        assert stored(workspace) == set()

    def test_data_registered_in_place_is_never_removed(self, workspace: Workspace, tmp_path: Path) -> None:
        data = tmp_path / "data"
        data.mkdir()
        (data / "file").write_bytes(b"mine")
        inside = workspace.home.store_root / "my_folder" / ("0" * 32)
        inside.mkdir(parents=True)
        (inside / "checkpoint").write_bytes(b"mine, too")
        for folder in (data, inside):
            register_artifact(folder, name="data")
        register_artifact(tmp_path / "data" / "file", name="data")
        assert reasons(workspace)["data/2"] == f"{NOTHING}; its files stay where they were registered"
        assert plan(workspace).bytes == 0
        done = Client().prune_artifacts(keep_last=0)
        assert (len(done.versions), done.files, done.bytes) == (3, 0, 0)
        assert Client().collect_garbage().files == 0
        assert (data / "file").read_bytes() == b"mine"
        assert (inside / "checkpoint").read_bytes() == b"mine, too"
        assert workspace.catalog.blobs.total_bytes() == 0

    def test_a_copy_in_the_store_goes_and_the_registered_file_stays(self, workspace: Workspace, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"the same bytes")
        register_artifact(tmp_path / "file", name="in place")
        save_artifact(b"the same bytes", name="saved")
        Client().delete_artifact("saved")
        Client().delete_artifact("in place")
        assert (tmp_path / "file").read_bytes() == b"the same bytes"
        assert stored(workspace) == set()

    def test_what_came_to_be_needed_since_the_plan_is_spared(self, workspace: Workspace) -> None:
        versions = save_several("a", 5)
        planned = plan(workspace)
        Client().update_artifact_version("a", "1", add_tags=["best"])
        Client().update_artifact_version("a", "2", pin="look at it again")
        Client().delete_artifact_version("a", "5")
        Client().delete_artifact_version("a", "3")
        done = apply(workspace, planned)
        assert done.versions == []
        assert {each.version.name: each.reason for each in done.spared} == {
            "1": "tagged best",
            "2": "pinned: look at it again",
            "4": "the newest version",
        }
        assert versions[3].load() == {"name": "a", "number": 4}

    def test_only_artifact_keeps_what_was_logged(self, workspace: Workspace) -> None:
        old, _ = save_several("a", 2)
        log_artifact_metadata({"accuracy": 0.5}, "a", "1")
        assert Client().prune_artifacts(only_artifact=True).versions == ["a/1"]
        assert reasons(workspace).keys() == {"a/2"}
        assert old.metadata["accuracy"] == 0.5
        assert not any(old.id.hex.encode() in place for place in stored(workspace))

    def test_only_metadata_leaves_the_files_to_the_user_for_good(self, workspace: Workspace) -> None:
        old, _ = save_several("a", 2)
        (place,) = (place for place in stored(workspace) if old.id.hex.encode() in place)
        file = Path(workspace.stores.active.place_path(place))
        content = file.read_bytes()
        done = Client().prune_artifacts(only_metadata=True)
        assert (done.versions, done.files, done.bytes) == (["a/1"], 1, len(content))
        Client().collect_garbage()
        save_several("a", 2)
        Client().prune_artifacts(keep_last=0)
        assert file.read_bytes() == content

    def test_only_metadata_gives_no_file_away_that_another_version_needs(self, workspace: Workspace) -> None:
        save_artifact(b"shared", name="a")
        own = save_artifact(b"own", name="a")
        save_artifact(b"shared", name="b")
        assert Client().prune_artifacts(only_metadata=True).files == 0
        Client().delete_artifact("b")
        assert {place.split(b"/")[1] for place in stored(workspace)} == {own.id.hex.encode()}
        assert load_artifact("a") == b"own"

    def test_a_version_with_many_files_and_a_version_twice(self, workspace: Workspace) -> None:
        for name in ("1st", "2nd", "3rd"):
            save_artifact([np.arange(number) for number in range(20)], name="a", version=name)
        assert Client().prune_artifacts().files == 0
        assert len(load_artifact("a", "3rd")) == 20
        Client().delete_artifact("a")
        assert stored(workspace) == set()


class TestFailures:
    @pytest.fixture
    def stuck(self, workspace: Workspace) -> Iterator[Path]:
        """The store cannot remove the bytes of `a/1`, until the directory `mended` is there."""
        old, _ = save_several("a", 2)
        save_several("b", 2)
        own, remove = old.id.hex.encode(), LocalStore.delete
        mended = workspace.home.path / "mended"

        def refuse(store: LocalStore, place: bytes) -> None:
            if own in place and not mended.exists():
                raise PermissionError(13, "Permission denied")
            remove(store, place)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(LocalStore, "delete", refuse)
            yield workspace.home.store_root / "a" / old.id.hex

    def test_it_is_told_what_could_not_be_removed_and_the_rest_is(self, workspace: Workspace, stuck: Path) -> None:
        with pytest.raises(StoreError, match="Permission denied; 'artfs gc' tries again"):
            Client().prune_artifacts()
        assert os.listdir(stuck.parent.parent / "b") == [Client().get_artifact_version("b").id.hex]
        assert reasons(workspace).keys() == {"a/2", "b/2"}
        assert stuck.exists()

    def test_errors_can_be_ignored_and_are_told(self, workspace: Workspace, stuck: Path) -> None:
        done = Client().prune_artifacts(ignore_errors=True)
        assert (done.versions, len(done.errors)) == (["a/1", "b/1"], 1)
        assert stuck.exists()
        (workspace.home.path / "mended").mkdir()
        assert Client().collect_garbage().files == 1
        assert not stuck.exists()

    def test_an_artifact_that_cannot_be_pruned_stops_it_unless_errors_are_ignored(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("a", "b", "c"):
            save_several(name, 2)
        purge = type(workspace.catalog.versions).purge

        def fail_for_b(versions: object, version_id: int, reason: str) -> object:
            version = workspace.catalog.versions.by_id(version_id)
            if version is not None and version.artifact == "b":
                raise InvalidValue("the catalog does not like it")
            return purge(workspace.catalog.versions, version_id, reason)

        monkeypatch.setattr(type(workspace.catalog.versions), "purge", fail_for_b)
        with pytest.raises(InvalidValue, match="does not like it"):
            Client().prune_artifacts()
        assert reasons(workspace).keys() == {"a/2", "b/1", "b/2", "c/1", "c/2"}
        done = Client().prune_artifacts(ignore_errors=True)
        assert (done.versions, done.errors) == (["c/1"], ["b: the catalog does not like it"])
        assert list(verify(workspace, workspace.catalog.versions.list())) == []


class TestDraftsOfAMount:
    """What a mount leaves in its working directory, made by hand; `tests/mount` does it for real."""

    @pytest.fixture
    def stub(self, workspace: Workspace) -> Path:
        """Stands for the bytes of `a/1`."""
        save_artifact(b"needed by a draft", name="a")
        save_artifact(b"newer", name="a")
        stub = workspace.home.mounts / "1" / "work" / "a" / "deep" / "stub"
        stub.parent.mkdir(parents=True)
        stub.touch()
        version = Client().get_artifact_version("a", "1").row
        assert version.tree_id is not None
        (digest,) = (row.digest for _, row in workspace.catalog.trees.walk(version.tree_id) if row.size == 17)
        assert digest is not None
        os.setxattr(stub, BLOB_ATTRIBUTE, digest)
        return stub

    def needed(self, workspace: Workspace) -> bytes:
        digest = os.getxattr(workspace.home.mounts / "1/work/a/deep/stub", BLOB_ATTRIBUTE)
        with workspace.blobs.open(digest) as reader:  # type: ignore[arg-type]
            return bytes(reader.read(0, 100))

    def test_the_bytes_stay_until_the_draft_is_gone(self, workspace: Workspace, stub: Path) -> None:
        done = Client().prune_artifacts()
        assert (done.versions, done.bytes, done.kept_bytes) == (["a/1"], 0, 17)
        assert self.needed(workspace) == b"needed by a draft"
        Client().delete_artifact("a", force=True)
        found = Client().collect_garbage()
        assert (found.files, found.kept_files, found.kept_bytes) == (0, 1, 17)
        assert self.needed(workspace) == b"needed by a draft"
        stub.unlink()
        assert Client().collect_garbage().bytes == 17
        assert stored(workspace) == set()

    def test_a_version_saved_meanwhile_takes_up_the_bytes(self, workspace: Workspace, stub: Path) -> None:
        Client().prune_artifacts()
        save_artifact(b"needed by a draft", name="b")
        stub.unlink()
        Client().collect_garbage()
        assert load_artifact("b") == b"needed by a draft"

    def test_stubs_that_are_about_to_be_put_in_place_count(self, workspace: Workspace, stub: Path) -> None:
        scratch = workspace.home.mounts / "1" / "scratch"
        scratch.mkdir()
        os.rename(stub, scratch / "stub")
        assert Client().prune_artifacts().kept_bytes == 17

    def test_files_that_a_draft_refers_to_are_not_given_away(self, workspace: Workspace, stub: Path) -> None:
        (spared,) = Client().prune_artifacts(only_metadata=True).spared
        assert spared.reason == "a draft in a mount still refers to its files: remove the draft first"
        assert load_artifact("a", "1") == b"needed by a draft"

    def test_nothing_is_removed_when_nobody_can_tell_what_drafts_need(self, workspace: Workspace, stub: Path) -> None:
        from artfs.artifacts import sweep as purge

        def cannot_tell(directories: object) -> object:
            raise PermissionError(13, "Permission denied", "/some/draft")

        before = stored(workspace)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(purge, "digests_below", cannot_tell)
            done = Client().prune_artifacts(ignore_errors=True)
        assert done.errors == ["drafts may need the bytes: /some/draft: Permission denied; nothing was removed"]
        assert stored(workspace) == before
        stub.unlink()
        assert Client().collect_garbage().bytes == 17
