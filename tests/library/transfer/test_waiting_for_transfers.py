"""Whoever waits for what is owed does it himself, is told what is left, and waits for nothing that is paused."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from artfs.catalog.versions import LIVE, Version
from artfs.stores.base import Store
from artfs.transfers import delivery
from artfs.transfers.pending import told
from artfs.transfers.worker import Worker
from artfs.workspace.workspace import Workspace
from support.transfers import (
    SickStore,
    fails,
    is_whole_in,
    landed,
    owe,
    state,
    the_row,
)


class TestPausing:
    def test_a_row_that_is_paused_ends_after_what_is_being_brought(
        self, workspace: Workspace, worker: Worker, remote: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "BATCH_FILES", 2)
        version = landed(workspace, remote, {b"%d" % number: b"%d" % number for number in range(6)})
        pending = workspace.catalog.pending
        SickStore.ill = lambda store, source, key: pending.pause() if key.endswith(b"1") else None
        worker.work()
        row = the_row(workspace)
        assert (row.done, row.paused, row.error) == (2, True, None)
        worker.work()
        assert the_row(workspace) == row
        assert [each.row for each in worker.wait(seconds=60)] == [row], "whoever waits does not wait for it"
        pending.resume()
        worker.work()
        assert state(workspace, version) == LIVE

    def test_a_worker_that_is_stopped_ends_after_the_content_that_is_being_brought(
        self, workspace: Workspace, worker: Worker, remote: Store
    ) -> None:
        landed(workspace, remote, {b"%d" % number: b"%d" % number for number in range(6)})
        SickStore.ill = lambda store, source, key: worker.stop() if key.endswith(b"2") else None
        worker.work()
        assert the_row(workspace).done == 3
        assert the_row(workspace).attempts == 0


class TestWaiting:
    def test_it_is_done_here_where_nobody_else_does_it(
        self, workspace: Workspace, version: Version, other: Store, remote: Store
    ) -> None:
        owe(workspace, version, other)
        uploaded = landed(workspace, remote, {b"a": b"content"})
        seen: list[str] = []
        left = workspace.transfers.wait(show=lambda left: seen.extend(each.what for each in left))
        assert left == []
        assert state(workspace, uploaded) == LIVE
        assert is_whole_in(other, version, workspace)
        assert set(seen) <= {"big/1", "big/2"}

    def test_nothing_owed_is_not_waited_for(self, workspace: Workspace) -> None:
        assert workspace.transfers.wait() == []
        assert not workspace.transfers.is_somewhere()

    def test_it_ends_when_its_time_is_up_with_what_is_left(self, workspace: Workspace, remote: Store) -> None:
        landed(workspace, remote, {b"a": b"content"})
        stalled = threading.Event()
        SickStore.ill = lambda store, source, key: stalled.wait(60)
        left = workspace.transfers.wait(seconds=0.5)
        assert [each.is_worked_on for each in left] == [True]
        assert told(left) == "1 transfer is still owed to 'bucket', 7 bytes; 'artfs sync' or a mount goes on with that"
        stalled.set()
        assert workspace.transfers.wait() == []

    def test_a_store_that_stalls_keeps_no_other_waiting(
        self, workspace: Workspace, version: Version, other: Store, remote: Store
    ) -> None:
        landed(workspace, remote, {b"a": b"content"})
        owe(workspace, version, other)
        stalled, come = threading.Event(), threading.Event()

        def stalls(store: Store, source: Path, key: bytes) -> None:
            come.set()
            stalled.wait(60)

        SickStore.ill = stalls
        waiting = threading.Thread(target=workspace.transfers.wait)
        waiting.start()
        assert come.wait(60)
        while len(workspace.catalog.pending.list()) > 1:
            assert waiting.is_alive()
        assert is_whole_in(other, version, workspace)
        stalled.set()
        waiting.join()

    def test_what_fails_for_long_is_given_up(self, workspace: Workspace, remote: Store) -> None:
        landed(workspace, remote, {b"a": b"content"})
        SickStore.ill = fails
        left = workspace.transfers.wait(patience=1.0)
        assert "; the last error: no route to the host; " in told(left)
        assert left[0].row.attempts >= 1
        SickStore.ill = None
        assert workspace.transfers.wait() == [], "and tried at once by whoever waits next"

    def test_another_worker_does_it_and_its_death_is_noticed(
        self, workspace: Workspace, home: Path, remote: Store
    ) -> None:
        """What is in memory is this process's own, so that the other worker does nothing, and is killed."""
        landed(workspace, remote, {b"a": b"content"})
        with workspace.transfers.locks.held("worker"):
            assert workspace.transfers.is_somewhere()
            assert len(workspace.transfers.wait(seconds=0.3)) == 1
        assert workspace.transfers.wait() == []
