"""What a home owes to stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from artfs.text.times import iso, iso_or_none

if TYPE_CHECKING:
    from artfs.transfers.pending import Owed


def owed(found: Sequence[Owed]) -> list[dict[str, Any]]:
    """Describe what is owed, as `artfs status` and `artfs sync` do."""
    return [
        {
            "what": each.what,
            "kind": each.row.kind,
            "store": each.store,
            "source": each.source,
            "bytes": each.row.bytes,
            "left": each.left,
            "rate": each.rate,
            "working": each.is_worked_on,
            "paused": each.row.paused,
            "attempts": each.row.attempts,
            "error": each.row.error,
            "since": iso_or_none(each.row.since_us),
            "next_try": iso(each.row.next_us) if each.row.error is not None else None,
            "created": iso(each.row.created_us),
        }
        for each in found
    ]
