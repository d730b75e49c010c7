"""What the events of a draft leave to know of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from artfs_mount.incoming.complete.events import (
    Arrived,
    Changed,
    Closed,
    DraftPath,
    Event,
    Failed,
    Left,
    Linked,
    Made,
    Opened,
    Removed,
    Stamp,
    Truncated,
    Written,
)
from artfs_mount.incoming.complete.facts import Carried, DraftKind, HandleFacts, PathFacts
from artfs_mount.incoming.complete.folding import PATHS_KEPT
from artfs_mount.incoming.complete.history import WRITERS_KEPT, DraftHistory
from artfs_mount.incoming.complete.known import Facts
from artfs_mount.incoming.complete.process import UNSEEN, Ending, How, Process
from artfs_mount.incoming.complete.rule import Decision, Seal, Wait, decide
from artfs_mount.incoming.complete.settings import Quiet
from artfs_mount.incoming.contents import Contents, OpenFile, Reader
from artfs_mount.incoming.drafts import Drafts
from artfs_mount.incoming.namespace import RENAME_EXCHANGE, Namespace
from artfs_mount.incoming.nodes import DraftNode, DraftNodes

TRAIN, OTHER = Process(10, 1), Process(11, 2)
KILLED = Ending(How.KILLED, 9)
QUIET = Quiet(file=2, directory=10)


def at(seconds: float, by: Process | None = TRAIN) -> Stamp:
    return Stamp(seconds, by)


def history(*events: Event) -> DraftHistory:
    found = DraftHistory()
    for event in events:
        found.add(event)
    return found


SAVED = (Made(b"m", at(1)), Opened(b"m", at(1), 1, True), Written(b"m", at(2), 1, True), Closed(b"m", at(3), 1))

PATHS: dict[str, tuple[Iterable[Event], dict[bytes, PathFacts]]] = {
    "saved": (SAVED, {b"m": PathFacts(3, TRAIN, made_at=1, closed_at=3)}),
    "written over": (
        (Opened(b"m", at(1), 1, True), Written(b"m", at(2), 1, True), Closed(b"m", at(3), 1, in_order=False)),
        {b"m": PathFacts(3, TRAIN, closed_at=3, in_order=False)},
    ),
    "read": (
        (*SAVED, Opened(b"m", at(4, OTHER), 2, False), Closed(b"m", at(5, OTHER), 2)),
        {b"m": PathFacts(3, TRAIN, made_at=1, closed_at=3)},
    ),
    "killed": (
        (Opened(b"m", at(1), 1, True), Closed(b"m", at(2), 1, KILLED)),
        {b"m": PathFacts(2, TRAIN, closed_at=2, killed=KILLED)},
    ),
    "killed and written anew": (
        (Opened(b"m", at(1), 1, True), Closed(b"m", at(2), 1, KILLED), Opened(b"m", at(3, OTHER), 2, True)),
        {b"m": PathFacts(3, OTHER, closed_at=2)},
    ),
    "killed while another writes": (
        (
            Opened(b"m", at(1), 1, True),
            Opened(b"m", at(1), 2, True),
            Closed(b"m", at(2), 1, KILLED),
            Opened(b"m", at(3), 3, True),
        ),
        {b"m": PathFacts(3, TRAIN, closed_at=2, killed=KILLED)},
    ),
    "a killed reader": ((Opened(b"m", at(1), 1, False), Closed(b"m", at(2), 1, KILLED)), {}),
    "a failed write": (
        (Opened(b"m", at(1), 1, True), Failed(b"m", at(2), "ENOSPC")),
        {b"m": PathFacts(2, TRAIN, failed="ENOSPC")},
    ),
    "a failed write, emptied": (
        (Opened(b"m", at(1), 1, True), Failed(b"m", at(2), "ENOSPC"), Truncated(b"m", at(3), 0)),
        {b"m": PathFacts(3, TRAIN)},
    ),
    "a failed write, cut": (
        (Failed(b"m", at(2), "ENOSPC"), Truncated(b"m", at(3), 5)),
        {b"m": PathFacts(3, TRAIN, failed="ENOSPC", in_order=False)},
    ),
    "removed": ((*SAVED, Removed(b"m", at(4))), {b"": PathFacts(4, TRAIN, removed_at=4)}),
    "a temporary file removed": ((Made(b"m.tmp", at(1)), Removed(b"m.tmp", at(4))), {b"": PathFacts(4, TRAIN)}),
    "linked": ((Linked(b"d/n", at(4), b"m"),), {b"d/n": PathFacts(4, TRAIN, made_at=4)}),
    "a mode set later": ((*SAVED, Changed(b"m", at(4, None))), {b"m": PathFacts(4, None, made_at=1, closed_at=3)}),
    "left": (
        (*SAVED, Left(b"n", at(4), DraftPath(b"other", b"n"))),
        {b"m": PathFacts(3, TRAIN, made_at=1, closed_at=3), b"": PathFacts(4, TRAIN)},
    ),
    "renamed into place": (
        (Arrived(b"m", at(4), b".m.tmp", Carried({b"": PathFacts(3, TRAIN, made_at=1, closed_at=3)}, {})),),
        {b"m": PathFacts(4, TRAIN, made_at=1, closed_at=3, arrived_at=4, origin=b".m.tmp")},
    ),
    "a directory renamed into place": (
        (Arrived(b"5", at(4), b"5.tmp", Carried({b"w": PathFacts(3, OTHER)}, {})),),
        {b"5/w": PathFacts(3, OTHER), b"5": PathFacts(4, TRAIN, arrived_at=4, origin=b"5.tmp")},
    ),
}


@pytest.mark.parametrize("what", PATHS)
def test_what_is_known_of_paths(what: str) -> None:
    events, known = PATHS[what]
    assert history(*events).paths == known


HANDLES: dict[str, tuple[Iterable[Event], dict[int, bytes], int]] = {
    "closed": (SAVED, {}, 0),
    "written and read": ((Opened(b"m", at(1), 1, True), Opened(b"m", at(2), 2, False)), {1: b"m", 2: b"m"}, 1),
    "removed": ((Opened(b"m", at(1), 1, True), Removed(b"m", at(2))), {}, 0),
    "removed, with another name": (
        (Opened(b"m", at(1), 1, True), Removed(b"m", at(2), last=False, also=b"n")),
        {1: b"n"},
        1,
    ),
    "removed, with a name not known": ((Opened(b"m", at(1), 1, True), Removed(b"m", at(2), last=False)), {1: b"m"}, 1),
    "arrived": (
        (Arrived(b"d", at(2), b"e", Carried({}, {1: HandleFacts(b"m", 1, TRAIN, writes=True, appends=False)})),),
        {1: b"d/m"},
        1,
    ),
}


@pytest.mark.parametrize("what", HANDLES)
def test_who_has_it_open(what: str) -> None:
    events, paths, writers = HANDLES[what]
    found = history(*events)
    assert {number: handle.path for number, handle in found.handles.items()} == paths
    assert found.open_writers == writers


def test_what_is_taken_is_forgotten_with_all_below() -> None:
    found = history(
        *(Made(path, at(1)) for path in (b"5.tmp", b"5.tmp/w", b"5.tmp2")), Opened(b"5.tmp/w", at(2), 1, True)
    )
    carried = found.take(b"5.tmp", directory=True)
    assert (carried.paths.keys(), {number: handle.path for number, handle in carried.handles.items()}) == (
        {b"", b"w"},
        {1: b"w"},
    )
    assert (found.paths.keys(), found.handles) == ({b"5.tmp2"}, {})


def test_only_those_who_change_it_are_its_writers() -> None:
    found = history(Opened(b"m", at(1, OTHER), 1, False), Closed(b"m", at(2, OTHER), 1), Made(b"n", at(3, None)))
    assert found.writers == set()
    found.add(Opened(b"m", at(4), 2, True))
    assert found.writers == {TRAIN}
    found.begin_anew()
    assert (found.writers, found.paths, found.open_writers) == ({TRAIN}, {}, 1)
    found.add(Closed(b"m", at(5), 2))
    found.begin_anew()
    assert (found.writers, found.paths, found.open_writers) == (set(), {}, 0)


DECISIONS: dict[str, tuple[Iterable[Event], float, Decision]] = {
    "just saved": (SAVED, 4, Wait("it changed a moment ago", 9)),
    "saved long ago": (SAVED, 13, Seal()),
    "being written": (SAVED[:3], 1000, Wait("m is open for writing", None)),
    "being read": ((*SAVED, Opened(b"m", at(12), 2, False)), 13, Seal()),
    "a late mode": ((*SAVED, Changed(b"m", at(12))), 13, Wait("it changed a moment ago", 9)),
    "rotated": ((*SAVED, Removed(b"old", at(12))), 13, Wait("it changed a moment ago", 9)),
    "removed while it was written": ((*SAVED[:3], Removed(b"m", at(3))), 13, Seal()),
}


@pytest.mark.parametrize("what", DECISIONS)
def test_the_rule_reads_the_history(what: str) -> None:
    events, now, decision = DECISIONS[what]
    assert decide(Facts("run", DraftKind.DIRECTORY, now, history(*events)), QUIET) == decision


class TestVeryManyFiles:
    def test_the_memory_has_a_bound_and_nothing_that_decides_is_lost(self) -> None:
        found = history(
            Opened(b"a/bad", at(0), 1, True),
            Failed(b"a/bad", at(0), "ENOSPC"),
            Closed(b"a/bad", at(0), 1),
            Opened(b"a/log", at(0), 2, True, appends=True),
            Made(b"b/5/trainer_state.json", at(0)),
            Opened(b"b/killed", at(0), 3, True),
            Closed(b"b/killed", at(0), 3, KILLED),
        )
        for number in range(20 * PATHS_KEPT):
            found.add(Made(b"c/%d/file" % number, at(number + 1)))
            assert len(found.paths) <= PATHS_KEPT
        assert found.paths[b"b/5/trainer_state.json"] == PathFacts(0, TRAIN, made_at=0)
        assert found.paths[b"a/log"] == PathFacts(0, TRAIN, appended=True)
        assert "ENOSPC" in {facts.failed for path, facts in found.paths.items() if b"a/bad".startswith(path)}
        assert KILLED in {facts.killed for path, facts in found.paths.items() if b"b/killed".startswith(path)}
        assert found.paths[b"c/%d/file" % (20 * PATHS_KEPT - 1)].made_at == 20 * PATHS_KEPT
        assert found.changed_at == 20 * PATHS_KEPT

    def test_a_folder_tells_when_what_was_folded_into_it_changed(self) -> None:
        found = history(*(Made(b"d/%d" % number, at(number)) for number in range(PATHS_KEPT + 1)))
        folded = found.paths[b"d"]
        assert folded.folded >= 1
        assert b"d/%d" % int(folded.changed_at) not in found.paths
        assert len(found.paths) - 1 + folded.folded == PATHS_KEPT + 1

    def test_one_that_comes_with_all_its_files_is_folded_too(self) -> None:
        carried = Carried({b"%d" % number: PathFacts(number) for number in range(PATHS_KEPT)}, {})
        found = history(*(Made(b"x/%d" % number, at(number)) for number in range(PATHS_KEPT)))
        found.add(Arrived(b"y", at(PATHS_KEPT), b"z", carried))
        assert len(found.paths) <= PATHS_KEPT


def test_of_very_many_writers_those_that_live_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts = Drafts(tmp_path)
    draft = drafts.touch(b"one")
    me = drafts.who(os.getpid()).process
    assert me is not None
    for number in range(WRITERS_KEPT + 1):
        drafts.tell(b"one", Made(b"", Stamp(0, Process(me.pid, number))))
    drafts.tell(b"one", Made(b"", Stamp(0, me)))
    assert draft.history.writers == {me}
    monkeypatch.setattr("artfs_mount.incoming.drafts.still_alive", lambda processes: set(processes))
    for number in range(WRITERS_KEPT + 1):
        drafts.tell(b"one", Made(b"", Stamp(0, Process(me.pid, number))))
    assert UNSEEN in draft.history.writers
    assert len(draft.history.writers) < WRITERS_KEPT


NAMES = [b"a", b"b", b"c"]
ME = os.getuid(), os.getgid(), os.getpid()


class Files(RuleBasedStateMachine):
    """Whatever is done with files, the histories say who has which open, and where: what the node table knows."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.base = self.folder / str(len(os.listdir(self.folder)))
        for name in ("work", "records"):
            (self.base / name).mkdir(parents=True)
        self.nodes = DraftNodes(os.fsencode(self.base / "work"))
        self.drafts = Drafts(self.base / "records")
        self.namespace = Namespace(self.nodes, self.drafts)
        self.contents = Contents(self.nodes, self.drafts, _no_stubs)
        self.open: list[OpenFile] = []

    def teardown(self) -> None:
        for file in self.open:
            self.contents.close(file)

    def directories(self) -> list[DraftNode]:
        return [node for node in self.nodes if node is self.nodes.root or (node.is_directory and node.links)]

    def directory(self, number: int) -> DraftNode:
        return self.directories()[number % len(self.directories())]

    def file(self, number: int) -> DraftNode | None:
        files = [node for node in self.nodes if node.is_file and node.links]
        return files[number % len(files)] if files else None

    picks = st.integers(0, 20)
    names = st.sampled_from(NAMES)

    @rule(parent=picks, name=names)
    def make_directory(self, parent: int, name: bytes) -> None:
        self.attempt(lambda: kept(self.namespace.make_directory(self.directory(parent), name, 0o755, *ME)))

    @rule(parent=picks, name=names)
    def create(self, parent: int, name: bytes) -> None:
        def make() -> None:
            node, number = self.namespace.make_file(self.directory(parent), name, os.O_EXCL, 0o644, *ME)
            self.open.append(self.contents.opened(kept(node), number, os.O_WRONLY, ME[2]))

        self.attempt(make)

    @rule(number=picks, flags=st.sampled_from([os.O_RDONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND]))
    def open_file(self, number: int, flags: int) -> None:
        if (node := self.file(number)) is not None:
            self.open.append(self.contents.open(node, flags, ME[2]))

    @precondition(lambda self: self.open)
    @rule(number=picks)
    def close(self, number: int) -> None:
        self.contents.close(self.open.pop(number % len(self.open)))

    @precondition(lambda self: self.open)
    @rule(number=picks, offset=st.integers(0, 3))
    def write(self, number: int, offset: int) -> None:
        file = self.open[number % len(self.open)]
        if file.writes:
            self.contents.write(file.node, offset, b"x")
            self.contents.wrote(file)

    @rule(number=picks, parent=picks, name=names)
    def link(self, number: int, parent: int, name: bytes) -> None:
        if (node := self.file(number)) is not None:
            self.attempt(lambda: self.namespace.hard_link(node, self.directory(parent), name, ME[2]))

    @rule(parent=picks, name=names)
    def remove(self, parent: int, name: bytes) -> None:
        self.attempt(lambda: self.namespace.remove(self.directory(parent), name, ME[2]))
        self.attempt(lambda: self.namespace.remove_directory(self.directory(parent), name, ME[2]))

    @rule(old=picks, name=names, new=picks, new_name=names, exchange=st.booleans())
    def rename(self, old: int, name: bytes, new: int, new_name: bytes, exchange: bool) -> None:
        flags = RENAME_EXCHANGE if exchange else 0
        self.attempt(
            lambda: self.namespace.rename(self.directory(old), name, self.directory(new), new_name, flags, ME[2])
        )

    def attempt(self, act: Callable[[], object]) -> None:
        with contextlib.suppress(OSError):  # refused, as on any disk
            act()

    @invariant()
    def handles_are_where_the_files_are(self) -> None:
        told = {
            number: (draft.name, handle.path, handle.writes)
            for draft in self.drafts
            for number, handle in draft.history.handles.items()
        }
        places = {file.number: (file, self.names_of(file.node)) for file in self.open}
        assert told.keys() == {number for number, (_, names) in places.items() if names}
        for number, (draft, path, writes) in told.items():
            file, names = places[number]
            assert DraftPath(draft, path) in names
            assert writes == file.writes

    def names_of(self, node: DraftNode) -> set[DraftPath]:
        return {
            self.nodes.place_in(parent, name)
            for parent, name in node.links
            if parent is self.nodes.root or self.nodes.place_of(parent) is not None
        }


def kept(node: DraftNode) -> DraftNode:
    """A node as the kernel keeps it."""
    node.lookups += 1
    return node


def _no_stubs(digest: object) -> Reader:
    raise AssertionError("no file is a stub here")


def test_the_histories_and_the_node_table_agree(tmp_path: Path) -> None:
    Files.folder = tmp_path
    run_state_machine_as_test(Files)


def test_a_file_whose_last_known_name_goes_is_open_until_it_is_closed(tmp_path: Path) -> None:
    """It has another name, which nobody has looked up: the file can still change under it."""
    Files.folder = tmp_path
    files = Files()
    files.make_directory(0, b"a")
    (draft,) = (node for node in files.nodes if node is not files.nodes.root)
    node, number = files.namespace.make_file(draft, b"known", os.O_EXCL, 0o644, *ME)
    file = files.contents.opened(kept(node), number, os.O_WRONLY, ME[2])
    folder = Path(os.fsdecode(files.nodes.path(draft)))
    os.link(folder / "known", folder / "not known")
    files.namespace.remove(draft, b"known", ME[2])
    told = files.drafts.get(b"a")
    assert told is not None
    assert told.history.open_writers == 1
    files.contents.close(file)
    assert told.history.open_writers == 0
