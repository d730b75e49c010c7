"""What is asked of the writers of a draft: pure questions, and what is kept of those that have ended."""

from __future__ import annotations

import os
import resource
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs_mount.incoming.complete.events import Made, Stamp
from artfs_mount.incoming.complete.history import KILLED_KEPT, WRITERS_KEPT, DraftHistory
from artfs_mount.incoming.complete.process import UNKNOWN, UNSEEN, Ending, How, Process
from artfs_mount.incoming.complete.ranks import ranks_missing
from artfs_mount.incoming.complete.writers import (
    Doing,
    Writer,
    all_ended,
    all_ended_well,
    failed,
    killed,
    stopped,
    world_size,
)
from artfs_mount.incoming.drafts import Drafts
from artfs_mount.incoming.watched import Watched
from artfs_mount.incoming.writers import PROCESSES_WATCHED, THREAD_SECONDS, Processes
from support.mount import PATIENCE_SECONDS

WELL, ONE, KILLED = Ending(How.EXITED, 0), Ending(How.EXITED, 1), Ending(How.KILLED, 9)
RUNS = Writer(Process(1, 1), Doing.RUNS, world_size=4)
STOPPED = Writer(Process(2, 1), Doing.STOPPED)
GONE_WELL = Writer(Process(3, 1), Doing.ENDED, WELL)
GONE_BADLY = Writer(Process(4, 1), Doing.ENDED, ONE, world_size=8)
GONE_KILLED = Writer(Process(5, 1), Doing.ENDED, KILLED)
GONE_UNKNOWN = Writer(Process(6, 1), Doing.ENDED)
HIDDEN = Writer(UNSEEN, Doing.UNSEEN)


class TestQuestions:
    @pytest.mark.parametrize("writer", [RUNS, STOPPED, HIDDEN])
    def test_all_have_ended_when_none_may_run(self, writer: Writer) -> None:
        gone = [GONE_WELL, GONE_BADLY, GONE_KILLED, GONE_UNKNOWN]
        assert all_ended([])
        assert all_ended(gone)
        assert not all_ended([*gone, writer])
        assert all_ended([*gone, writer], except_for={writer.process.pid})

    @pytest.mark.parametrize("writer", [RUNS, STOPPED, HIDDEN, GONE_BADLY, GONE_KILLED, GONE_UNKNOWN])
    def test_only_exit_status_0_is_a_good_end(self, writer: Writer) -> None:
        assert all_ended_well([GONE_WELL])
        assert not all_ended_well([GONE_WELL, writer])

    def test_who_is_stopped_was_killed_or_failed(self) -> None:
        writers = [RUNS, STOPPED, GONE_WELL, GONE_BADLY, GONE_KILLED, GONE_UNKNOWN, HIDDEN]
        assert (stopped(writers), killed(writers), failed(writers)) == ([STOPPED], [GONE_KILLED], [GONE_BADLY])

    def test_the_largest_world_counts(self) -> None:
        assert world_size([RUNS, GONE_WELL]) == 4
        assert world_size([RUNS, GONE_BADLY]) == 8
        assert world_size([GONE_WELL]) is None

    @given(st.integers(0, 255))
    def test_exit_statuses_are_read_as_the_system_reads_them(self, status: int) -> None:
        assert Ending.of(status << 8) == Ending(How.EXITED, os.waitstatus_to_exitcode(status << 8))

    @given(st.integers(1, 64), st.booleans())
    def test_signals_are_read_as_the_system_reads_them(self, number: int, dumped: bool) -> None:
        status = number | (0x80 if dumped else 0)
        assert Ending.of(status) == Ending(How.KILLED, -os.waitstatus_to_exitcode(status))


class TestRanks:
    @pytest.mark.parametrize(
        ("names", "missing"),
        [
            ([], []),
            ([b"model.safetensors", b"rng_state.pth"], []),
            ([b"rng_state_0.pth", b"rng_state_2.pth"], [b"rng_state_1.pth", b"rng_state_3.pth"]),
            ([b"random_states_1.pkl"], [b"random_states_0.pkl", b"random_states_2.pkl", b"random_states_3.pkl"]),
            ([b"__0_0.distcp", b"__0_1.distcp", b"__1_0.distcp", b"__3_0.distcp"], [b"__2_*.distcp"]),
            ([b"__%d_0.distcp" % rank for rank in range(4)], []),
            ([b"old__0_0.distcp", b"rng_state_0.pth.tmp"], []),
        ],
    )
    def test_those_that_others_of_their_kind_lack(self, names: list[bytes], missing: list[bytes]) -> None:
        assert ranks_missing(iter(names), 4) == missing

    @pytest.mark.parametrize("size", [None, 0, 1])
    def test_who_writes_alone_lacks_none(self, size: int | None) -> None:
        assert ranks_missing([b"rng_state_5.pth"], size) == []


class TestHistory:
    def test_it_keeps_how_writers_ended_until_it_is_a_version(self) -> None:
        history = _written_by(GONE_KILLED.process)
        history.ended(GONE_KILLED.process, KILLED, 0.0)
        history.ended(GONE_WELL.process, WELL, 0.0)  # who is no writer
        assert history.endings == {GONE_KILLED.process: KILLED}
        other = _written_by(GONE_WELL.process)
        other.take_writers(history)
        assert (other.writers, other.endings) == ({GONE_WELL.process, GONE_KILLED.process}, history.endings)
        history.begin_anew()
        assert history.endings == {}
        history.ended(GONE_KILLED.process, KILLED, 0.0)
        assert history.endings == {}

    def test_of_very_many_the_killed_are_kept_longest(self) -> None:
        history = _written_by(*(Process(number, 1) for number in range(WRITERS_KEPT)))
        for number in range(WRITERS_KEPT // 2):
            history.ended(Process(number, 1), KILLED if number % 3 == 0 else WELL, 0.0)
        alive = {Process(WRITERS_KEPT - 1, 1)}
        history.keep_writers(alive)
        assert set(history.endings.values()) == {KILLED}
        assert history.writers == history.endings.keys() | alive
        for number in range(2 * KILLED_KEPT):
            history.add(Made(b"m", Stamp(1, Process(number, 2))))
            history.ended(Process(number, 2), KILLED, 0.0)
        history.keep_writers({Process(number, 3) for number in range(WRITERS_KEPT)})
        assert list(history.endings) == [Process(number, 2) for number in range(KILLED_KEPT, 2 * KILLED_KEPT)]
        assert history.writers == history.endings.keys() | {UNSEEN}


class TestWatching:
    def test_so_many_at_most_and_those_longest_that_write(self) -> None:
        watched = Watched(2)
        with _cat() as one, _cat() as two, _cat() as three:
            before = _descriptors()
            first, second, third = (_process(cat) for cat in (one, two, three))
            assert watched.add(first) and watched.add(second)
            assert watched.keeps(first)
            assert watched.add(third)
            assert [watched.keeps(process) for process in (first, second, third)] == [True, False, True]
            assert _descriptors() - before == len(watched) + 1  # the one that tells of them all
            for cat in (one, two, three):
                cat.kill()
                cat.wait()
            ended: list[tuple[Process, Ending]] = []
            while len(ended) < 2:
                assert is_ready(watched)
                ended += watched.ended()
            assert sorted(ended) == sorted([(first, KILLED), (third, KILLED)])
            assert watched.ending_of(second) == UNKNOWN
            assert (len(watched), _descriptors() - before) == (0, 1)

    def test_one_that_is_gone_cannot_be_watched(self) -> None:
        watched = Watched(2)
        with _cat() as cat:
            process = _process(cat)
            assert not watched.add(process._replace(started=1))
            cat.communicate(b"")
        assert not watched.add(process)
        assert (len(watched), watched.ended()) == (0, [])

    def test_a_share_of_the_descriptors_is_for_it(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        with _cat() as one, _cat() as two:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (16, before[1]))
                few = Processes()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            open_before = _descriptors()
            process = few.writer(one.pid)
            assert process is not None
            assert few.writer(two.pid) == _process(two)
            assert _descriptors() - open_before == 2
            assert [writer.doing for writer in few.look([process, _process(two)], {})] == [Doing.RUNS, Doing.RUNS]
            one.communicate(b"")
            assert few.look([process], {}) == [Writer(process, Doing.ENDED)]
            assert PROCESSES_WATCHED >= 4096

    def test_who_is_known_to_write_costs_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a descriptor nothing can be looked up."""
        processes = Processes()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        now = time.monotonic()
        with _cat() as cat:
            known = processes.writer(cat.pid)
            monkeypatch.setattr("time.monotonic", lambda: now + 10 * THREAD_SECONDS)
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
            try:
                assert processes.writer(os.getpid()) == UNSEEN
                assert processes.writer(cat.pid) == processes.of(cat.pid) == known != UNSEEN
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)

    def test_a_number_is_believed_no_longer_than_its_process_lives(self) -> None:
        processes = Processes()
        with _cat() as cat:
            processes.writer(cat.pid)
            cat.communicate(b"")
        assert [ending for _, ending in processes.ended()] == [WELL]
        assert processes.of(cat.pid) == UNSEEN


def test_the_drafts_of_a_writer_are_looked_at_when_it_has_ended(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path)
    with _cat() as cat, _cat() as other:
        process = drafts.who(cat.pid).process
        assert process is not None
        for name, by in {b"one": cat, b"two": cat, b"three": other}.items():
            drafts.tell(drafts.touch(name).name, Made(b"", drafts.stamp(drafts.who(by.pid))))
        looked_at: list[bytes] = []
        drafts.on_change = looked_at.append
        drafts.look_for_ends()
        assert looked_at == []
        cat.kill()
        cat.wait()
        assert is_ready(drafts.processes)
        drafts.look_for_ends()
        assert looked_at == [b"one", b"two"]
        assert {draft.name: draft.history.endings for draft in drafts} == {
            b"one": {process: KILLED},
            b"two": {process: KILLED},
            b"three": {},
        }


def _written_by(*processes: Process) -> DraftHistory:
    history = DraftHistory()
    for process in processes:
        history.add(Made(b"m", Stamp(0, process)))
    return history


def is_ready(watched: Watched | Processes) -> bool:
    """Waits until one has ended. Whatever the number of descriptors is: `select` knows 1,024."""
    waiting = select.poll()
    waiting.register(watched.fileno(), select.POLLIN)
    return bool(waiting.poll(PATIENCE_SECONDS * 1000))


@contextmanager
def _cat() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until it is told to end."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def _process(running: subprocess.Popen[bytes]) -> Process:
    found = Processes().of(running.pid)
    assert found is not None
    return found


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
