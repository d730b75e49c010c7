"""Logs: files that are only ever appended to hold back nothing, and are no reason for a version while they grow."""

from __future__ import annotations

import pytest

from artfs_mount.incoming.complete.history import is_stream_so_far
from artfs_mount.incoming.complete.rule import Wait
from support.draft_stories import lived, told

C5 = ("1 save checkpoint-5/model", "1 save checkpoint-5/trainer_state.json")

# A log by its name or by how it is opened; what it is opened with.
LOGS = {"run.log": "open", "metrics.csv": "open", "events.out.tfevents.1.host": "open", "anything": "append"}


@pytest.mark.parametrize("name", LOGS)
def test_an_open_log_holds_no_checkpoint_back_and_is_taken_with_it(name: str) -> None:
    lines = [f"0 {LOGS[name]} {name}", f"0.5 write {name}", *C5, f"2.9 write {name}"]
    story = lived(*lines, until=500)
    assert [(version.at, version.by) for version in story.versions] == [(3, "marker")]
    assert name in story.versions[0].files


@pytest.mark.parametrize("name", LOGS)
def test_a_log_in_a_checkpoint_holds_it_back_no_more(name: str) -> None:
    lines = [f"0 {LOGS[name]} checkpoint-5/{name}", *C5, f"2.9 write checkpoint-5/{name}"]
    assert [version.at for version in lived(*lines, until=500).versions] == [3]


def test_a_log_that_grows_ends_no_quiet() -> None:
    lines = ["0 save a", "0 append log", *(f"{second} write log" for second in range(1, 100))]
    assert [version.at for version in lived(*lines, until=500).versions] == [60]


# What happens to a log alone; when versions are made of it.
ALONE: dict[str, tuple[tuple[str, ...], list[float]]] = {
    "open for ever": (("0 append log", "1 write log"), []),
    "closed": (("0 append log", "1 write log", "100 close log"), [160]),
    "opened for each line": (("0 append log", "0 close log", "30 append log", "30 close log"), [90]),
    "opened for each line, while another is open": (("0 append a.log", "30 append log", "30 close log"), []),
    "it grows after a version": (("0 save a", "0 append log", "200 write log"), [60]),
    "it grows after a version and is closed": (
        ("0 save a", "0 append log", "200 write log", "201 close log"),
        [60, 261],
    ),
}


@pytest.mark.parametrize("what", ALONE)
def test_a_log_alone_is_a_version_only_when_it_is_closed_and_quiet(what: str) -> None:
    lines, versions = ALONE[what]
    story = lived(*lines, until=1000)
    assert [version.at for version in story.versions] == versions
    if not story.is_sealed:
        decision = story.decide()
        assert isinstance(decision, Wait)
        assert (decision.seconds, decision.aside) == (None, True)


# How a file is opened, one after another; whether it is a log.
OPENED: dict[str, tuple[tuple[str, ...], bool]] = {
    "to append": (("0 append a",), True),
    "to append, twice": (("0 append a", "1 append a"), True),
    "to append, again and again": (("0 append a", "1 close a", "2 append a"), True),
    "to write": (("0 open a",), False),
    "to write, then to append, as LightGBM does": (("0 save a", "1 append a"), False),
    "to append, then in place": (("0 append a", "1 close a", "2 patch a"), False),
    "to append, while another changes it": (("0 open a", "1 append a"), False),
    "in place, while another appends": (("0 append a", "1 patch a"), False),
    "to append, then emptied": (("0 append a", "1 close a", "2 open a"), False),
    "a log by its name": (("0 open a.csv", "1 write a.csv"), True),
    "a log by its name, written over": (("0 open a.csv", "1 scribble a.csv"), False),
    "a log by its name, begun anew": (("0 open a.csv", "1 scribble a.csv", "2 close a.csv", "3 open a.csv"), True),
}


@pytest.mark.parametrize("what", OPENED)
def test_what_is_a_log(what: str) -> None:
    lines, is_log = OPENED[what]
    ((path, facts),) = told(*lines).history.paths.items()
    assert is_stream_so_far(path, facts) is is_log


def test_a_line_that_comes_to_a_log_after_the_version_does_not_write_a_marked_draft_again() -> None:
    story = lived("0 append run.log", "1 save model", "1 save trainer_state.json", "9 append run.log", until=200)
    assert [(version.at, version.by) for version in story.versions] == [(3, "marker")]
    assert isinstance(story.decide(), Wait)


def test_what_is_a_log_is_one_after_a_version() -> None:
    story = lived("0 append log", "0 save a", "100 write log", until=150)
    assert is_stream_so_far(b"log", story.history.paths[b"log"])
    story.tell("151 append log")
    assert is_stream_so_far(b"log", story.history.paths[b"log"])


def test_a_killed_program_leaves_its_log_and_all_else_sealed() -> None:
    lines = ("0 append log", "1 write log", *C5, "1.5 killed log")
    story = lived(*lines, until=100, facts={"ended": True})
    assert story.is_sealed
    assert story.versions[-1].names == {"log", "checkpoint-5/model", "checkpoint-5/trainer_state.json"}


def test_a_failed_write_to_a_log_holds_it() -> None:
    story = lived("0 append log", "1 failed log", "1 close log", "1 save a", until=100, facts={"ended": True})
    assert story.versions == []
