"""What the configuration says about when a draft is complete."""

from __future__ import annotations

from dataclasses import dataclass

from artfs_mount.incoming.complete.facts import DraftKind


@dataclass(frozen=True)
class Quiet:
    """How long, in seconds, a draft must lie still before it counts as complete."""

    file: float
    directory: float

    def of(self, kind: DraftKind) -> float:
        return self.directory if kind is DraftKind.DIRECTORY else self.file
