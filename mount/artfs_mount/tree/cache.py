"""What was used last, up to a limit; and what holds until something changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class RecentlyUsed(Generic[K, V]):
    """Values that never change, each of a weight; beyond the limit those not used for longest go. Thread-safe.

    The value put last always stays, even when it alone is over the limit: it is in use.

    Args:
        limit: What the weights may add up to.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value of a key, or None if it is not here (any more)."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def get_all(self, keys: Iterable[K]) -> dict[K, V]:
        """The values of those keys that are here."""
        with self._lock:
            found = {key: self._values[key][0] for key in keys if key in self._values}
            for key in found:
                self._values.move_to_end(key)
            return found

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keep a value, in place of those not used for longest."""
        with self._lock:
            _, before = self._values.pop(key, (None, 0))
            self._values[key] = (value, weight)
            self._used += weight - before
            while self._used > self._limit and len(self._values) > 1:
                _, (_, gone) = self._values.popitem(last=False)
                self._used -= gone


class UntilChanged:
    """Values that hold as long as a stamp stays the same, for each thread its own; thread-safe therefore.

    Args:
        stamp: tells whether anything has changed since.
        limit: What the weights of the values of one thread may add up to.
    """

    def __init__(self, stamp: Callable[[], Hashable], limit: int) -> None:
        self._stamp = stamp
        self._limit = limit
        self._threads = threading.local()

    def get(self, key: Hashable, make: Callable[[], V], weigh: Callable[[V], int] = lambda value: 1) -> V:
        """The value of a key, made if it is not here or may be another by now."""
        values = self._values()
        found: V | None = values.get(key)
        if found is None:
            found = make()
            values.put(key, found, weigh(found))
        return found

    def many(
        self, kind: str, numbers: Iterable[int], make: Callable[[list[int]], Iterable[tuple[int, V]]]
    ) -> dict[int, V]:
        """The values of keys `(kind, number)`; those that are not here are made together, and may lack some."""
        values: RecentlyUsed[tuple[str, int], Any] = self._values()
        asked = list(dict.fromkeys(numbers))
        known = values.get_all((kind, number) for number in asked)
        found: dict[int, V] = {key[1]: value for key, value in known.items()}
        missing = [number for number in asked if number not in found]
        for number, value in make(missing) if missing else ():
            values.put((kind, number), value)
            found[number] = value
        return found

    def put_many(self, kind: str, found: Iterable[tuple[int, object]]) -> None:
        """Keep values of keys `(kind, number)` that came along with something else."""
        values = self._values()
        for number, value in found:
            values.put((kind, number), value)

    def _values(self) -> RecentlyUsed[Any, Any]:
        now = self._stamp()
        if getattr(self._threads, "stamp", None) != now:
            self._threads.stamp = now
            self._threads.values = RecentlyUsed[Any, Any](self._limit)
        values: RecentlyUsed[Any, Any] = self._threads.values
        return values
