"""When a draft that is a file or a link is complete."""

from __future__ import annotations

import re
from typing import Any

import pytest

from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.rule import STOPPED_SECONDS, Check, Decision, Hold, Seal, Wait
from support.draft_stories import Story, lived, told

SAVED = ("0 save .",)
ENDED = {"ended": True}
LIVES = {"ended": False}
WAITS = {"finish": True, "waits_for_itself": True}
OPEN = Wait("1 file is open for writing", None)
MOMENT = "it changed a moment ago"

DECISIONS: dict[str, tuple[tuple[str, ...], dict[str, bool], float, Decision]] = {
    "just saved": (SAVED, ENDED, 1.5, Wait(MOMENT, 0.5)),
    "saved, its writer lives": (SAVED, LIVES, 1.5, Wait(MOMENT, 0.5)),
    "quiet, and nobody has looked at its format": (SAVED, ENDED, 2, Check((b"",))),
    "being written": (("0 open .", "1 write ."), ENDED, 1000, OPEN),
    "being appended to": (("0 append .", "1 write ."), ENDED, 1000, OPEN),
    "written by two": (("0 open .", "0 open ."), ENDED, 1000, Wait("2 files are open for writing", None)),
    "a mode that comes late": ((*SAVED, "1.5 chmod ."), ENDED, 3, Wait(MOMENT, 0.5)),
    "LightGBM between its opens": ((*SAVED, "1.5 append ."), ENDED, 3.5, OPEN),
    "its writer is stopped": (
        SAVED,
        {"ended": False, "stopped": True},
        1000,
        Wait("a program that writes it is stopped", STOPPED_SECONDS),
    ),
    "somebody waits, before its format was looked at": (SAVED, {**LIVES, "finish": True}, 0, Check((b"",))),
    "somebody waits while it is written": (("0 open .",), {"ended": False, "finish": True}, 0, OPEN),
    "its writer waits for it, and a thread may write": (("0 open .",), WAITS, 9, Wait(OPEN.why, 1)),
    "its writer waits for it, and would for ever": (
        ("0 open .",),
        WAITS,
        10,
        Hold(f"{OPEN.why}, by the program that waits for it; close it first"),
    ),
}


@pytest.mark.parametrize("what", DECISIONS)
def test_what_is_decided(what: str) -> None:
    lines, facts, at, decision = DECISIONS[what]
    assert told(*lines, kind=DraftKind.FILE, facts=facts).decide(at) == decision


WATCHED: dict[str, tuple[dict[str, Any], float]] = {
    "its writers have ended": ({"facts": ENDED}, 2),
    "its format proves its end": ({"facts": LIVES, "proven": True}, 2),
    "nothing proves its end": ({"facts": LIVES}, 10),
    "somebody waits for it": ({"facts": {**LIVES, "finish": True}}, 0),
}


@pytest.mark.parametrize("what", WATCHED)
def test_it_is_a_version_as_soon_as_it_may_be(what: str) -> None:
    options, at = WATCHED[what]
    assert [version.at for version in lived(*SAVED, until=100, kind=DraftKind.FILE, **options).versions] == [at]


def test_a_link_has_no_format() -> None:
    link = told("0 mkdir d", kind=DraftKind.LINK)
    assert link.decide(1.5) == Wait(MOMENT, 0.5)
    assert link.decide(2) == Seal()


HELD: dict[str, tuple[tuple[str, ...], str]] = {
    "a write failed": (("0 open .", "1 failed .", "1 close ."), r"a write to it failed \(ENOSPC\); write it again"),
    "its writer was killed": (("0 open .", "1 killed ."), "a signal killed the program that wrote it; write it again"),
}


@pytest.mark.parametrize("what", HELD)
@pytest.mark.parametrize("finish", [False, True])
def test_a_bad_end_holds_it_until_it_is_written_anew(what: str, finish: bool) -> None:
    lines, why = HELD[what]
    file = lived(*lines, until=100, kind=DraftKind.FILE, facts={"ended": True, "finish": finish})
    assert file.versions == []
    decision = file.decide()
    assert isinstance(decision, Hold)
    assert re.match(why, decision.why)
    file.live("101 save .", until=200)
    assert len(file.versions) == 1


def test_a_fault_of_its_format_holds_it_until_it_is_written_anew() -> None:
    file = lived(*SAVED, until=100, kind=DraftKind.FILE, facts=ENDED, unfit=frozenset({""}))
    assert file.versions == []
    assert file.decide() == Hold("it is not whole; write it again, commit it as it is (artfs commit), or remove it")
    file.unfit = frozenset()
    file.live("101 save .", until=200)
    assert [version.at for version in file.versions] == [103]


def test_a_log_whose_writer_was_killed_is_as_good_as_any() -> None:
    for name, lines in (("run.log", ("0 open .", "1 killed .")), ("any", ("0 append .", "1 killed ."))):
        assert len(lived(*lines, until=100, name=name, kind=DraftKind.FILE, facts=ENDED).versions) == 1


@pytest.mark.parametrize(
    "name", [".model", "model.tmp", "model.safetensors.tmpJ3k2a1", "7.orbax-checkpoint-tmp", "x-wal"]
)
@pytest.mark.parametrize("kind", DraftKind)
def test_a_temporary_name_is_no_artifact_and_nobody_waits_for_it(name: str, kind: DraftKind) -> None:
    decision = Story(name=name, kind=kind, facts={"ended": True, "finish": True}).tell("0 mkdir d").decide(1000)
    assert isinstance(decision, Wait)
    assert (decision.seconds, decision.aside) == (None, True)
