"""Which drafts are to be looked at, and when: those that wait for a change alone cost nothing, however many."""

from __future__ import annotations

import heapq


class Agenda:
    """Times by name, each name once. Times are those of a clock that only grows."""

    def __init__(self) -> None:
        self._at: dict[bytes, float] = {}
        self._heap: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self._at)

    def put(self, name: bytes, at: float) -> None:
        """Has a name looked at then, and not at the time that it had before."""
        if self._at.get(name) != at:
            self._at[name] = at
            heapq.heappush(self._heap, (at, name))

    def drop(self, name: bytes) -> None:
        """Has a name looked at no more."""
        self._at.pop(name, None)

    def next(self) -> tuple[float, bytes] | None:
        """The name whose time comes first, which stays until it is put elsewhere or dropped; None if there is none."""
        while self._heap:
            at, name = self._heap[0]
            if self._at.get(name) == at:
                return at, name
            heapq.heappop(self._heap)  # it has another time by now
        return None
