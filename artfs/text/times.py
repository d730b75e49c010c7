"""Times as the catalog keeps them, microseconds since 1970 UTC, and as everybody else does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from datetime import time as clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """Return a time of the catalog, UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def aware(time: date) -> datetime:
    """Return a time with its zone, the local one if it has none; of a day its beginning."""
    if not isinstance(time, datetime):
        time = datetime.combine(time, clock())
    if time.tzinfo is not None:
        return time
    try:
        return time.astimezone()
    except (ValueError, OverflowError, OSError):  # in the first or last days that a datetime can be
        return time.replace(tzinfo=UTC)


def iso(microseconds: int) -> str:
    """Return a time of the catalog for programs: ISO 8601, UTC, always with microseconds."""
    return moment(microseconds).isoformat(timespec="microseconds")


def iso_or_none(microseconds: int | None) -> str | None:
    """Return the same of a time that may not have come yet."""
    return None if microseconds is None else iso(microseconds)
