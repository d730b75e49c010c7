"""Values that were logged, as users hold them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class MetadataValue:
    """A value that was logged.

    Args:
        value: as it was logged.
        type: its name: int, str, dict, storage_size, ...
        created: when it was logged, UTC.
    """

    value: Any
    type: str
    created: datetime
