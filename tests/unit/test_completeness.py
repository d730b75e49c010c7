"""The rule for when a draft is complete."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.rule import Decision, Facts, Hold, Seal, Wait, decide
from artfs_mount.incoming.complete.settings import Quiet

QUIET = Quiet(file=2, directory=10)

facts = st.builds(
    Facts,
    name=st.sampled_from(["model", ".model", "checkpoint-1"]),
    kind=st.sampled_from(DraftKind),
    open_writers=st.integers(0, 3),
    still=st.floats(0, 20),
    held=st.sampled_from([None, "a write to it failed"]),
    finish=st.booleans(),
)


def about(
    name: str = "model",
    kind: DraftKind = DraftKind.FILE,
    open_writers: int = 0,
    still: float = 100,
    held: str | None = None,
    finish: bool = False,
) -> Facts:
    return Facts(name, kind, open_writers, still, held, finish)


@pytest.mark.parametrize(
    ("kind", "still", "decision"),
    [
        (DraftKind.FILE, 0, Wait("it changed a moment ago", 2)),
        (DraftKind.FILE, 1.5, Wait("it changed a moment ago", 0.5)),
        (DraftKind.FILE, 2, Seal()),
        (DraftKind.LINK, 1.5, Wait("it changed a moment ago", 0.5)),
        (DraftKind.LINK, 2, Seal()),
        (DraftKind.DIRECTORY, 2, Wait("it changed a moment ago", 8)),
        (DraftKind.DIRECTORY, 10, Seal()),
    ],
)
def test_quiet(kind: DraftKind, still: float, decision: Decision) -> None:
    assert decide(about(kind=kind, still=still), QUIET) == decision


def test_somebody_who_waits_for_ended_writers_need_not_wait_for_quiet() -> None:
    assert decide(about(still=0, finish=True), QUIET) == Seal()


def test_open_files_are_counted() -> None:
    assert decide(about(open_writers=1), QUIET) == Wait("1 file is open for writing", None)
    assert decide(about(open_writers=2, finish=True), QUIET) == Wait("2 files are open for writing", None)


def test_what_is_held_says_why() -> None:
    assert decide(about(held="a write to it failed", finish=True), QUIET) == Hold("a write to it failed")
    assert isinstance(decide(about(held="a write to it failed", open_writers=1), QUIET), Wait)


def test_a_temporary_name_waits_for_a_rename() -> None:
    decision = decide(about(name=".model.tmp", finish=True), QUIET)
    assert isinstance(decision, Wait)
    assert decision.seconds is None


@given(facts)
def test_only_what_nothing_holds_back_is_sealed(draft: Facts) -> None:
    complete = decide(draft, QUIET) == Seal()
    held_back = draft.open_writers > 0 or draft.held is not None or draft.name.startswith(".")
    assert complete == (not held_back and (draft.finish or draft.still >= QUIET.of(draft.kind)))


@given(facts)
def test_waiting_for_a_time_ends_after_it(draft: Facts) -> None:
    decision = decide(draft, QUIET)
    if isinstance(decision, Wait) and decision.seconds is not None:
        assert decision.seconds > 0
        later = Facts(**{**draft.__dict__, "still": QUIET.of(draft.kind)})
        assert decide(later, QUIET) == Seal()
