"""Values as JSON has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from datetime import date
from typing import Any


def plain(value: object) -> Any:
    """Return a value of metadata as plain JSON. What JSON has no word for becomes text: times, paths, `nan`, `inf`."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else str(value)
