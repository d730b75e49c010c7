"""The steps by which a draft becomes a version, called one after another: no mount, no event loop."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from artfs.catalog.versions import Version
from artfs.errors import Cancelled, DraftHeld, InvalidName, VersionExists
from artfs.workspace.workspace import Workspace
from artfs_mount.incoming import area as areas
from artfs_mount.incoming import stubs
from artfs_mount.incoming.commit import STUBS_AT_ONCE, DraftCommit, MadeVersion, Request
from artfs_mount.incoming.complete.events import Opened, Stamp
from artfs_mount.incoming.drafts import Draft, State, Who
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.incoming.observed import Actor
from support.working_drafts import all_steps

ACTOR = Actor("group:1", 1, ("train.py",), None, (1, 1))


class Drafts:
    """Drafts in a real directory."""

    def __init__(self, home: Path, mount_point: Path) -> None:
        self.workspace = Workspace.open(home)
        self.mount_point = mount_point
        self.incoming = Incoming(self.workspace, areas.claim(self.workspace.home.mounts, mount_point))

    def write(self, name: str, content: bytes = b"content") -> Draft:
        """Writes the file of a draft."""
        self.path(name).write_bytes(content)
        return self.incoming.drafts.touch(name.encode(), Who(None, ACTOR))

    def path(self, name: str) -> Path:
        return Path(os.fsdecode(self.incoming.path(name.encode())))

    def begin(self, draft: Draft, **wishes: str | tuple[str, ...]) -> DraftCommit:
        return DraftCommit(self.incoming, self.mount_point, draft, Request(**wishes))  # type: ignore[arg-type]

    def seal(self, draft: Draft, **wishes: str | tuple[str, ...]) -> tuple[DraftCommit, MadeVersion]:
        """All steps, up to the lineage."""
        commit = self.begin(draft, **wishes)
        commit.check()
        return commit, all_steps(commit)

    def versions(self, name: str) -> list[Version]:
        row = self.workspace.catalog.artifacts.get(name)
        return list(self.workspace.catalog.versions.list(row.id)) if row is not None else []


@pytest.fixture
def drafts(home: Path, tmp_path: Path) -> Drafts:
    (tmp_path / "mnt").mkdir()
    return Drafts(home, tmp_path / "mnt")


def test_a_draft_becomes_a_version_and_stays_as_a_stub(drafts: Drafts) -> None:
    draft = drafts.write("model", b"bytes")
    inode = drafts.path("model").stat().st_ino
    _, made = drafts.seal(draft, version="v1", tags=("best",))
    assert made.is_new
    assert [(version.name, version.state) for version in drafts.versions("model")] == [("v1", "live")]
    assert (draft.state, draft.version) == (State.SEALED, "v1")
    assert stubs.blob_of(os.fsencode(drafts.path("model"))) is not None
    assert drafts.path("model").stat().st_ino != inode
    (stored,) = [path for path in drafts.workspace.home.path.glob("store/model/*/model") if path.is_file()]
    assert (stored.read_bytes(), stored.stat().st_ino) == (b"bytes", inode)
    assert list(drafts.incoming.area.scratch.iterdir()) == []


def test_what_is_the_same_is_no_new_version(drafts: Drafts) -> None:
    drafts.seal(drafts.write("model", b"same"))
    commit, made = drafts.seal(drafts.write("model", b"same"), tags=("again",))
    assert not made.is_new
    assert not commit.owes_lineage
    assert [version.name for version in drafts.versions("model")] == ["1"]
    assert stubs.blob_of(os.fsencode(drafts.path("model"))) is not None


def test_a_change_after_any_look_stops_it(drafts: Drafts) -> None:
    draft = drafts.write("model")
    commit = drafts.begin(draft)
    commit.look()
    commit.snapshot()
    drafts.write("model", b"more")
    for step in (commit.snapshot, commit.decide):
        with pytest.raises(Cancelled):
            step()
    assert drafts.versions("model") == []
    assert drafts.path("model").read_bytes() == b"more"


def test_a_draft_that_is_another_one_by_now_is_not_taken_for_it(drafts: Drafts) -> None:
    draft = drafts.write("model")
    commit = drafts.begin(draft)
    commit.look()
    drafts.incoming.drafts.remove(b"model")
    drafts.write("model")
    with pytest.raises(Cancelled):
        commit.decide()


def test_a_draft_that_is_written_is_not_looked_at(drafts: Drafts) -> None:
    draft = drafts.write("model")
    drafts.incoming.drafts.tell(b"model", Opened(b"", Stamp(0, None), 1, writes=True))
    commit = drafts.begin(draft)
    with pytest.raises(Cancelled):
        commit.look()
    with pytest.raises(DraftHeld, match="a file is still open for writing"):
        commit.check()


def test_nobody_waits_for_a_snapshot_that_is_cancelled(drafts: Drafts) -> None:
    commit = drafts.begin(drafts.write("model"))
    commit.look()
    commit.cancel()
    with pytest.raises(Cancelled):
        commit.snapshot()


def test_what_cannot_be_a_version_is_refused_at_once(drafts: Drafts) -> None:
    draft = drafts.write("model")
    for wish in ({"artifact": ".artfs"}, {"version": "a/b"}):
        with pytest.raises(InvalidName):
            drafts.begin(draft, **wish).check()
    drafts.seal(draft, version="v1")
    with pytest.raises(VersionExists):
        drafts.seal(drafts.write("model", b"more"), version="v1")
    assert draft.state is State.CHANGED


def test_a_commit_that_fails_leaves_the_draft_as_it_was(drafts: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = drafts.write("model", b"bytes")
    commit = drafts.begin(draft)
    commit.look()
    content = commit.snapshot()
    commit.decide()

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(drafts.workspace.catalog.versions, "create", fail)
        with pytest.raises(OSError, match="full"):
            commit.commit(content)
    assert draft.state is State.SEALING
    commit.abandon()
    assert draft.state is State.CHANGED
    assert list(drafts.incoming.area.scratch.iterdir()) == []
    assert list(drafts.workspace.home.path.glob("store/model/*")) == []
    assert drafts.path("model").read_bytes() == b"bytes"
    _, made = drafts.seal(draft)
    assert made.version.name == "1"


def test_stubs_are_put_in_batches(drafts: Drafts) -> None:
    drafts.path("many").mkdir()
    for number in range(2 * STUBS_AT_ONCE + 1):
        (drafts.path("many") / str(number)).write_bytes(b"%d" % number)
    commit = drafts.begin(drafts.incoming.drafts.touch(b"many"))
    commit.look()
    content = commit.snapshot()
    commit.decide()
    made = commit.commit(content)
    counts = [
        sum(stubs.blob_of(os.fsencode(path)) is not None for path in drafts.path("many").iterdir())
        for _ in commit.give_back(made)
    ]
    assert counts == [STUBS_AT_ONCE, 2 * STUBS_AT_ONCE, 2 * STUBS_AT_ONCE + 1]


@pytest.mark.parametrize("how", ["a stub fails", "it is left"])
def test_a_draft_that_shares_bytes_with_its_version_must_not_be_changed(
    drafts: Drafts, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    commit = drafts.begin(drafts.write("model"))
    commit.look()
    content = commit.snapshot()
    commit.decide()
    made = commit.commit(content)
    steps = commit.give_back(made)
    if how == "it is left":
        next(steps)
        steps.close()
    else:
        monkeypatch.setattr(stubs.Stub, "put", lambda _: os.stat("/nowhere"))
        with pytest.raises(OSError):
            next(steps)
    assert "can be changed only after the next mount" in drafts.incoming.drafts.stuck[b"model"]


def test_lineage_is_owed_from_the_moment_that_the_draft_is_free(drafts: Drafts) -> None:
    data = drafts.seal(drafts.write("data"))[1].version
    later = drafts.seal(drafts.write("later"))[1].version
    ACTOR.read(data.id)
    commit, made = drafts.seal(drafts.write("model"))
    assert commit.owes_lineage
    catalog = drafts.workspace.catalog
    assert catalog.lineage.producer(made.version.id) is None
    ACTOR.read(later.id)
    drafts.write("model", b"more")
    commit.record(made)
    assert catalog.lineage.upstream(made.version.id) == [data.id]
    assert [author.inputs(2**62) for author in drafts.incoming.drafts.touch(b"model").authors.values()] == [
        {data.id, later.id}
    ]


def test_a_draft_that_leaves_is_gone_at_once(drafts: Drafts) -> None:
    commit, _ = drafts.seal(drafts.write("model"))
    away = commit.detach()
    assert not drafts.path("model").exists()
    assert drafts.incoming.drafts.get(b"model") is None
    assert Path(os.fsdecode(away)).parent == drafts.incoming.area.scratch
