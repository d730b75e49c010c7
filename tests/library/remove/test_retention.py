"""Which versions go for room on the disk, and which never do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artfs.artifacts.retention import NEWEST_KEPT, REASON, make_room
from artfs.artifacts.scan import scan
from artfs.artifacts.settings import change_settings
from artfs.artifacts.verify import verify
from artfs.catalog.version_rows import SEALED_BY_THEMSELVES
from artfs.catalog.versions import Version
from artfs.client import Client
from artfs.content.stubs import BLOB_ATTRIBUTE
from artfs.errors import OlderCatalog
from artfs.stages import stages
from artfs.workspace.workspace import Workspace
from support.versions import seal

SIZE = 10_000
ALL = 10**9
"""More room than there is to be made."""

Write = Callable[..., Version]


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    yield Client().workspace


@pytest.fixture
def write(workspace: Workspace, tmp_path: Path) -> Write:
    """Makes a version of files, each of which holds a letter: `write("run", a="x", b="y")`."""
    count = iter(range(1000))

    def make(artifact: str, sealed_by: str = "marker", **files: str) -> Version:
        folder = tmp_path / f"folder-{next(count)}"
        folder.mkdir()
        for name, letter in files.items():
            (folder / name).write_bytes(letter.encode() * SIZE)
        return seal(scan(folder), workspace, artifact, adopt=False, sealed_by=sealed_by)

    return make


@pytest.fixture
def saves(write: Write) -> list[Version]:
    """Seven versions of `run`, which have nothing in common."""
    return [write("run", file=letter) for letter in "abcdefg"]


def room(workspace: Workspace, wanted: int = ALL, **options: str) -> dict[str, list[str]]:
    made = make_room(workspace, workspace.home.path, wanted, **options)
    assert made.errors == []
    assert list(verify(workspace, workspace.catalog.versions.list())) == []
    return made.versions


def names(workspace: Workspace, artifact: str = "run") -> list[str]:
    found = workspace.catalog.artifacts.get(artifact)
    assert found is not None
    return [version.name for version in workspace.catalog.versions.list(found.id)]


class TestWhatGoes:
    def test_the_oldest_until_there_is_room(self, workspace: Workspace, saves: list[Version]) -> None:
        before = len(set(workspace.stores.active.places()))
        made = make_room(workspace, workspace.home.path, SIZE + 1)
        assert (made.versions, made.bytes) == ({"run": ["1", "2"]}, 2 * SIZE)
        assert names(workspace) == ["3", "4", "5", "6", "7"]
        assert len(set(workspace.stores.active.places())) == before - 2

    def test_the_newest_stay_however_little_room_there_is(self, workspace: Workspace, saves: list[Version]) -> None:
        assert room(workspace) == {"run": ["1", "2", "3", "4"]}
        assert len(names(workspace)) == NEWEST_KEPT
        assert room(workspace) == {}

    def test_a_tombstone_and_a_row_of_the_audit_log_say_why(self, workspace: Workspace, saves: list[Version]) -> None:
        room(workspace, 1)
        version = workspace.catalog.versions.by_id(saves[0].id)
        assert version is not None and (version.state, version.purge_reason) == ("purged", REASON)
        [row] = [row for row in workspace.catalog.audit.list() if row.action == "version.purge"]
        assert (row.subject, row.detail) == ("run@1", {"reason": REASON})

    def test_those_of_the_artifact_that_takes_the_room_go_first(self, workspace: Workspace, write: Write) -> None:
        for letter in "abcde":
            write("older", file=letter)
        for letter in "fghij":
            write("run", file=letter)
        assert room(workspace, 3 * SIZE, first="run") == {"run": ["1", "2"], "older": ["1"]}

    def test_those_of_every_artifact_by_age(self, workspace: Workspace, write: Write) -> None:
        for number in range(5):
            write("a", file=chr(65 + number))
            write("b", file=chr(97 + number))
        assert room(workspace, 3 * SIZE, first="nothing of this name") == {"a": ["1", "2"], "b": ["1"]}

    def test_of_contents_in_several_only_the_last_gives_room(self, workspace: Workspace, write: Write) -> None:
        """A rotation: each checkpoint is in three versions."""
        for at in range(6):
            write("run", **{f"checkpoint-{number}": chr(97 + number) for number in range(at, at + 3)})
        made = make_room(workspace, workspace.home.path, 2 * SIZE)
        assert (made.versions, made.bytes) == ({"run": ["1", "2"]}, 2 * SIZE)

    @pytest.mark.parametrize("sign", SEALED_BY_THEMSELVES)
    def test_whatever_made_a_draft_a_version_by_itself(self, workspace: Workspace, write: Write, sign: str) -> None:
        for letter in "abcd":
            write("run", sign, file=letter)
        assert room(workspace) == {"run": ["1"]}

    def test_more_than_are_looked_at_at_once(
        self, workspace: Workspace, saves: list[Version], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("artfs.artifacts.retention.LOOKED_AT_ONCE", 1)
        assert room(workspace) == {"run": ["1", "2", "3", "4"]}


class TestWhatStays:
    def test_what_somebody_asked_for(self, workspace: Workspace, write: Write) -> None:
        for letter in "abcde":
            write("run", "commit", file=letter)
        assert room(workspace) == {}

    def test_what_is_needed(self, workspace: Workspace, write: Write) -> None:
        catalog = workspace.catalog
        saves = [write("run", file=chr(97 + number)) for number in range(9)]
        catalog.pins.add(saves[0].id, "in the paper")
        catalog.tags.add(saves[1].id, "best")
        reads, makes = (
            catalog.steps.create(catalog.runs.create("p", kind, kind=kind).id, "s").id
            for kind in ("observed", "pipeline")
        )
        catalog.steps.add_input(reads, "data", saves[2].id, how="observed")
        catalog.steps.add_output(makes, "model", saves[3].id, produced=False)
        catalog.versions.set_state(saves[4].id, "staged")
        assert room(workspace) == {"run": ["6"]}

    def test_what_a_draft_still_holds(self, workspace: Workspace, saves: list[Version], write: Write) -> None:
        """A stub in a working copy stands for what only version 1 has."""
        assert saves[0].tree_id is not None
        [(_, row)] = workspace.catalog.trees.walk(saves[0].tree_id)
        assert row.blob_id is not None
        blob = workspace.catalog.blobs.by_id(row.blob_id)
        assert blob is not None
        stub = workspace.home.mounts / "1" / "work" / "run"
        stub.parent.mkdir(parents=True)
        stub.touch()
        os.setxattr(stub, BLOB_ATTRIBUTE, blob.digest)
        assert room(workspace) == {"run": ["2", "3", "4"]}
        stub.unlink()
        assert room(workspace) == {"run": ["1"]}

    def test_what_would_give_no_room(self, workspace: Workspace, write: Write) -> None:
        for letter in "abcdef":
            write("run", weights="w", log=letter)
        write("other", weights="w")
        made = make_room(workspace, workspace.home.path, SIZE)
        assert (made.versions, made.bytes) == ({"run": ["1"]}, SIZE)
        for _ in range(5):
            write("same", weights="w")
        assert room(workspace) == {"run": ["2", "3"]}

    def test_what_lies_on_another_disk(self, workspace: Workspace, saves: list[Version]) -> None:
        elsewhere = Path("/proc")
        assert os.stat(elsewhere).st_dev != os.stat(workspace.home.path).st_dev
        assert make_room(workspace, elsewhere, ALL).versions == {}

    def test_all_of_an_artifact_that_says_so(self, workspace: Workspace, saves: list[Version], write: Write) -> None:
        for letter in "hijk":
            write("other", file=letter)
        run = workspace.catalog.artifacts.ensure("run")
        change_settings(workspace, run, retention="keep")
        assert room(workspace) == {"other": ["1"]}

    def test_all_of_a_home_that_says_so(self, workspace: Workspace, saves: list[Version], write: Write) -> None:
        workspace.home.configure(retention="keep")
        assert room(workspace) == {}
        change_settings(workspace, workspace.catalog.artifacts.ensure("run"), retention="room")
        assert room(workspace, 1) == {"run": ["1"]}

    def test_all_when_the_catalog_is_an_older_one(self, workspace: Workspace, saves: list[Version]) -> None:
        for _, history in workspace.stores.histories():
            history.add_unlisted("0" * 32)
        with pytest.raises(OlderCatalog):
            make_room(workspace, workspace.home.path, ALL)
        assert len(names(workspace)) == 7

    def test_what_gets_a_tag_just_before(self, workspace: Workspace, saves: list[Version]) -> None:
        """It is judged inside the transaction that removes it."""
        transaction = workspace.catalog.transaction
        tagged = []

        def tag_first() -> object:
            if not tagged:
                tagged.append(True)
                workspace.catalog.tags.add(saves[0].id, "best")
            return transaction()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(workspace.catalog, "transaction", tag_first)
            made = make_room(workspace, workspace.home.path, SIZE)
        assert made.versions == {"run": ["2"]}


def test_a_kill_in_between_leaves_bytes_for_gc(workspace: Workspace, saves: list[Version]) -> None:
    class Killed(BaseException):
        pass

    def kill(stage: str) -> None:
        if stage == "purged":
            raise Killed

    before = set(workspace.stores.active.places())
    with pytest.raises(Killed), stages.heard(kill):
        make_room(workspace, workspace.home.path, SIZE)
    assert names(workspace) == ["2", "3", "4", "5", "6", "7"]
    assert set(workspace.stores.active.places()) == before
    Client().collect_garbage()
    assert len(set(workspace.stores.active.places())) == len(before) - 1
    assert list(verify(workspace, workspace.catalog.versions.list())) == []
