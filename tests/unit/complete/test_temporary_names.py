"""Temporary names: what has one waits while its writers live, and is left out when they have ended."""

from __future__ import annotations

import pytest

from artfs_mount.incoming.complete.names import has_temporary, is_temporary, numbered
from artfs_mount.incoming.complete.rule import Wait
from support.draft_stories import lived

TEMPORARY = [
    b".tmpJ3k2a1", b"model.safetensors.tmpJ3k2a1", b"saved_model.pb.tmp0123abcd", b"a.tmp", b"a.part", b"a.partial",
    b"tmpab12_cd9", b"part-0.tempstate123", b"variables_temp", b"ckpt-3_temp", b"a.tmp12",
    b"7.orbax-checkpoint-tmp", b"7.orbax-checkpoint-tmp-3", b"manifest.ocdbt.__lock", b"tmp-checkpoint-500",
    b".fuse_hidden0000000a", b".nfs0000000a", b".~lock.a.ods#",
    b"data.db-journal", b"data.db-wal", b"data.db-shm", b"\xff.tmp",
]  # fmt: skip
FINAL = [
    b"model.pt", b"tmp", b"temp", b"a.tmp.pt", b"template", b"attempt", b"partial", b"a.parts", b"tmpfiles", b"7",
    b"checkpoint-500", b"lock", b"journal", b"my-wallet", b"\xff", b"a.tmp\n", b"no_temp_here",
    b"room_temp", b"data_temp", b"chat.tmpl", b"lab-journal", b"tmp_results",
]  # fmt: skip


@pytest.mark.parametrize("name", TEMPORARY)
def test_temporary(name: bytes) -> None:
    assert is_temporary(name)
    assert has_temporary(name + b"/a")
    assert has_temporary(b"a/" + name)
    assert has_temporary(b"a/" + name + b"/b")
    assert numbered(name) is None


@pytest.mark.parametrize("name", FINAL)
def test_final(name: bytes) -> None:
    assert not is_temporary(name)
    assert not has_temporary(b"a/" + name + b"/b")


STORIES: dict[str, tuple[tuple[str, ...], bool, list[set[str]]]] = {
    "its writer lives": (("0 save a", "0 save .tmpJ3k2a1"), False, []),
    "its writer has ended": (("0 save a", "0 save .tmpJ3k2a1"), True, [{"a"}]),
    "it is renamed": (("0 save a", "0 save b.tmp", "100 rename b.tmp b"), False, [{"a", "b"}]),
    "it is removed": (("0 save a", "0 save b.tmp", "100 remove b.tmp"), False, [{"a"}]),
    "nothing else": (("0 save b.tmp", "0 save c.orbax-checkpoint-tmp/d"), True, []),
    "nothing else is new": (("0 save a", "100 save b.tmp"), True, [{"a"}]),
    "killed while it was written": (("0 save a", "0 open b.tmp", "1 killed b.tmp"), True, []),
    "in a checkpoint, killed before": (
        (
            *("0 open checkpoint-5/.tmpJ3k2a1", "1 killed checkpoint-5/.tmpJ3k2a1"),
            *("2 save checkpoint-5/w", "2 save checkpoint-5/trainer_state.json"),
        ),
        True,
        [{"checkpoint-5/w", "checkpoint-5/trainer_state.json"}],
    ),
    "SQLite": (("0 save a.db", "0 save a.db-wal", "0 save a.db-shm"), False, []),
}  # fmt: skip


@pytest.mark.parametrize("what", STORIES)
def test_what_becomes_of_it(what: str) -> None:
    lines, ended, versions = STORIES[what]
    story = lived(*lines, until=1000, facts={"ended": ended})
    assert [version.names for version in story.versions] == versions
    if not story.is_sealed and ended and what != "killed while it was written":
        decision = story.decide()
        assert isinstance(decision, Wait)
        assert decision.aside


def test_another_unit_does_not_wait_for_it() -> None:
    lines = ("0 save 7.orbax-checkpoint-tmp/a", "1 save checkpoint-5/w", "1 save checkpoint-5/trainer_state.json")
    story = lived(*lines, until=100)
    assert [version.names for version in story.versions] == [{"checkpoint-5/w", "checkpoint-5/trainer_state.json"}]
