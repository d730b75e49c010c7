"""Small files are synced later. What a crash of the machine takes of them before that is written again."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artfs import load_artifact, save_artifact
from artfs.artifacts.save import save
from artfs.artifacts.scan import scan
from artfs.artifacts.verify import verify
from artfs.catalog import unsynced
from artfs.catalog.blobs import Place
from artfs.client import Client
from artfs.errors import DigestMismatch, StoreError
from artfs.stages import stages
from artfs.stores.local.store import FEW_FILES, LocalStore
from artfs.transfers import syncing
from artfs.transfers.syncing import SMALL_FILE, SMALL_VERSION, is_left_by_a_crash
from artfs.workspace.registration import register_store
from artfs.workspace.stacks import activate_stack, register_stack
from artfs.workspace.workspace import Workspace
from support.stages import at, fails_at

VALUE = {"text": "so much that it fills more than one sector of the disk " * 20}


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """What contents stores are told to sync, call by call."""
    calls: list[list[bytes]] = []
    sync = LocalStore.sync

    def noted(store: LocalStore, places: Any) -> None:
        if contents := [place for place in places if b"/.artfs" not in place]:
            calls.append(contents)
        sync(store, places)

    monkeypatch.setattr(LocalStore, "sync", noted)
    return calls


@pytest.fixture
def restarted(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes everything that was saved so far a thing of an earlier boot of the machine."""

    def restart() -> None:
        monkeypatch.setattr(unsynced, "current_boot", lambda: "another boot")
        workspace.close()
        Workspace.of(workspace.home).close()  # whoever comes first

    return restart


def the_file(name: str = "small") -> Path:
    [file] = [path for path in Path(Client().get_artifact_version(name).uri).iterdir() if path.name != ".artfs"]
    return file


def test_the_catalog_keeps_the_bytes_of_a_small_file_until_it_is_synced(
    workspace: Workspace, synced: list[list[bytes]]
) -> None:
    save_artifact(VALUE, "small")
    assert synced == []
    assert workspace.catalog.unsynced.count() == 1
    [place] = workspace.catalog.unsynced.places()
    assert workspace.catalog.unsynced.get(place.blob_id) == the_file().read_bytes()
    workspace.syncing.sync()
    assert synced == [[place.path]]
    assert workspace.catalog.unsynced.count() == 0


@pytest.mark.parametrize(
    "value",
    [b"x" * (SMALL_FILE + 1), [b"%05d" % n * (SMALL_FILE // 5) for n in range(SMALL_VERSION // SMALL_FILE + 1)]],
)
def test_what_is_large_is_synced_at_once(workspace: Workspace, synced: list[list[bytes]], value: Any) -> None:
    save_artifact(value, "large")
    assert set(workspace.stores.active.places()) == set(synced[0])
    assert workspace.catalog.unsynced.count() == 0


def test_after_some_saves_all_are_synced_at_once(
    workspace: Workspace, synced: list[list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "MOST_UNSYNCED", 3)
    for number in range(7):
        save_artifact({"number": number}, "small")
        workspace.syncing.wait()
    assert [len(places) for places in synced] == [3, 3]
    assert workspace.catalog.unsynced.count() == 1


def test_what_other_processes_left_counts_and_is_synced_file_by_file(
    home: Path, synced: list[list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(FEW_FILES + 1):
        save_artifact({"number": number}, "small")
    monkeypatch.setattr(syncing, "MOST_UNSYNCED", 3)
    with Workspace.open(home) as other:
        other.syncing.added([])
        other.syncing.wait()
        assert [len(places) for places in synced] == [FEW_FILES, 1]
        assert other.catalog.unsynced.count() == 0


def test_a_workspace_that_closes_ends_its_sync_first(
    home: Path, synced: list[list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "MOST_UNSYNCED", 1)
    with Workspace.open(home) as other:
        save(other, VALUE, "small")
    assert len(synced) == 1


def test_a_program_that_is_ending_saves_all_the_same(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(syncing, "MOST_UNSYNCED", 1)
    monkeypatch.setattr(threading.Thread, "start", refused)
    save_artifact(VALUE, "small")
    workspace.syncing.wait()
    assert load_artifact("small") == VALUE


def test_files_whose_sync_has_failed_are_written_anew(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    """The system tells of bytes that it could not write once, and shows them as if they were on the disk."""
    save_artifact(VALUE, "small")
    file = the_file().open("rb")  # open, so that its inode's number is not given out again
    caplog.set_level(logging.CRITICAL, logger=syncing.__name__)
    with fails_at("synced", OSError(5, "Input/output error")), pytest.raises(OSError, match="Input/output error"):
        workspace.syncing.sync()
    assert workspace.catalog.unsynced.count() == 1
    workspace.syncing.sync()
    assert workspace.catalog.unsynced.count() == 0
    with file:
        before, after = os.fstat(file.fileno()), the_file().stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert load_artifact("small") == VALUE


def test_a_store_that_is_away_keeps_no_other_from_its_sync(
    workspace: Workspace, synced: list[list[bytes]], tmp_path: Path
) -> None:
    register_store(workspace, "away", "local", str(tmp_path / "away"))
    register_stack(workspace, "away", "away")
    activate_stack(workspace, "away")
    save_artifact(VALUE, "small")
    activate_stack(workspace, "default")
    save_artifact([VALUE], "other")
    (tmp_path / "away").rename(tmp_path / "elsewhere")
    workspace.stores.close()
    with pytest.raises(StoreError, match="is its disk mounted"):
        workspace.syncing.sync()
    assert len(synced) == 1
    assert workspace.catalog.unsynced.count() == 1
    (tmp_path / "elsewhere").rename(tmp_path / "away")
    workspace.syncing.sync()
    assert workspace.catalog.unsynced.count() == 0


def test_bytes_stay_for_whoever_saved_the_same_while_they_were_synced(workspace: Workspace) -> None:
    save_artifact(VALUE, "small")

    def save_meanwhile() -> None:
        [place] = workspace.catalog.unsynced.places()
        again = Place(b"small/again/data.json", place.store_id)
        workspace.catalog.blobs.add_place(place.blob_id, again)

    with stages.heard(at("synced", save_meanwhile)):
        workspace.syncing.sync()
    assert workspace.catalog.unsynced.count() == 1


def test_garbage_collection_syncs(workspace: Workspace, synced: list[list[bytes]]) -> None:
    save_artifact(VALUE, "small")
    Client().collect_garbage(dry_run=True)
    assert synced == []
    Client().collect_garbage()
    assert len(synced) == 1
    assert workspace.catalog.unsynced.count() == 0


def test_the_bytes_go_with_the_version(workspace: Workspace) -> None:
    save_artifact(VALUE, "small")
    Client().delete_artifact("small")
    assert workspace.catalog.unsynced.count() == 0


def test_files_that_are_handed_over_are_synced_first(workspace: Workspace, synced: list[list[bytes]]) -> None:
    save_artifact(VALUE, "small")
    save_artifact([VALUE], "small")
    Client().prune_artifacts(only_metadata=True)
    assert len(synced) == 1
    assert len(list(workspace.stores.active.places())) == 2


def gone(file: Path) -> None:
    file.unlink()


def gone_with_its_directory(file: Path) -> None:
    shutil.rmtree(file.parent)


def empty(file: Path) -> None:
    file.chmod(0o644)
    os.truncate(file, 0)


def half(file: Path) -> None:
    file.chmod(0o644)
    os.truncate(file, 700)


def a_hole_in_it(file: Path) -> None:
    file.chmod(0o644)
    with file.open("r+b") as opened:
        opened.seek(512)
        opened.write(bytes(512))


CRASHES = [gone, gone_with_its_directory, empty, half, a_hole_in_it]


@pytest.fixture(params=CRASHES, ids=lambda crash: crash.__name__)
def crashed(
    request: pytest.FixtureRequest,
    workspace: Workspace,
    restarted: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> Path:
    """A file that lost its bytes with the machine, after `save` has returned."""
    caplog.set_level(logging.ERROR, logger=syncing.__name__)
    save_artifact(VALUE, "small", tags=["kept"])
    file = the_file()
    request.param(file)
    restarted()
    return file


def test_what_a_crash_took_is_there_again_at_once(crashed: Path, workspace: Workspace) -> None:
    version = workspace.catalog.versions.list()[0]
    assert load_artifact("small") == VALUE
    assert json.loads(crashed.read_bytes()) == VALUE
    assert stat.S_IMODE(crashed.stat().st_mode) == 0o400
    assert list(verify(workspace, [version])) == []
    assert workspace.catalog.unsynced.count() == 0


def test_a_file_that_was_changed_is_not_taken_for_one_that_a_crash_took(
    workspace: Workspace, restarted: Callable[[], None]
) -> None:
    save_artifact(VALUE, "small")
    file = the_file()
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"fills", b"spills"))
    restarted()
    with pytest.raises(DigestMismatch, match=file.name):
        load_artifact("small")
    assert workspace.catalog.unsynced.count() == 1, "the only right bytes are kept"


def test_a_file_that_went_without_a_crash_is_told(workspace: Workspace) -> None:
    save_artifact(VALUE, "small")
    the_file().unlink()
    with pytest.raises(DigestMismatch, match=r"data\.json"):
        load_artifact("small")


@pytest.mark.parametrize("collected", [False, True])
def test_a_file_does_not_come_back_when_its_version_goes_meanwhile(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, collected: bool
) -> None:
    save_artifact(VALUE, "small")
    file = the_file()
    file.unlink()
    catalog = workspace.catalog
    places = catalog.unsynced.places()
    asked: list[int | None] = []

    def before_and_after(blob_id: int | None = None) -> Any:
        asked.append(blob_id)
        if blob_id is None:
            return places
        catalog.blobs.set_place_state([places[0].id], "gone")
        return original(blob_id)

    original = catalog.unsynced.places
    if collected:
        Client().delete_artifact("small")
    monkeypatch.setattr(catalog.unsynced, "places", before_and_after)
    workspace.syncing.sync()
    assert not file.exists()
    assert len(asked) == (1 if collected else 2)


def test_the_copy_of_a_home_writes_nothing_into_the_store_of_the_first(
    workspace: Workspace, home: Path, tmp_path: Path
) -> None:
    save_artifact(VALUE, "small")
    file = the_file()
    shutil.copytree(home, tmp_path / "copy")
    file.unlink()
    with Workspace.open(tmp_path / "copy") as copy:
        copy.syncing.sync()
    assert not file.exists()


def test_many_small_files_are_not_all_held_in_memory(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).write_bytes(b"%d" % number * 5_000)
    kept = [file.content for file in scan(tmp_path, keep=SMALL_VERSION).files if file.content is not None]
    assert 0 < sum(map(len, kept)) <= SMALL_VERSION


WRITTEN = bytes(range(1, 256)) * 5


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, True),
        (b"", True),
        (WRITTEN[:600], True),
        (bytes(512) + WRITTEN[512:], True),
        (WRITTEN[:512] + bytes(len(WRITTEN) - 512), True),
        (bytes(700), True),
        (WRITTEN + b"\n", False),
        (b"x" + WRITTEN[1:], False),
        (bytes(511) + WRITTEN[511:], False),
        (WRITTEN[:-1] + b"\0", False),
    ],
)
def test_a_crash_leaves_what_was_written_less_or_sectors_of_zeros(found: bytes | None, expected: bool) -> None:
    assert is_left_by_a_crash(found, WRITTEN) is expected
