"""Which catalog it is.

What tells an older one is not here, but the newest version that its stores remember: `artfs.stores.history`.
"""

from __future__ import annotations

from artfs.catalog.engine import Engine, scalar


class Identity:
    """The identity of a catalog. A backup has the same."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def uuid(self) -> str:
        """The catalog's name, which holds on every machine."""
        found: str = scalar(self._engine.one("SELECT uuid FROM identity WHERE id = 1"))
        return found

    def changes(self) -> int:
        """Return the number of the last change; nothing counts them yet."""
        found: int = scalar(self._engine.one("SELECT changes FROM identity WHERE id = 1"))
        return found
