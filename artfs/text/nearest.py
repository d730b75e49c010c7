"""What somebody may have meant who wrote a name that nothing has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

_MOST = 10_000
"""Names that are compared: more would take longer than the answer is worth."""
_LEAST_ALIKE = 0.6


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like another; None if none is like it.

    >>> nearest("iri", ["iris", "wine"])
    'iris'
    """
    known = {each.lower(): each for each in islice(names, _MOST)}
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=_LEAST_ALIKE)
    return known[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return what a line that a name is unknown goes on with: the nearest name, or nothing."""
    found = nearest(name, names)
    return f" (did you mean '{found}'?)" if found is not None else ""
