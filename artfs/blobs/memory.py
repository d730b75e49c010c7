"""What was verified last, in memory: one budget for all readers of a process, and one flight for each unit.

A unit is a block, a piece or a list, each named by its digest. Whoever wants one that nobody has loads it; whoever
wants it meanwhile waits for that flight and gets the same bytes, or the same error: a hundred readers of a place that
does not answer wait once, not one after the other. A flight belongs to a blob: an equal block of another blob may lie
in a place that answers.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from artfs.content.digest import BLOCK_SIZE, Digest
from artfs.errors import ReaderClosed

_SMALLEST_COST = 512
"""What a unit counts at least, so that the number of small ones is bounded too."""

Flight = tuple[Digest, Digest]
"""The blob and the unit."""


class Memory:
    """The units that were verified last, up to a number of bytes in all. Many threads may use it.

    Args:
        limit: bytes that it may hold.
    """

    def __init__(self, limit: int = 2 * BLOCK_SIZE) -> None:
        self.limit = limit
        self._begin()
        self._streams = 0

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._used = 0
        self._units: OrderedDict[Digest, bytes] = OrderedDict()
        self._flights: dict[Flight, Future[bytes]] = {}

    def get(self, unit: Digest) -> bytes | None:
        """Return a unit if it is here: for callers that must not wait."""
        self._check_process()
        with self._lock:
            return self._found(unit)

    def obtain(
        self, blob: Digest, wanted: Sequence[Digest], load: Callable[[list[Digest]], Iterable[bytes]]
    ) -> dict[Digest, bytes]:
        """Return units of a blob, of which those are loaded that are neither here nor in flight.

        Args:
            blob: that they are of.
            wanted: the units.
            load: gives the bytes of some of them, verified, in their order.
        """
        self._check_process()
        found: dict[Digest, bytes] = {}
        while missing := [unit for unit in dict.fromkeys(wanted) if unit not in found]:
            own, others = self._claim(blob, missing, found)
            if own:
                # Before anything is waited for: two that wait for each other's units would wait for ever.
                found.update(self._load(blob, own, load))
            for unit, flight in others.items():
                try:
                    found[unit] = flight.result()
                except _Abandoned:
                    continue
        return found

    def put(self, unit: Digest, data: bytes) -> None:
        """Keep a verified unit, in place of those not used for longest."""
        self._check_process()
        with self._lock:
            self._keep(unit, data)

    def clear(self) -> None:
        """Forget everything that is here."""
        with self._lock:
            self._units.clear()
            self._used = 0

    def stream_begins(self) -> None:
        """A cursor reads ahead from now on: its share of the budget is `share`."""
        with self._lock:
            self._streams += 1

    def stream_ends(self) -> None:
        """A cursor no longer reads ahead."""
        with self._lock:
            self._streams -= 1

    @property
    def share(self) -> int:
        """Bytes that one of the cursors that read ahead may have here, so that none takes what another waits for."""
        return self.limit // (2 * max(1, self._streams))

    def _claim(
        self, blob: Digest, missing: Sequence[Digest], found: dict[Digest, bytes]
    ) -> tuple[list[Digest], dict[Digest, Future[bytes]]]:
        """Look what is here, and return the units to load and those that somebody else loads."""
        own: list[Digest] = []
        others: dict[Digest, Future[bytes]] = {}
        with self._lock:
            for unit in missing:
                if (data := self._found(unit)) is not None:
                    found[unit] = data
                elif (flight := self._flights.get((blob, unit))) is not None:
                    others[unit] = flight
                else:
                    self._flights[blob, unit] = Future()
                    own.append(unit)
        return own, others

    def _load(
        self, blob: Digest, own: list[Digest], load: Callable[[list[Digest]], Iterable[bytes]]
    ) -> dict[Digest, bytes]:
        try:
            loaded = dict(zip(own, load(own), strict=True))
        except BaseException as error:
            # One reader was closed, or one thread is to end: that is no error of the others, who load it themselves.
            is_own = isinstance(error, ReaderClosed) or not isinstance(error, Exception)
            for flight in self._landed(blob, own):
                flight.set_exception(_Abandoned() if is_own else error)
            raise
        flights = self._landed(blob, own, loaded)
        for flight, data in zip(flights, loaded.values(), strict=True):
            flight.set_result(data)
        return loaded

    def _landed(
        self, blob: Digest, own: list[Digest], loaded: dict[Digest, bytes] | None = None
    ) -> list[Future[bytes]]:
        with self._lock:
            for unit, data in (loaded or {}).items():
                self._keep(unit, data)
            return [self._flights.pop((blob, unit)) for unit in own]

    def _found(self, unit: Digest) -> bytes | None:
        data = self._units.get(unit)
        if data is not None:
            self._units.move_to_end(unit)
        return data

    def _keep(self, unit: Digest, data: bytes) -> None:
        cost = max(len(data), _SMALLEST_COST)
        if cost > self.limit or unit in self._units:
            return
        self._units[unit] = data
        self._used += cost
        while self._used > self.limit:
            _, old = self._units.popitem(last=False)
            self._used -= max(len(old), _SMALLEST_COST)

    def _check_process(self) -> None:
        """Begin anew in a process that was forked: threads that are not here may hold the lock and own the flights."""
        if self._process != os.getpid():
            self._begin()


class _Abandoned(Exception):
    """Whoever loaded a unit has stopped, for a reason of its own."""
