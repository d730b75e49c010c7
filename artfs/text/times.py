"""Times as the catalog keeps them, microseconds since 1970 UTC, and as everybody else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """Return a time of the catalog, UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def iso(microseconds: int) -> str:
    """Return a time of the catalog for programs: ISO 8601, UTC, always with microseconds."""
    return moment(microseconds).isoformat(timespec="microseconds")


def iso_or_none(microseconds: int | None) -> str | None:
    """Return the same of a time that may not have come yet."""
    return None if microseconds is None else iso(microseconds)
