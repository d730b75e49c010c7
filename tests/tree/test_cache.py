"""The caches stay within their limits and keep what is in use."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from artfs_mount.tree.cache import RecentlyUsed


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache: RecentlyUsed[str, int] = RecentlyUsed(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_a_value_over_the_limit_is_kept_alone() -> None:
    cache: RecentlyUsed[str, int] = RecentlyUsed(10)
    cache.put("a", 1, 5)
    cache.put("big", 2, 100)
    assert (cache.get("a"), cache.get("big"), len(cache)) == (None, 2, 1)
    cache.put("c", 3, 5)
    assert (cache.get("big"), cache.get("c")) == (None, 3)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30))))
def test_the_limit_holds_whatever_is_put(puts: list[tuple[int, int]]) -> None:
    cache: RecentlyUsed[int, int] = RecentlyUsed(50)
    weights: dict[int, int] = {}
    for key, weight in puts:
        cache.put(key, weight, weight)
        weights[key] = weight
        assert cache.get(key) == weight
        assert sum(weights[key] for key in list(weights) if cache.get(key) is not None) <= 50
