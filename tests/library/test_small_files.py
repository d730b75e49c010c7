"""Small files are synced later. What a crash of the machine takes of them before that is written again."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from artfs import load_artifact, save_artifact
from artfs.artifacts import syncing
from artfs.artifacts.presence import bytes_are_there
from artfs.artifacts.shown import read_visualization
from artfs.artifacts.syncing import SMALL_FILE, SMALL_VERSION, is_left_by_a_crash
from artfs.artifacts.verify import verify
from artfs.client import Client
from artfs.errors import DigestMismatch
from artfs.stores.local import FEW_FILES, LocalStore
from artfs.workspace import Workspace

VALUE = {"text": "so much that it fills more than one sector of the disk " * 20}


@pytest.fixture
def workspace(home: Path) -> Workspace:
    return Client().workspace


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """What stores are told to sync, call by call."""
    calls: list[list[bytes]] = []
    sync = LocalStore.sync

    def noted(store: LocalStore, places: Any) -> None:
        if places:
            calls.append(list(places))
        sync(store, places)

    monkeypatch.setattr(LocalStore, "sync", noted)
    return calls


@pytest.fixture
def restarted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes everything that was saved so far a thing of an earlier boot of the machine."""
    return lambda: monkeypatch.setattr(syncing, "current_boot", lambda: "another boot")


def the_file(name: str = "small") -> Path:
    [file] = Path(Client().get_artifact_version(name).uri).iterdir()
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
        assert [len(places) for places in synced] == [FEW_FILES, 1]
        assert other.catalog.unsynced.count() == 0


def test_a_sync_that_fails_loses_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(store: LocalStore, places: Any) -> None:
        if places:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(syncing, "MOST_UNSYNCED", 1)
    with monkeypatch.context() as patch, caplog.at_level(logging.CRITICAL, logger=syncing.__name__):
        patch.setattr(LocalStore, "sync", fails)
        save_artifact(VALUE, "small")
        with pytest.raises(OSError, match="Input/output error"):
            workspace.syncing.sync()
    assert workspace.catalog.unsynced.count() == 1
    assert load_artifact("small") == VALUE
    workspace.syncing.sync()
    assert workspace.catalog.unsynced.count() == 0


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


def test_what_a_crash_took_is_loaded(crashed: Path) -> None:
    assert load_artifact("small") == VALUE
    assert crashed.exists()


def test_what_a_crash_took_is_read_through_fsspec(crashed: Path) -> None:
    with fsspec.open("artfs://small/latest/data.json") as file:
        assert file.read() == crashed.read_bytes()


def test_what_a_crash_took_is_no_damage(crashed: Path, workspace: Workspace) -> None:
    version = workspace.catalog.versions.list()[0]
    assert list(verify(workspace, [version])) == []
    assert workspace.catalog.unsynced.count() == 0
    assert load_artifact("small") == VALUE


def test_what_a_crash_took_is_shown(crashed: Path, workspace: Workspace) -> None:
    version = workspace.catalog.versions.list()[0]
    [row] = workspace.catalog.visualizations.list(version.id)
    assert b"fills more than one sector" in read_visualization(workspace, version, row)


def test_what_a_crash_took_counts_as_there(crashed: Path, workspace: Workspace) -> None:
    """So that a step whose output it is is not run again."""
    assert bytes_are_there(workspace, workspace.catalog.versions.list()[0])


def test_what_a_crash_took_is_there_again_after_a_sync(crashed: Path, workspace: Workspace) -> None:
    workspace.syncing.sync()
    assert workspace.catalog.unsynced.count() == 0
    assert load_artifact("small") == VALUE


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
    workspace.syncing.sync()
    assert workspace.catalog.unsynced.count() == 1, "the only right bytes are kept"


def test_a_file_that_went_without_a_crash_is_told(workspace: Workspace) -> None:
    save_artifact(VALUE, "small")
    the_file().unlink()
    with pytest.raises(DigestMismatch, match=r"data\.json"):
        load_artifact("small")


def test_a_file_does_not_come_back_when_its_version_goes_meanwhile(
    workspace: Workspace, restarted: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_artifact(VALUE, "small")
    file = the_file()
    file.unlink()
    restarted()
    [place] = workspace.catalog.unsynced.places()
    monkeypatch.setattr(workspace.catalog.unsynced, "places", lambda *_: [place])
    Client().delete_artifact("small")
    assert not workspace.syncing.restore(place.blob_id)
    workspace.syncing.sync()
    assert not file.exists()


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
