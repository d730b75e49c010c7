"""What holds of the rule whatever programs do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from artfs_mount.incoming.complete.names import has_temporary
from artfs_mount.incoming.complete.rule import Hold, Seal, Wait
from support.draft_stories import BAD, GROWING, WHOLE, Content, Story

MARKER = "trainer_state.json"
PLACES = ("", "checkpoint-5/", "checkpoint-6/", "out/", "out/checkpoint-7/", "out/checkpoint-8/", "7/", "7/default/")
NAMES = ("a", "b", MARKER, ".tmpJ3k2a1", "training_args.bin", "checkpoint_1.pt", "checkpoint_2.pt")
LOGS = ("run.log", "events", "out/checkpoint-7/run.log")
FILES = tuple(place + name for place in PLACES for name in NAMES)
DIRECTORIES = ("checkpoint-5", "out", "out/checkpoint-7", "7", "7/default", "7.tmp")
PAUSES = (0.0, 0.1, 1.0, 1.9, 2.0, 5.0, 9.0, 11.0, 59.0, 61.0)

step = st.one_of(
    st.tuples(st.sampled_from(["save", "save", "save", "open", "patch"]), st.sampled_from(FILES)),
    st.tuples(st.sampled_from(["close", "close", "killed", "failed"]), st.sampled_from(FILES)),
    st.tuples(st.sampled_from(["write", "chmod", "remove"]), st.sampled_from(FILES)),
    st.tuples(st.sampled_from(["append", "write", "close", "killed"]), st.sampled_from(LOGS)),
    st.tuples(st.sampled_from(["rmtree", "mkdir", "rename 7.tmp", "rename 7"]), st.sampled_from(DIRECTORIES)),
)
steps = st.lists(st.tuples(st.sampled_from(PAUSES), step), max_size=25)
facts = st.fixed_dictionaries(
    {
        "ended": st.booleans(),
        "ended_well": st.booleans(),
        "finish": st.booleans(),
        "held": st.sampled_from([None, "why"]),
    }
)


class Watched(Story):
    """A story of which each version, and what was complete when it was deleted, is looked at."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.deleted: list[dict[str, Content]] = []

    def seal(self, decision: Seal) -> None:
        before = len(self.versions)
        super().seal(decision)
        assert self.facts["held"] is None
        for version in self.versions[before:]:
            assert {content.state for content in version.files.values()} <= {WHOLE, GROWING}
            assert not [name for name in version.files if has_temporary(name.encode())]

    def may(self, verb: str, *paths: bytes) -> bool:
        """Whether a kernel would let a program do it."""
        *_, path = paths
        above = list(itertools.accumulate(path.split(b"/")[:-1], lambda one, other: one + b"/" + other))
        if any(each in self.files for each in above):
            return False
        match verb:
            case "save" | "open" | "append":
                return path not in self.directories
            case "patch" | "chmod" | "remove":
                return path in self.files
            case "close" | "killed" | "failed" | "write":
                return path in self.handles
            case "rename":
                old = paths[0]
                is_free = path not in self.files and path not in self.directories and old != path
                return (
                    old in self.directories
                    and is_free
                    and not path.startswith(old + b"/")
                    and all(each in self.directories for each in above)
                )
            case "rmtree":
                return path in self.directories
            case _:
                return path not in self.files

    def act(self, verb: str, *paths: bytes) -> None:
        if verb == "rmtree":
            self.deleted += self._complete_below(paths[0])
        super().act(verb, *paths)

    def _complete_below(self, place: bytes) -> Iterator[dict[str, Content]]:
        for unit in [path for path in self.directories if path.rpartition(b"/")[2].startswith(b"checkpoint-")]:
            if unit != place and not unit.startswith(place + b"/"):
                continue
            files = {path.decode(): content for path, content in self.below(unit).items()}
            marker = files.get(f"{unit.decode()}/{MARKER}")
            is_whole = all(content.state == WHOLE for content in files.values())
            is_clean = not any(has_temporary(name.encode()) for name in files)
            is_last = marker is not None and marker.number == max(content.number for content in files.values())
            if is_whole and is_clean and is_last:
                yield files


def play(lines: list[tuple[float, tuple[str, str]]], known: dict[str, object]) -> Watched:
    story = Watched(facts=dict(known))
    now = 0.0
    for pause, (verb, path) in lines:
        now += pause
        words = [*verb.split(), path]
        if story.may(words[0], *(word.encode() for word in words[1:])):
            story.live(" ".join((str(now), *words)))
    return story


@given(steps, facts)
def test_only_what_is_whole_becomes_a_version_and_every_wait_has_an_end(
    lines: list[tuple[float, tuple[str, str]]], known: dict[str, object]
) -> None:
    story = play(lines, known)
    story.watch(story.now + 1000)  # raises Endless, and what `seal` asserts


@given(steps)
def test_what_ends_well_is_a_version_at_last(lines: list[tuple[float, tuple[str, str]]]) -> None:
    story = play(lines, {"ended": False, "held": None})
    for path in [path for path, numbers in story.handles.items() for _ in numbers]:
        story.act("close", path)
    story.facts["ended"] = True
    story.watch(story.now + 1000)
    if story.is_sealed and story.files:
        there = {path.decode(): content for path, content in story.files.items()}
        assert there.items() <= story.versions[-1].files.items()  # and perhaps a checkpoint that has been removed
    elif not story.is_sealed:
        decision = story.decide()
        assert isinstance(decision, Hold) or (isinstance(decision, Wait) and decision.aside), decision
    bad = {path for path, content in story.files.items() if content.state == BAD}
    temporary = {path for path in (*story.files, *story.directories) if has_temporary(path)}
    lacking = {above for path in story.files for above in story.lacking([path])} or unlike_others(story)
    deleted = any(verb in ("remove", "rmtree", "patch", "open", "save") for _, (verb, _) in lines[1:])
    if not bad and not temporary and not lacking and not deleted:
        assert story.is_sealed


def unlike_others(story: Story) -> set[bytes]:
    """The checkpoints without the marker that another one beside them has."""
    checkpoints = [path for path in story.directories if path.rpartition(b"/")[2].startswith(b"checkpoint-")]
    marked = {path for path in checkpoints if b"%s/%s" % (path, MARKER.encode()) in story.files}
    beside = {path.rpartition(b"/")[0] for path in marked}
    return {path for path in checkpoints if path not in marked and path.rpartition(b"/")[0] in beside}


@given(steps)
def test_a_checkpoint_that_was_complete_when_it_was_deleted_is_in_a_version(
    lines: list[tuple[float, tuple[str, str]]],
) -> None:
    story = play(lines, {"ended": False, "held": None})
    for path in [path for path, numbers in story.handles.items() for _ in numbers]:
        story.act("close", path)
    story.facts["ended"] = True
    story.watch(story.now + 1000)
    for deleted in story.deleted:
        assert any(deleted.items() <= version.files.items() for version in story.versions), deleted


@given(steps, facts, st.floats(0, 100))
def test_asking_changes_nothing_and_a_time_to_wait_is_one(
    lines: list[tuple[float, tuple[str, str]]], known: dict[str, object], later: float
) -> None:
    story = play(lines, known)
    at = story.now + later
    decision = story.decide(at)
    assert story.decide(at) == decision
    if isinstance(decision, Wait) and decision.seconds is not None:
        assert decision.seconds > 0
    if isinstance(decision, Seal):
        assert b"" not in decision.leave_out
        assert decision.pinned <= decision.leave_out
        assert decision.pinned <= story.history.pinned.keys()
        assert known["held"] is None
