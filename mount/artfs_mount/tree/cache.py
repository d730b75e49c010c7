"""What was used last, up to a limit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

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

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keep a value, in place of those not used for longest."""
        with self._lock:
            _, before = self._values.pop(key, (None, 0))
            self._values[key] = (value, weight)
            self._used += weight - before
            while self._used > self._limit and len(self._values) > 1:
                _, (_, gone) = self._values.popitem(last=False)
                self._used -= gone
