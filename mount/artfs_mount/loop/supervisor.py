"""What runs beside the requests, under one rule: it may fail, and the daemon goes on.

A nursery ends with the first exception of any of its tasks, and with the daemon's nursery the mount would end. So
nothing is started in it but here: an unexpected exception is logged with its traceback, counted in status.json under
the name of the work, and that task alone ends; work that must always be done begins again. This holds for every
BaseException (a panic of Rust code, SystemExit of some library, MemoryError): only trio's own Cancelled passes.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeVar, TypeVarTuple

import trio

from artfs_mount.status import Status

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
"""Work that must always be done begins again after so long: twice as long each time that it fails at once."""

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class Work(StrEnum):
    """What the daemon does beside answering requests."""

    AWAIT_STORE = "await store"
    CLOSE = "close"
    DELETE = "delete"
    PREFETCH = "prefetch"
    LOOK = "look"
    RECORD = "record"
    ROOM = "room"
    SEAL = "seal"
    SIGNALS = "signals"
    TRANSFER = "transfer"
    TUNE = "tune"
    WATCH = "watch"
    WRITERS = "writers"


@dataclass(frozen=True)
class Failures:
    """How often a kind of work has failed, and how and when it did so last (seconds since 1970 UTC)."""

    count: int
    last: str
    at: float


class Supervisor:
    """Starts work beside the requests, and outlives whatever becomes of it."""

    def __init__(self, nursery: trio.Nursery, status: Status) -> None:
        self._nursery = nursery
        self._status = status
        self._failures: dict[Work, Failures] = {}

    def start(self, work: Work, function: Callable[[*Ts], Awaitable[object]], *arguments: *Ts) -> None:
        """Has work done in a task of its own, which ends when it fails."""
        self._nursery.start_soon(self._attempt, work, function, arguments, name=f"artfs {work}")

    def keep(self, work: Work, function: Callable[[*Ts], Awaitable[object]], *arguments: *Ts) -> None:
        """Has work done in a task of its own, which begins again when it fails, until it returns."""
        self._nursery.start_soon(self._persist, work, function, arguments, name=f"artfs {work}")

    async def attempt(self, work: Work, function: Callable[[*Ts], Awaitable[object]], *arguments: *Ts) -> None:
        """Does work at once and waits for it. Whoever asks for it goes on, also when it fails."""
        await self._attempt(work, function, arguments)

    def failures(self, *, with_reasons: bool) -> dict[str, dict[str, Any]]:
        """What has failed so far, for status.json. with_reasons: also how, which may name files of others."""
        told = {work.value: asdict(failures) for work, failures in self._failures.items()}
        return told if with_reasons else {work: {**facts, "last": None} for work, facts in told.items()}

    async def _attempt(
        self, work: Work, function: Callable[..., Awaitable[object]], arguments: tuple[Any, ...]
    ) -> bool:
        """Answers whether it went well."""
        try:
            await function(*arguments)
        except (trio.Cancelled, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the status logs it
            self._failed(work, error)
            return False
        return True

    async def _persist(
        self, work: Work, function: Callable[..., Awaitable[object]], arguments: tuple[Any, ...]
    ) -> None:
        pause = FIRST_PAUSE_SECONDS
        begun = trio.current_time()
        while not await self._attempt(work, function, arguments):
            if trio.current_time() - begun > LONGEST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await trio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            begun = trio.current_time()

    def _failed(self, work: Work, error: BaseException) -> None:
        before = self._failures.get(work)
        self._failures[work] = Failures(
            before.count + 1 if before else 1, f"{type(error).__name__}: {error}", time.time()
        )
        self._status.failed(f"background work '{work}'", error, None)
