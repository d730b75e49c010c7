"""The daemon, whose status.json also tells of each draft who has written it and what is known of them.

    python telling_daemon.py OPTIONS-OF-THE-DAEMON

Nothing in the product knows of this.
"""

from __future__ import annotations

from typing import Any

from artfs_mount import daemon
from artfs_mount.__main__ import main as serve
from artfs_mount.incoming.incoming import Incoming

SECTION = "writers"


def _tell(incoming: Incoming) -> dict[str, Any]:
    return {draft.title: _told(incoming, draft.history) for draft in incoming.drafts}


def _told(incoming: Incoming, history: Any) -> dict[str, Any]:
    return {
        "doing": {writer.process.pid: writer.doing for writer in incoming.drafts.processes.look(history.writers, {})},
        "endings": {process.pid: ending for process, ending in history.endings.items()},
        "world_sizes": [writer.world_size for writer in incoming.drafts.processes.look(history.writers, {})],
        "killed": {path.decode(): facts.killed for path, facts in history.paths.items() if facts.killed},
        "open": history.open_writers,
    }


def main() -> int:
    operations = daemon._operations

    def telling(incoming: Incoming, sealer: Any, status: Any, supervisor: Any) -> Any:
        status.add_section(SECTION, lambda _: _tell(incoming))
        return operations(incoming, sealer, status, supervisor)

    daemon._operations = telling
    return serve()


if __name__ == "__main__":
    from artfs_mount.leaving import leave

    leave(main())
