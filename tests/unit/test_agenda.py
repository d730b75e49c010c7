"""The agenda tells each name once, at the last time it was given, earliest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from artfs_mount.incoming.agenda import Agenda

names = st.sampled_from([b"a", b"b", b"c", b"d"])
times = st.integers(0, 9).map(float)


@given(st.lists(st.tuples(names, st.none() | times)))
def test_it_tells_what_a_dictionary_would(steps: list[tuple[bytes, float | None]]) -> None:
    agenda, expected = Agenda(), dict[bytes, float]()
    for name, at in steps:
        if at is None:
            agenda.drop(name)
            expected.pop(name, None)
        else:
            agenda.put(name, at)
            expected[name] = at
        assert len(agenda) == len(expected)
        first = agenda.next()
        assert first == agenda.next(), "it stays until it is put elsewhere"
        assert (first[0] if first else None) == min(expected.values(), default=None)
        assert first is None or expected[first[1]] == first[0]


def test_nothing_is_kept_of_earlier_times() -> None:
    agenda = Agenda()
    for at in range(1000, 0, -1):
        agenda.put(b"a", float(at))
        agenda.next()
    agenda.put(b"a", 2000.0)
    assert agenda.next() == (2000.0, b"a")
    agenda.drop(b"a")
    assert agenda.next() is None
