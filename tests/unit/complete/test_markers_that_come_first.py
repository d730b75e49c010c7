"""A newer checkpoint that is copied over an older one, its marker before the rest: never a version of both."""

from __future__ import annotations

import pytest

from support.draft_stories import Story

OLD = ("0 save ck/.metadata", "0 save ck/__0.distcp", "0 save ck/__1.distcp")
AMONG = ("0 save ck/__0.distcp", "0 save ck/.metadata", "0 save ck/__1.distcp")


def replaced(name: str, at: int, how: str) -> tuple[str, ...]:
    """A file that takes three seconds, as rsync (renamed over), cp (truncated) and tar (removed first) write it."""
    path, temporary = f"ck/{name}", f"ck/.{name}.AbCdEf"
    match how:
        case "renamed":
            whole = (f"{at} open {temporary}", f"{at + 3} close {temporary}")
            return (*whole, f"{at + 3} remove {path}", f"{at + 3} rename {temporary} {path}")
        case "truncated":
            return (f"{at} open {path}", f"{at + 3} close {path}")
        case _:
            return (f"{at} remove {path}", f"{at} open {path}", f"{at + 3} close {path}")


@pytest.mark.parametrize("how", ["renamed", "truncated", "removed"])
@pytest.mark.parametrize("order", [OLD, AMONG])
def test_a_version_has_a_newer_checkpoint_or_the_older_one(how: str, order: tuple[str, ...]) -> None:
    story = Story().live(*order, until=90)
    names = [line.rpartition("/")[2] for line in order]
    before = dict(story.versions[-1].files)
    again = [line for at, name in zip((100, 104, 108), names, strict=True) for line in replaced(name, at, how)]
    story.live(*again, until=300)
    after = story.below(b"ck")
    assert [version.files for version in story.versions] == [
        before,
        {path.decode(): content for path, content in after.items()},
    ]
    assert before.keys() == {path.decode() for path in after}
    assert before != {path.decode(): content for path, content in after.items()}


@pytest.mark.parametrize("how", ["renamed", "truncated", "removed"])
def test_what_is_removed_in_the_middle_of_it_is_no_version(how: str) -> None:
    story = Story().live(*OLD, until=90)
    story.live("100 save ck/.metadata", *replaced("__0.distcp", 101, how), "104.1 rmtree ck", until=300)
    assert len(story.versions) == 1


def test_what_went_and_does_not_come_again_holds_it() -> None:
    story = Story().live(*OLD, until=90)
    story.live("100 save ck/.metadata", "101 remove ck/__0.distcp", until=300)
    assert len(story.versions) == 1
    story.live("301 save ck/__0.distcp", until=600)
    assert len(story.versions) == 2


def test_a_log_that_a_version_has_tells_nothing_against_the_marker() -> None:
    story = Story().live("0 save ck/model", "0 append ck/train.log", "0 save ck/.metadata", until=90)
    story.live("100 save ck/model", "100 save ck/.metadata", "100.1 append ck/train.log", until=103)
    assert len(story.versions) == 2
