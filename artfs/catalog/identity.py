"""Which catalog it is, and how far it has come: what the marks of stores remember of it."""

from __future__ import annotations

from artfs.catalog.engine import Engine, scalar


class Identity:
    """The identity of a catalog. A backup has the same, with a smaller number of changes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def uuid(self) -> str:
        """The catalog's name, which holds on every machine."""
        found: str = scalar(self._engine.one("SELECT uuid FROM identity WHERE id = 1"))
        return found

    def changes(self) -> int:
        """Return the number of the last change."""
        found: int = scalar(self._engine.one("SELECT changes FROM identity WHERE id = 1"))
        return found

    def next_change(self) -> int:
        """Return a number that no change had, for one of this transaction."""
        with self._engine.joined():
            row = self._engine.one("UPDATE identity SET changes = changes + 1 WHERE id = 1 RETURNING changes")
        found: int = scalar(row)
        return found

    def go_on_from(self, changes: int) -> None:
        """Give out no number up to this one: a store remembers it, so an older catalog was restored."""
        self._engine.execute(
            "UPDATE identity SET changes = :changes WHERE id = 1 AND changes < :changes", {"changes": changes}
        )
