"""A mount whose daemon can be put out of order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support import faulty_daemon
from support.faulty_daemon import Fault
from support.mount import Mount


class FaultyMount(Mount):
    """Runs faulty_daemon.py instead of the daemon. base, settings: as for `Mount`."""

    def __init__(self, base: Path, settings: Mapping[str, float] | None = None) -> None:
        self.control = base / "fault"
        environment = {faulty_daemon.VARIABLE: str(self.control)}
        super().__init__(base, environment=environment, settings=settings, daemon=[faulty_daemon.__file__ or ""])

    def put_out_of_order(self, part: str, **how: Any) -> None:
        """Lets a part fail from now on; `how` is what else `Fault` says."""
        Fault(part, **how).write(self.control)

    def put_in_order(self) -> None:
        """Lets all parts work again."""
        self.control.unlink(missing_ok=True)
