"""Which versions somebody has opened, and when."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

VERSIONS_REMEMBERED = 100_000
"""Of one reader. Beyond, the versions read longest ago are forgotten."""


@dataclass(eq=False)
class Reads:
    """What one reader has opened.

    moment: of the last read. versions: row ids, the one read last at the end, each with the moment of its first read.
    copies: draft and version of working copies of which a file was read that still had the version's content, likewise.
    """

    moment: int = 0
    versions: OrderedDict[int, int] = field(default_factory=OrderedDict)
    copies: dict[tuple[bytes, str], int] = field(default_factory=dict)

    def read(self, version_id: int, moment: int | None = None) -> None:
        """Takes note of a version that was opened for reading. moment: one more than the last when not given."""
        self.moment = self.moment + 1 if moment is None else moment
        self.versions.setdefault(version_id, self.moment)
        self.versions.move_to_end(version_id)
        if len(self.versions) > VERSIONS_REMEMBERED:
            self.versions.popitem(last=False)

    def read_copy(self, draft: bytes, version: str, moment: int) -> None:
        """Takes note of a file of a working copy that was opened while it still had a version's content."""
        self.moment = moment
        self.copies.setdefault((draft, version), moment)
