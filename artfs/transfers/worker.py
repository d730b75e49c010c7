"""The worker: brings what a home owes to where it belongs, beside whatever the program does.

What is owed are rows of `pending`, and small contents that are not synced yet (`syncing`). Each store has a lane of its
own, so that one that stalls keeps only what is owed to it; in a lane the oldest row is first, and one that failed waits
until its time has come. Whoever works on a row holds its lock, so that any number of workers, in any number of
processes, never do the same row at once; after a death the next worker goes on with it (`delivery`).

    the daemon of a home     works for as long as it lives (`run`)
    any other program        works while it waits (`wait`), if no daemon of the home does
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from artfs.errors import ArtfsError
from artfs.secrets.redaction import redacted
from artfs.transfers.background import Background
from artfs.transfers.delivery import Delivery, Stopped
from artfs.transfers.landing import Landing
from artfs.transfers.locks import Locks
from artfs.transfers.pending import Owed, lock_of, owed
from artfs.transfers.retrying import Clock
from artfs.transfers.syncing import Syncing

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog
    from artfs.catalog.pending import PendingRow
    from artfs.home.home import Home
    from artfs.home.stores import HomeStores

LOOK_AGAIN_SECONDS = 1.0
"""So often the worker looks for what other processes have come to owe."""
SYNC_SECONDS = 60.0
"""So often a worker that always runs syncs small contents, which processes that have ended may have left."""
PATIENCE_SECONDS = 60.0
"""Whoever waits gives up on what has failed for so long."""
WAITING_SECONDS = 0.1
_RUNNING = "worker"
_LOOP = "works on what is owed"

logger = logging.getLogger(__name__)


class Worker:
    """What works on what a home owes. Many threads may use it.

    Args:
        home: who owes.
        catalog: gives the catalog that says what.
        stores: where it is to go.
        write_manifests: writes the manifests of versions that are owed.
        clock: tells when.
    """

    def __init__(
        self,
        home: Home,
        catalog: Callable[[], Catalog],
        stores: HomeStores,
        write_manifests: Callable[[], None],
        clock: Clock | None = None,
    ) -> None:
        self._home = home
        self._catalog = catalog
        self._stores = stores
        self._clock = clock or Clock()
        self._background = Background()
        self._stop = threading.Event()
        self.landing = Landing(home)
        self.locks = Locks(home)
        self.syncing = Syncing(home, catalog, stores, self._background, write_manifests)

    def owed(self) -> list[Owed]:
        """Return what this machine owes, oldest first."""
        return owed(self._catalog(), self.locks)

    def work(self) -> None:
        """Do all that is due now, store by store, and return.

        What fails is written down with its row, and raises nothing; CatalogError and OSError come of the catalog.
        """
        for store_id in self._catalog().pending.due_stores(self._clock.now_us()):
            self._lane(store_id)

    def run(self) -> None:
        """Work until `stop` is called. Of all processes of the home that do so, one is at it at a time."""
        if not self._home.is_writable:
            return
        next_sync = 0.0
        while not self._stop.is_set():
            with self.locks.held(_RUNNING) as is_the_one:
                while is_the_one and not self._stop.is_set():
                    self._start_lanes()
                    if time.monotonic() >= next_sync:
                        self._background.start("syncs what was left", self.syncing.try_to_sync)
                        next_sync = time.monotonic() + SYNC_SECONDS
                    self._stop.wait(LOOK_AGAIN_SECONDS)
            self._stop.wait(LOOK_AGAIN_SECONDS)

    def stop(self) -> None:
        """Let `run` return. What is being done ends with the content that is being brought, or with the process."""
        self._stop.set()

    def is_somewhere(self) -> bool:
        """Whether some process of the home, such as its daemon, runs a worker."""
        return self.locks.is_held(_RUNNING)

    def wait(
        self,
        seconds: float | None = None,
        *,
        patience: float = PATIENCE_SECONDS,
        show: Callable[[Sequence[Owed]], None] = lambda left: None,
    ) -> list[Owed]:
        """Return when nothing is owed any more, and what is left otherwise: see the arguments, and what is paused.

        What failed is tried at once. The work is done here, if no other process does it.

        Args:
            seconds: how long to wait at most.
            patience: for so many seconds something may fail before it is not waited for.
            show: called again and again with what is waited for.
        """
        if not self._home.is_writable:
            return self.owed()
        give_up = time.monotonic() + seconds if seconds is not None else float("inf")
        self.syncing.try_to_sync()
        if self._catalog().pending.count():
            self._catalog().pending.retry()
        began_us = self._clock.now_us()
        pause = threading.Event()
        is_own = False
        try:
            while True:
                left = self.owed()
                going_on = [each for each in left if not self._is_stuck(each.row, began_us, patience)]
                if not going_on or time.monotonic() >= give_up:
                    return left
                # Again and again: whoever has worked so far may have died.
                is_own = self._work_beside() or is_own
                show(going_on)
                pause.wait(WAITING_SECONDS)
        finally:
            if is_own:
                self.stop()

    def close(self) -> None:
        """End the work of this process, and wait for syncs that have begun."""
        self.stop()
        self.syncing.wait()
        self._background.wait(_LOOP, seconds=WAITING_SECONDS)
        self.landing.close()

    def _work_beside(self) -> bool:
        """Work beside the program, if no process of the home does; answer whether that was begun here."""
        if self._background.is_at(_LOOP):
            self._stop.clear()
            return False
        if self.is_somewhere():
            return False
        self._stop.clear()
        self._background.start(_LOOP, self._run_to_the_end, may_be_cut=True)
        return True

    def _run_to_the_end(self) -> None:
        try:
            self.run()
        except (ArtfsError, OSError) as error:
            logger.warning("what is owed cannot be brought: %s", error)

    def _start_lanes(self) -> None:
        for store_id in self._catalog().pending.due_stores(self._clock.now_us()):
            lane = f"brings what store {store_id} is owed"
            self._background.start(lane, partial(self._try_lane, store_id), may_be_cut=True)

    def _try_lane(self, store_id: int) -> None:
        try:
            self._lane(store_id)
        except (ArtfsError, OSError) as error:
            logger.warning("what is owed cannot be brought just now: %s", error)

    def _lane(self, store_id: int) -> None:
        """Do all that is due for a store."""
        while not self._stop.is_set() and any(map(self._is_tried, self._due(store_id))):
            pass

    def _due(self, store_id: int) -> Sequence[PendingRow]:
        return self._catalog().pending.due(self._clock.now_us(), store_id)

    def _is_tried(self, row: PendingRow) -> bool:
        """Work on a row, unless somebody else does; answer whether it was worked on."""
        pending = self._catalog().pending
        with self.locks.held(lock_of(row)) as is_mine:
            # It may have been done, tried or paused before it was held.
            now = pending.get(row.id) if is_mine else None
            if now is None or now.paused or now.next_us > self._clock.now_us():
                return False
            try:
                Delivery(now, self._catalog(), self._stores, self.landing, self._home, self._stop.is_set).run()
            except Stopped:
                return True
            except BaseException as error:  # a stranger's store may raise anything
                if not isinstance(error, ArtfsError | OSError):
                    logger.exception("what is owed to store %s could not be brought", row.store_id)
                self._failed(now, error)
                if not isinstance(error, Exception):
                    raise
        return True

    def _failed(self, row: PendingRow, error: BaseException) -> None:
        pending = self._catalog().pending
        now = pending.get(row.id)
        attempts = now.attempts + 1 if now is not None else 1
        why = _in_words(error)
        logger.info("row %d of what is owed failed: %s", row.id, why)
        pending.failed(row.id, why, now_us=self._clock.now_us(), next_us=self._clock.next_us(attempts))

    def _is_stuck(self, row: PendingRow, began_us: int, patience: float) -> bool:
        """Whether it is of no use to wait for a row."""
        if row.paused:
            return True
        failed_long = row.since_us is not None and self._clock.now_us() - row.since_us > patience * 1_000_000
        return failed_long and row.attempts > 0 and row.next_us > began_us


def _in_words(error: BaseException) -> str:
    """The error as the catalog keeps it: without secrets, which a stranger's may have in it."""
    if isinstance(error, ArtfsError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return redacted(f"{error.strerror}: '{error.filename}'" if error.filename is not None else error.strerror)
    return redacted(f"{type(error).__name__}: {error}")
