"""A tag, as users hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artfs.catalog.tags import Tag


@dataclass(frozen=True, slots=True)
class TagResponse:
    """A label; at most one version of an artifact carries an exclusive one."""

    name: str
    exclusive: bool

    @classmethod
    def of(cls, row: Tag) -> TagResponse:
        """Return the tag of a row."""
        return cls(row.name, row.exclusive)

    def summary(self) -> dict[str, object]:
        """Return what a list shows of it."""
        return {"tag": self.name, "exclusive": self.exclusive}
