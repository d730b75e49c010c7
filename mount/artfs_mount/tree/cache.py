"""What was used last, up to a limit; and what holds until something changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from artfs_mount.tree.blocking import Blocking

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
        self._making: dict[K, threading.Lock] = {}
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

    def made(self, key: K, make: Callable[[], V], weigh: Callable[[V], int] = lambda value: 1) -> V:
        """The value of a key; the first to ask makes it if it is not here, and the others wait for that."""
        found = self.get(key)
        if found is not None:
            return found
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            try:
                found = self.get(key)
                if found is None:
                    found = make()
                    self.put(key, found, weigh(found))
            finally:
                with self._lock:
                    self._making.pop(key, None)
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
    """Values that hold until the catalog changes, the same for all threads.

    Only one thread asks whether it has changed, as stamps of different threads cannot be compared: the event loop,
    which does so before it has a question asked on another thread (`look`); without a loop, whoever uses it. What a
    thread reads then is at least as new as the look, and what it puts here once a later look found a change is lost.

    Args:
        stamp: Tells whether anything has changed; None where that takes long: then nothing is kept.
        blocking: Knows the loop's thread.
        limit: What the weights of the values may add up to.
    """

    def __init__(self, stamp: Callable[[], Hashable] | None, blocking: Blocking, limit: int) -> None:
        self._stamp = stamp
        self._blocking = blocking
        self._limit = limit
        self._seen: Hashable = None
        self._values = RecentlyUsed[Any, Any](limit)

    def look(self) -> None:
        """Drop everything if the catalog has changed since the last look."""
        now = self._stamp() if self._stamp is not None else object()
        if now != self._seen:
            self._seen = now
            self._values = RecentlyUsed[Any, Any](self._limit)

    def get(self, key: Hashable, make: Callable[[], V], weigh: Callable[[V], int] = lambda value: 1) -> V:
        """The value of a key, made if it is not here or may be another by now."""
        values = self._current()
        found: V | None = values.get(key)
        if found is None:
            found = make()
            values.put(key, found, weigh(found))
        return found

    def many(
        self, kind: str, numbers: Iterable[int], make: Callable[[list[int]], Iterable[tuple[int, V]]]
    ) -> dict[int, V]:
        """The values of keys `(kind, number)`; those that are not here are made together, and may lack some."""
        values = self._current()
        asked = list(dict.fromkeys(numbers))
        known = values.get_all((kind, number) for number in asked)
        found: dict[int, V] = {key[1]: value for key, value in known.items()}
        missing = [number for number in asked if number not in found]
        for number, value in make(missing) if missing else ():
            values.put((kind, number), value)
            found[number] = value
        return found

    def _current(self) -> RecentlyUsed[Any, Any]:
        if self._blocking.is_forbidden or not self._blocking.has_loop:
            self.look()
        return self._values
