"""When which draft becomes a version: the scheduler, with a clock of its own and work that only says it is done."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from artfs.errors import Cancelled, DraftHeld, StoreError
from artfs.workspace.workspace import Workspace
from artfs_mount.incoming import area as areas
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.commit import MadeVersion, Request
from artfs_mount.incoming.complete.settings import Quiet
from artfs_mount.incoming.drafts import Draft
from artfs_mount.incoming.incoming import Incoming
from artfs_mount.loop.room import Room
from artfs_mount.loop.supervisor import Supervisor
from artfs_mount.sealer import (
    CHANGING_ATTEMPTS,
    CHANGING_SECONDS,
    RECORDED_AT_ONCE,
    SEALS_AT_ONCE,
    TROUBLE_SECONDS,
    Sealer,
)
from artfs_mount.status import Status

ME = Caller(os.geteuid(), os.getegid(), os.getpid())
STEPS = ["look", "snapshot", "decide", "commit", "give back", "protect", "free", "record"]
DEADLINE = 30
"""Seconds of real time after which work on a thread is taken for lost."""


class Work:
    """What the scheduler has done of a draft. A step that is in `closed` waits until it is opened."""

    def __init__(self, incoming: Incoming) -> None:
        self.incoming = incoming
        self.steps: list[tuple[str, str]] = []
        self.closed: dict[str, threading.Event] = {}
        self.changes_at: dict[str, int] = {}
        self.store_is_away = False
        self.refused: str | None = None
        self.looks = 0
        self._happened = threading.Condition()

    def begin(self, draft: Draft, request: Request) -> Any:
        return Commit(self, draft)

    def done(self, step: str) -> list[str]:
        """The drafts of which a step was begun, in order."""
        return [draft for draft, done in self.steps if done == step]

    def at(self, draft: Draft, step: str) -> None:
        with self._happened:
            self.steps.append((draft.title, step))
            self._happened.notify_all()
        gate = self.closed.get(step)
        assert gate is None or gate.wait(DEADLINE)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits for threads to have come so far."""

        def wait() -> bool:
            with self._happened:
                return self._happened.wait_for(holds, DEADLINE)

        assert await trio.to_thread.run_sync(wait), self.steps
        await trio.testing.wait_all_tasks_blocked()

    def look_for_store(self) -> str | None:
        with self._happened:
            self.looks += 1
            self._happened.notify_all()
        return "the disk is not mounted" if self.store_is_away else None

    def close(self, step: str) -> threading.Event:
        self.closed[step] = threading.Event()
        return self.closed[step]


class Commit:
    """Stands for a DraftCommit."""

    def __init__(self, work: Work, draft: Draft) -> None:
        self.draft = draft
        self.owes_lineage = False
        self._work = work

    def check(self) -> None:
        pass

    def look(self) -> None:
        self._work.at(self.draft, "look")

    def check_still(self, error: Exception | None = None) -> None:
        pass

    def cancel(self) -> None:
        pass

    def snapshot(self) -> None:
        self._work.at(self.draft, "snapshot")

    def decide(self) -> None:
        self._work.at(self.draft, "decide")
        left = self._work.changes_at.get(self.draft.title, 0)
        if left:
            self._work.changes_at[self.draft.title] = left - 1
            raise Cancelled("it changed")

    def commit(self, content: None) -> MadeVersion:
        self._work.at(self.draft, "commit")
        if self._work.store_is_away:
            raise StoreError("the disk is not mounted")
        if self.draft.title == self._work.refused:
            raise StoreError("it is too large")
        version: Any = SimpleNamespace(name="1", artifact=self.draft.title)
        return MadeVersion(version, is_new=True, waiting=())

    def abandon(self) -> None:
        self._work.at(self.draft, "abandon")

    def give_back(self, made: MadeVersion) -> Generator[None, None, None]:
        self._work.at(self.draft, "give back")
        yield

    def protect(self, made: MadeVersion) -> None:
        self._work.at(self.draft, "protect")

    def free(self, made: MadeVersion) -> None:
        self.owes_lineage = True
        self._work.incoming.drafts.sealed(self.draft, made.version.name)
        self._work.at(self.draft, "free")

    def record(self, made: MadeVersion) -> None:
        self._work.at(self.draft, "record")


class Stage:
    """A sealer that watches, its work, and the clock."""

    def __init__(self, incoming: Incoming, clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
        self.incoming = incoming
        self.clock = clock
        self.work = Work(incoming)
        incoming.look_for_store = self.work.look_for_store  # type: ignore[method-assign]
        incoming.drafts.clock = trio.current_time
        self.sealer = Sealer(incoming, self.work.begin, Supervisor(nursery, Status({})), Room(incoming))
        self.nursery = nursery
        nursery.start_soon(self.sealer.watch)

    def finish_all(self) -> list[dict[str, Any]]:
        """Waits for all drafts in a task of its own, which adds what `artfs sync` says then to the list."""
        answers: list[dict[str, Any]] = []

        async def ask() -> None:
            await self.sealer.finish_all(frozenset(), ME)
            answers.append(self.sealer.sync_answer(ME))

        self.nursery.start_soon(ask)
        return answers

    def write(self, *names: str) -> None:
        for name in names:
            Path(os.fsdecode(self.incoming.path(name.encode()))).write_bytes(b"content")
            self.incoming.drafts.touch(name.encode())

    async def passes(self, seconds: float) -> None:
        """Lets time pass, in steps that leave nobody out."""
        for _ in range(round(seconds * 20)):
            await trio.testing.wait_all_tasks_blocked()
            self.clock.jump(0.05)
        await trio.testing.wait_all_tasks_blocked()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Lets time pass until something holds."""
        while not holds():
            await self.passes(0.1)


Play = Callable[[Stage], Awaitable[None]]


@pytest.fixture
def play(home: Path, tmp_path: Path) -> Callable[[Play], None]:
    workspace = Workspace.open(home)
    (tmp_path / "mnt").mkdir()
    incoming = Incoming(workspace, areas.claim(workspace.home.mounts, tmp_path / "mnt"))
    incoming.quiet = Quiet(file=2, directory=10)

    def run(act: Play) -> None:
        clock = trio.testing.MockClock()

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                stage = Stage(incoming, clock, nursery)
                try:
                    await act(stage)
                finally:
                    for gate in stage.work.closed.values():
                        gate.set()
                    nursery.cancel_scope.cancel()

        trio.run(main, clock=clock)

    return run


def test_a_quiet_file_goes_through_all_steps_in_order(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        stage.write("model")
        await stage.passes(1.9)
        assert stage.work.steps == []
        stage.incoming.drafts.touch(b"model")
        await stage.passes(1.9)
        assert stage.work.steps == []
        await stage.passes(0.3)
        await stage.work.until(lambda: bool(stage.work.done("record")))
        assert stage.work.steps == [("model", step) for step in STEPS]
        await stage.passes(60)
        assert len(stage.work.steps) == len(STEPS)

    play(act)


def test_so_many_of_a_user_at_once(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        gate = stage.work.close("commit")
        names = [f"model {number}" for number in range(SEALS_AT_ONCE + 1)]
        stage.write(*names)
        await stage.passes(2.5)
        await stage.work.until(lambda: len(stage.work.done("commit")) == SEALS_AT_ONCE)
        await stage.passes(2.5)
        assert len(stage.work.done("look")) == SEALS_AT_ONCE
        gate.set()
        await stage.work.until(lambda: sorted(stage.work.done("record")) == names)

    play(act)


def test_nobody_waits_for_lineage_but_those_who_ask_for_versions(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        gate = stage.work.close("record")
        names = [f"model {number}" for number in range(2 * SEALS_AT_ONCE + 1)]
        stage.write(*names)
        await stage.passes(2.5)
        await stage.work.until(lambda: sorted(stage.work.done("free")) == names)
        await stage.work.until(lambda: len(stage.work.done("record")) == RECORDED_AT_ONCE)
        assert not stage.sealer.any_busy
        with trio.fail_after(0.01):
            await stage.sealer.until_free(*(name.encode() for name in names))
        answer = stage.sealer.sync_answer(ME)
        assert (answer["done"], answer["waiting_count"]) == (False, len(names))
        assert answer["waiting"][0]["reason"] == "it is a version; where it comes from is being written down"
        finished: list[str] = []

        async def ask(what: str, question: Awaitable[None]) -> None:
            await question
            finished.append(what)

        stage.nursery.start_soon(ask, "sync", stage.sealer.finish_all(frozenset(), ME))
        stage.nursery.start_soon(ask, "recorded", stage.sealer.until_recorded())
        await stage.passes(5)
        assert finished == []
        gate.set()
        await stage.work.until(lambda: sorted(stage.work.done("record")) == names)
        while len(finished) < 2:
            await stage.passes(0.2)
        assert stage.sealer.sync_answer(ME)["done"]

    play(act)


def test_whoever_asks_gets_his_answer_when_the_lineage_is_there(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        gate = stage.work.close("record")
        stage.write("model")
        answered: list[str] = []

        async def ask() -> None:
            answered.append((await stage.sealer.seal(b"model", Request())).name)

        stage.nursery.start_soon(ask)
        await stage.work.until(lambda: bool(stage.work.done("record")))
        assert answered == []
        assert not stage.sealer.any_busy
        gate.set()
        while not answered:
            await stage.passes(0.1)
        assert answered == ["1"]

    play(act)


def test_a_draft_is_changed_by_nobody_while_it_becomes_a_version(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        gate = stage.work.close("commit")
        stage.write("model", "other")
        await stage.passes(0.1)
        stage.nursery.start_soon(stage.sealer.seal, b"model", Request())
        await stage.work.until(lambda: bool(stage.work.done("commit")))
        with trio.fail_after(0.01):
            await stage.sealer.until_free(b"other")
        freed: list[bytes] = []

        async def change() -> None:
            await stage.sealer.until_free(b"model")
            freed.append(b"model")

        stage.nursery.start_soon(change)
        await stage.passes(1)
        assert freed == []
        gate.set()
        while not freed:
            await stage.passes(0.1)

    play(act)


def test_somebody_s_commit_is_patient_with_a_draft_that_changes(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        stage.write("model", "restless")
        stage.work.changes_at = {"model": CHANGING_ATTEMPTS + 2, "restless": 10**6}
        assert (await stage.sealer.seal(b"model", Request())).name == "1"
        assert stage.work.done("decide") == ["model"] * (CHANGING_ATTEMPTS + 3)
        refused: list[str] = []

        async def ask() -> None:
            with pytest.raises(DraftHeld, match="goes on changing"):
                await stage.sealer.seal(b"restless", Request())
            refused.append("restless")

        stage.nursery.start_soon(ask)
        await stage.passes(CHANGING_SECONDS - 1)
        assert refused == []
        stage.clock.jump(1.1)
        while not refused:
            await trio.testing.wait_all_tasks_blocked()

    play(act)


def test_while_the_store_is_away_one_look_is_for_all_drafts(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        stage.work.store_is_away = True
        names = [f"model {number}" for number in range(20)]
        stage.write(*names)
        await stage.passes(3)
        await stage.until(lambda: stage.incoming.store_trouble is not None)
        tried = len(stage.work.done("commit"))
        assert tried <= SEALS_AT_ONCE
        await stage.passes(3 * TROUBLE_SECONDS)
        assert len(stage.work.done("commit")) == tried
        told = stage.sealer.orderable(ME)
        assert [(draft.state, draft.reason) for draft in told] == [("held", "the disk is not mounted")] * len(names)
        stage.work.store_is_away = False
        await stage.passes(TROUBLE_SECONDS + 0.5)
        await stage.until(lambda: sorted(stage.work.done("record")) == sorted(names))

    play(act)


def test_whoever_waits_for_drafts_has_the_store_looked_for_at_once(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        async def finished(answers: list[dict[str, Any]]) -> dict[str, Any]:
            await stage.until(lambda: bool(answers))
            return answers[0]

        stage.work.store_is_away = True
        stage.write("model")
        held = [{"draft": "model", "reason": "the disk is not mounted"}]
        assert (await finished(stage.finish_all()))["held"] == held
        for store_is_away in (True, False):
            stage.work.store_is_away = store_is_away
            looks = stage.work.looks
            answers = stage.finish_all()
            await stage.work.until(lambda looks=looks: stage.work.looks > looks)  # type: ignore[misc] # no time passes
            assert (await finished(answers))["held"] == (held if store_is_away else [])
        assert stage.work.done("record") == ["model"]

    play(act)


def test_what_the_store_refuses_of_one_draft_holds_up_no_other(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        stage.work.refused = "model"
        stage.write("model")
        await stage.passes(3)
        await stage.until(lambda: stage.incoming.draft(b"model").held is not None)
        assert stage.incoming.store_trouble is None
        stage.write("other")
        await stage.passes(3)
        await stage.work.until(lambda: stage.work.done("record") == ["other"])
        assert len(stage.work.done("commit")) == 2

    play(act)


def test_a_draft_that_goes_on_while_it_waits_for_its_turn_is_not_sealed(play: Callable[[Play], None]) -> None:
    async def act(stage: Stage) -> None:
        gate = stage.work.close("commit")
        stage.write(*(f"model {number}" for number in range(SEALS_AT_ONCE)))
        await stage.passes(2.5)
        await stage.work.until(lambda: len(stage.work.done("commit")) == SEALS_AT_ONCE)
        stage.write("waits")
        await stage.passes(2.5)
        stage.write("waits")
        gate.set()
        await stage.work.until(lambda: len(stage.work.done("record")) == SEALS_AT_ONCE)
        await stage.passes(1)
        assert "waits" not in stage.work.done("look")
        await stage.passes(1.5)
        await stage.work.until(lambda: "waits" in stage.work.done("record"))

    play(act)


def test_a_draft_for_which_there_is_no_catalog_is_looked_at_again(
    play: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(stage: Stage) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(stage.incoming, "catalog_trouble", lambda: "the catalog is away")
            stage.write("model")
            await stage.passes(3)
        assert stage.work.steps == []
        await stage.passes(TROUBLE_SECONDS + 0.5)
        await stage.work.until(lambda: bool(stage.work.done("record")))

    play(act)
