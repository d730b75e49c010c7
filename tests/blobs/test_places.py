"""Where a blob is looked for first, what a place that fails changes, and who is told."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from artfs import register_artifact, save_artifact
from artfs.artifacts.gc import gc
from artfs.artifacts.lookup import find_version
from artfs.artifacts.verify import verify
from artfs.blobs import pieces
from artfs.blobs import places as places_module
from artfs.catalog.blobs import Blob, Place
from artfs.client import Client
from artfs.content.digest import BLOCK_SIZE, PIECE_SIZE, Digest
from artfs.errors import ContentNotFound, MissingLibrary
from artfs.stores.base import Store
from artfs.workspace.registration import register_store
from artfs.workspace.workspace import Workspace
from support.stores import FileStore, stored_files

SIZE = 2 * BLOCK_SIZE + PIECE_SIZE + 77
AT = BLOCK_SIZE + 5 * PIECE_SIZE


@pytest.fixture
def content() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture
def blob(workspace: Workspace, content: bytes) -> Blob:
    """A content in the store of the home."""
    save_artifact(content, name="n", include_visualizations=False)
    return blob_of(workspace, "n")


@pytest.fixture
def elsewhere(workspace: Workspace, blob: Blob, tmp_path: Path) -> Path:
    """The same content in a second place, which counts as one that is not on this machine."""
    store = register_store(workspace, "second", FileStore.flavor, f"file://{tmp_path}/second")
    [place] = workspace.catalog.blobs.places(blob.id)
    shutil.copytree(workspace.stores.active.root, tmp_path / "second", dirs_exist_ok=True)
    workspace.catalog.blobs.add_place(blob.id, Place(place.path, store.id))
    return tmp_path / "second" / os.fsdecode(place.path)


def blob_of(workspace: Workspace, name: str) -> Blob:
    version = find_version(workspace.catalog, name)
    entries = [row for _, row in workspace.catalog.trees.walk(version.tree_id or 0) if row.size == SIZE]
    assert entries[0].digest is not None
    found = workspace.catalog.blobs.get(entries[0].digest)
    assert found is not None
    return found


def here(workspace: Workspace) -> Path:
    """The content's file in the store of the home."""
    return max(stored_files(Path(workspace.stores.active.root)), key=lambda path: path.stat().st_size)


def lists(root: Path) -> list[Path]:
    return [path for path in root.rglob("pieces/*") if path.is_file()]


def damage(path: Path) -> None:
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.write(b"damage")


def test_what_no_catalog_knows_is_an_error_that_says_what_to_do(workspace: Workspace) -> None:
    with pytest.raises(ContentNotFound, match=r"knows no content b3:00.*: restore a newer catalog, or remove the file"):
        workspace.blobs.open(Digest(bytes(32)))


def test_what_is_on_this_machine_is_asked_first(workspace: Workspace, blob: Blob, elsewhere: Path) -> None:
    local, _ = workspace.catalog.blobs.places(blob.id)
    workspace.catalog.blobs.set_place_state([local.id], "staged")
    assert workspace.catalog.blobs.places(blob.id)[1].id == local.id
    candidates = workspace.blobs.places.of(blob.id)
    assert [candidate.is_local for candidate in candidates] == [True, False]
    assert candidates[1].shown == f"file://{elsewhere}"


@pytest.mark.expected_warnings("'.*' is damaged: block 0 of it .*; another place has the bytes")
def test_a_place_that_fails_is_told_once_and_asked_last(
    workspace: Workspace, blob: Blob, elsewhere: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    damage(here(workspace))
    for _ in range(3):
        workspace.blobs.memory.clear()
        with workspace.blobs.open(blob.digest) as reader:
            assert bytes(reader.read(0, BLOCK_SIZE)) == content[:BLOCK_SIZE]
    assert len(caplog.records) == 1
    assert [candidate.is_local for candidate in workspace.blobs.places.of(blob.id)] == [False, True]
    status = workspace.blobs.places.status(with_names=True)
    assert status["failures"] == 1
    assert status["last"]["place"] == str(here(workspace)) and "is damaged" in status["last"]["message"]
    assert workspace.blobs.places.status(with_names=False) == {"failures": 1, "last": None}


@pytest.mark.expected_warnings("another place has the bytes")
def test_a_place_is_asked_first_again_after_a_while_and_told_no_second_time(
    workspace: Workspace,
    blob: Blob,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(places_module, "AVOIDED_SECONDS", 0.0)
    damage(here(workspace))
    for _ in range(2):
        workspace.blobs.memory.clear()
        with workspace.blobs.open(blob.digest) as reader:
            reader.read(0, BLOCK_SIZE)
        assert [candidate.is_local for candidate in workspace.blobs.places.of(blob.id)] == [True, False]
    assert workspace.blobs.places.status(with_names=False)["failures"] == 2
    assert len(caplog.records) == 1


@pytest.mark.expected_warnings("another place has the bytes")
def test_a_store_that_cannot_be_used_is_asked_last_for_all_its_places(
    workspace: Workspace, blob: Blob, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_artifact(b"other" * 30_000, name="other", include_visualizations=False)
    [other] = [
        row
        for _, row in workspace.catalog.trees.walk(find_version(workspace.catalog, "other").tree_id or 0)
        if row.blob_id and row.size > 1000
    ]
    workspace.catalog.blobs.add_place(other.blob_id or 0, Place(b"far/away", workspace.stores.by_name("second").id))
    monkeypatch.setattr(type(workspace.stores.active), "open_place", _no_answer)
    with workspace.blobs.open(blob.digest) as reader:
        reader.read(0, BLOCK_SIZE)
    assert [candidate.is_local for candidate in workspace.blobs.places.of(other.blob_id or 0)] == [False, True]


def test_a_store_that_cannot_be_opened_here_is_passed_over(
    workspace: Workspace, blob: Blob, elsewhere: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_id, unusable = workspace.stores.by_id, {workspace.stores.by_name("second").id}

    def usable(store_id: int) -> Store:
        if store_id in unusable:
            raise MissingLibrary("it needs a library")
        return by_id(store_id)

    monkeypatch.setattr(workspace.stores, "by_id", usable)
    with workspace.blobs.open(blob.digest) as reader:
        assert bytes(reader.read(0, 10)) == content[:10]
    unusable.add(next(place.store_id for place in workspace.catalog.blobs.places(blob.id)))
    with pytest.raises(MissingLibrary):
        workspace.blobs.open(blob.digest)


def _no_answer(store: object, place: bytes) -> None:
    raise TimeoutError("no answer")


class TestDiskCache:
    def test_what_was_read_elsewhere_is_read_there_once(
        self, workspace: Workspace, blob: Blob, elsewhere: Path, content: bytes
    ) -> None:
        shutil.rmtree(here(workspace).parent)
        with workspace.blobs.open(blob.digest) as reader, pytest.MonkeyPatch.context() as patch:
            patch.setattr(places_module.logger, "warning", lambda *arguments: None)
            assert bytes(reader.read(AT, PIECE_SIZE)) == content[AT : AT + PIECE_SIZE]
            assert bytes(reader.read(0, BLOCK_SIZE)) == content[:BLOCK_SIZE]
        elsewhere.unlink()
        shutil.rmtree(elsewhere.parent / ".artfs")
        with (
            Workspace(workspace.home) as fresh,
            fresh.blobs.reader(
                blob, [each for each in fresh.blobs.places.of(blob.id, lists_of=blob.digest) if not each.is_local]
            ) as reader,
        ):
            assert bytes(reader.read(AT, PIECE_SIZE)) == content[AT : AT + PIECE_SIZE]
            assert bytes(reader.read(BLOCK_SIZE - 100, 100)) == content[BLOCK_SIZE - 100 : BLOCK_SIZE]
            with pytest.raises(FileNotFoundError):
                reader.read(AT - PIECE_SIZE, PIECE_SIZE)

    def test_what_is_on_this_machine_is_not_kept_twice(self, workspace: Workspace, blob: Blob) -> None:
        with workspace.blobs.open(blob.digest) as reader:
            reader.read(0, SIZE)
        assert workspace.blobs.disk.used() == 0


class TestLists:
    def test_they_lie_beside_the_version_and_go_with_it(self, workspace: Workspace, blob: Blob) -> None:
        root = Path(workspace.stores.active.root)
        [path] = lists(root)
        assert path == here(workspace).parent / ".artfs" / "pieces" / blob.digest.hex()
        assert path.stat().st_size == (2 * 64 + 2) * 32
        Client().delete_artifact_version("n", "1")
        assert stored_files(root) == lists(root) == []

    def test_a_read_of_a_saved_value_uses_them(self, workspace: Workspace, blob: Blob, content: bytes) -> None:
        with workspace.blobs.open(blob.digest) as reader:
            assert bytes(reader.read(AT, PIECE_SIZE)) == content[AT : AT + PIECE_SIZE]
            assert reader.peek(AT, PIECE_SIZE) is not None
            assert reader.peek(AT + PIECE_SIZE, 1) is None, "the piece was read, and not its block"

    @pytest.mark.expected_warnings("the list of the pieces of block 1 of '.*' is damaged")
    def test_one_that_is_wrong_is_told_and_changes_no_order(
        self, workspace: Workspace, blob: Blob, elsewhere: Path, content: bytes
    ) -> None:
        [path] = lists(Path(workspace.stores.active.root))
        path.chmod(0o600)
        path.write_bytes(os.urandom(path.stat().st_size))
        shutil.rmtree(elsewhere.parent / ".artfs")
        with workspace.blobs.open(blob.digest) as reader:
            assert bytes(reader.read(AT, 10)) == content[AT : AT + 10]
            assert bytes(reader.read(AT, 10)) == content[AT : AT + 10]
        assert workspace.blobs.places.status(with_names=True)["failures"] == 1
        assert [candidate.is_local for candidate in workspace.blobs.places.of(blob.id)] == [True, False]
        assert list(verify(workspace, [find_version(workspace.catalog, "n")])) == []

    def test_those_of_data_in_place_lie_in_the_home(
        self, workspace: Workspace, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "file").write_bytes(content)
        register_artifact(tmp_path / "data", "data")
        blob = blob_of(workspace, "data")
        [path] = [path for path in (workspace.home.path / "pieces").rglob("*") if path.is_file()]
        with workspace.blobs.open(blob.digest) as reader:
            assert bytes(reader.read(AT, PIECE_SIZE)) == content[AT : AT + PIECE_SIZE]
            assert reader.peek(AT, PIECE_SIZE) is not None and reader.peek(0, 1) is None
        Client().delete_artifact_version("data", "1")
        gc(workspace)
        assert path.exists(), "somebody may just be registering it"
        monkeypatch.setattr(pieces, "_LEFT_SECONDS", -1.0)
        gc(workspace)
        assert not path.exists()
