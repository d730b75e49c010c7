"""Saving and loading values with the materializer that is chosen for them, against a plain directory."""

from __future__ import annotations

import struct
import tempfile
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from artfs.materializers.base import BaseMaterializer
from artfs.materializers.registry import materializer_for


def save(data: Any, directory: Path, materializer: type[BaseMaterializer] | None = None) -> BaseMaterializer:
    """Save `data` below `directory`, which is made, and return what saved it."""
    directory.mkdir(parents=True, exist_ok=True)
    chosen = (materializer or materializer_for(type(data)))(str(directory))
    chosen.save(data)
    return chosen


def load(directory: Path, data_type: type[Any], *, trusted: bool = True) -> Any:
    """Load what `save` wrote, with a new materializer."""
    loader = materializer_for(data_type)(str(directory))
    loader.trusted = trusted
    return loader.load(data_type)


def round_trip(data: Any) -> Any:
    """Return `data` saved and loaded again."""
    with tempfile.TemporaryDirectory() as directory:
        save(data, Path(directory))
        return load(Path(directory), type(data))


def files(directory: Path) -> list[str]:
    """Return the relative paths of all files, sorted."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def identical(one: Any, other: Any) -> bool:
    """Return whether two values are equal in type, bits and order all the way down; NaN is identical to NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack(">d", one) == struct.pack(">d", other)
    if type(one) is complex:
        return identical((one.real, one.imag), (other.real, other.imag))
    if isinstance(one, (list, tuple, deque)):
        longest = getattr(one, "maxlen", None) == getattr(other, "maxlen", None)
        return longest and len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, (dict, OrderedDict, Counter, defaultdict)):
        factories = getattr(one, "default_factory", None) is getattr(other, "default_factory", None)
        return factories and identical(list(one.items()), list(other.items()))
    if isinstance(one, (set, frozenset)):
        return _same_elements(one, other)
    if isinstance(
        one, (Decimal, datetime, time)
    ):  # equal moments may differ in zone and fold, equal Decimals in digits
        return repr(one) == repr(other)
    return bool(one == other)


def _same_elements(one: Iterable[Any], other: Iterable[Any]) -> bool:
    left = list(other)
    for element in one:
        for index, candidate in enumerate(left):
            if identical(element, candidate):
                del left[index]
                break
        else:
            return False
    return not left
