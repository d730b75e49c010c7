"""What is known of drafts, and what of it the next daemon finds."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from artfs_mount.incoming.drafts import Draft, Drafts, Record, State, read_records

NAMES = [b"one", b"two words", b"not utf-8 \xff", "ünïcode \N{SNOWMAN}".encode(), b"x" * 255]
UUID = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    return Drafts(tmp_path, clock=itertools.count().__next__)


def test_a_change_is_written_down_before_it_happens(drafts: Drafts, tmp_path: Path) -> None:
    drafts.touch(b"one")
    assert read_records(tmp_path) == {b"one": Record(b"one", State.CHANGED)}


def test_every_change_counts_and_starts_the_quiet_time_anew(drafts: Drafts) -> None:
    draft = drafts.touch(b"one")
    first = draft.changes, draft.history.changed_at
    assert drafts.touch(b"one") is draft
    assert draft.changes > first[0]
    assert draft.history.changed_at > first[1]


def test_a_change_takes_back_what_held_the_draft(drafts: Drafts, tmp_path: Path) -> None:
    draft = drafts.touch(b"one")
    drafts.hold(draft, "a reason")
    assert read_records(tmp_path)[b"one"].held == "a reason"
    drafts.touch(b"one")
    assert draft.held is None
    assert read_records(tmp_path)[b"one"].held is None


def test_a_draft_on_its_way_to_a_version_names_it(drafts: Drafts, tmp_path: Path) -> None:
    draft = drafts.touch(b"one")
    drafts.sealing(draft, UUID)
    assert read_records(tmp_path) == {b"one": Record(b"one", State.SEALING, uuid=UUID)}
    drafts.touch(b"one")  # a log that is open goes on growing
    assert read_records(tmp_path) == {b"one": Record(b"one", State.SEALING, uuid=UUID)}
    drafts.sealed(draft, "1")
    assert read_records(tmp_path) == {b"one": Record(b"one", State.SEALED, version="1")}
    drafts.touch(b"one")
    assert read_records(tmp_path) == {b"one": Record(b"one", State.CHANGED, version="1")}


def test_what_an_earlier_daemon_left_goes_on(drafts: Drafts, tmp_path: Path) -> None:
    drafts.sealed(drafts.touch(b"one"), "7")
    later = Drafts(tmp_path)
    draft = later.restore(read_records(tmp_path)[b"one"])
    assert (draft.state, draft.version) == (State.SEALED, "7")
    assert later.get(b"one") is draft


def test_a_removed_draft_leaves_no_record_whoever_still_has_it(drafts: Drafts, tmp_path: Path) -> None:
    draft = drafts.touch(b"one")
    drafts.remove(b"one")
    drafts.hold(draft, "found out too late")
    assert list(tmp_path.iterdir()) == []
    again = drafts.touch(b"one")
    drafts.sealed(draft, "1")
    assert again.state is State.CHANGED
    assert read_records(tmp_path)[b"one"].state is State.CHANGED


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"name": 1}', b"\xff\xfe", b'{"name": "x"}'])
@pytest.mark.expected_warnings("not the record of a draft")
def test_a_record_that_a_failing_disk_has_spoilt(drafts: Drafts, tmp_path: Path, content: bytes) -> None:
    drafts.touch(b"one")
    (tmp_path / "spoilt.json").write_bytes(content)
    assert read_records(tmp_path).keys() == {b"one"}


class OnDisk(RuleBasedStateMachine):
    """Whatever happens to drafts, the next daemon would find what this one knows."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.drafts = Drafts(self.folder)

    def teardown(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()

    def existing(self, name: bytes) -> Draft:
        return self.drafts.get(name) or self.drafts.touch(name)

    @rule(name=st.sampled_from(NAMES))
    def touch(self, name: bytes) -> None:
        self.drafts.touch(name)

    @rule(name=st.sampled_from(NAMES))
    def seal(self, name: bytes) -> None:
        self.drafts.sealing(self.existing(name), UUID)

    @rule(name=st.sampled_from(NAMES), version=st.sampled_from(["1", "final"]))
    def sealed(self, name: bytes, version: str) -> None:
        self.drafts.sealed(self.existing(name), version)

    @rule(name=st.sampled_from(NAMES))
    def fail(self, name: bytes) -> None:
        self.drafts.changed(self.existing(name))

    @rule(name=st.sampled_from(NAMES), why=st.text(max_size=20))
    def hold(self, name: bytes, why: str) -> None:
        self.drafts.hold(self.existing(name), why)

    @rule(old=st.sampled_from(NAMES), new=st.sampled_from(NAMES))
    def rename(self, old: bytes, new: bytes) -> None:
        if old != new:
            for name in (old, new):
                self.drafts.touch(name)
            self.drafts.renamed(old, new)

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: bytes) -> None:
        self.drafts.remove(name)

    @invariant()
    def the_records_say_the_same(self) -> None:
        known = {
            draft.name: Record(draft.name, draft.state, draft.uuid, draft.version, draft.held) for draft in self.drafts
        }
        assert read_records(self.folder) == known


def test_the_records_are_what_is_known(tmp_path: Path) -> None:
    OnDisk.folder = tmp_path
    run_state_machine_as_test(OnDisk)
