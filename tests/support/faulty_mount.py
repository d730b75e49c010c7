"""A mount whose daemon can be put out of order."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support import faulty_daemon
from support.drafts import commit
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


def killed_at(mount: Mount, draft: Path, part: str, call: int = 1, *, after: bool = False) -> None:
    """Commits a draft of a `mortal_mount`, so that the daemon dies at that moment, and mounts again."""
    control = Path(mount.environment[faulty_daemon.VARIABLE])
    Fault(part, call, kill=True, after=after).write(control)
    with pytest.raises(OSError):
        commit(draft)
    assert mount.wait() == -signal.SIGKILL
    control.unlink()
    mount.kill()
    mount.remount()
