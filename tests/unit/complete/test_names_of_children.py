"""A draft of which each child becomes a version: a name that no tag may have holds back only who has it."""

from __future__ import annotations

import pytest

from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.rule import Hold, Seal
from support.draft_stories import Story


@pytest.mark.parametrize("name", [b"a\x01", b"\xff", b"a" * 255])
def test_a_name_that_no_tag_may_have_keeps_back_no_other_child(name: bytes) -> None:
    story = Story(facts={"ended": True, "children": {name: DraftKind.DIRECTORY, b"good": DraftKind.DIRECTORY}})
    story.act("save", name + b"/model")
    story.act("save", b"good/model")
    decision = story.decide(at=60)
    assert isinstance(decision, Seal)
    assert decision.child == b"good"


@pytest.mark.parametrize("name", [b"a\x01", b"\xff", b"a" * 255])
def test_who_has_it_is_held_and_told(name: bytes) -> None:
    story = Story(facts={"ended": True, "children": {name: DraftKind.DIRECTORY}})
    story.act("save", name + b"/model")
    decision = story.decide(at=60)
    assert isinstance(decision, Hold)
    assert "invalid tag name" in decision.why
    assert decision.why.endswith("rename it")
