"""What all calls of a client work in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from artfs.home.home import Home
from artfs.objects.objects import Objects
from artfs.workspace.current import current_workspace

if TYPE_CHECKING:
    from artfs.workspace.workspace import Workspace


class _Calls:
    """What a client can be asked about one kind of thing."""

    def __init__(self, home: Path | str | None = None) -> None:
        self._home = Home.find(Path(home)).existing() if home is not None else None
        self._own: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
        """The home, catalog and stores that the client works in."""
        if self._home is None:
            return current_workspace()
        if self._own is None:
            from artfs.workspace.workspace import Workspace

            self._own = Workspace.of(self._home.existing())
        return self._own

    @property
    def _objects(self) -> Objects:
        return Objects(self.workspace)
