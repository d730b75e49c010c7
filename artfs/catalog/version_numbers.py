"""How versions of an artifact are counted and ordered."""

from __future__ import annotations

from artfs.catalog.artifacts import Artifacts
from artfs.catalog.engine import Engine, now_us
from artfs.errors import VersionExists

# Numbers beyond are names like any other, so that counting never runs out of 64 bits.
_GREATEST_NUMBER = 2**62


def claim_number(
    engine: Engine, artifact_name: str, name: str | None, user_id: int | None
) -> tuple[int, int | None, str]:
    """Return an artifact's row id, and number and name of a version of it that no other can get any more.

    Args:
        engine: within a transaction.
        artifact_name: the artifact; made if there is none.
        name: chosen name; None for the next number.
        user_id: who makes the artifact.

    Raises InvalidName; VersionExists if the name is or was used.
    """
    artifacts = Artifacts(engine)
    if name is None:
        # No name is that number: a chosen name that is one moves the counting on.
        artifact_id, next_number = artifacts.next_number(artifact_name, user_id)
        return artifact_id, next_number, str(next_number)
    artifact = artifacts.ensure(artifact_name, user_id)
    taken = engine.one(
        "SELECT state FROM version WHERE artifact_id = :artifact AND name = :name",
        {"artifact": artifact.id, "name": name},
    )
    if taken is not None:
        why = "was purged, and names are not used again" if taken[0] == "purged" else "exists already"
        raise VersionExists(f"version '{name}' of '{artifact.name}' {why}: choose another name", subject=name)
    number = number_of(name)
    if number is not None:
        engine.execute(
            "UPDATE artifact SET next_number = :next WHERE id = :id AND next_number < :next",
            {"next": number + 1, "id": artifact.id},
        )
    return artifact.id, number, name


def next_time(engine: Engine, artifact_id: int) -> int:
    """Return now, or when the newest version was made if a clock was set back since: the newest stays the newest."""
    row = engine.one(
        "SELECT created_us FROM version WHERE artifact_id = :artifact AND state <> 'purged' "
        "ORDER BY created_us DESC LIMIT 1",
        {"artifact": artifact_id},
    )
    return max(now_us(), row[0] if row else 0)


def number_of(name: str) -> int | None:
    """Return the number that a chosen name is, if it is written as numbers are given out."""
    if not (name.isascii() and name.isdecimal()) or str(int(name)) != name:
        return None
    number = int(name)
    return number if number < _GREATEST_NUMBER else None
