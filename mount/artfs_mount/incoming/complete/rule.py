"""When a draft is complete: the rule, as one pure function over facts.

A draft may seal only if nothing holds it back; then the strongest reason to seal decides:

    holds it back (waits)  a handle that may write is open
    holds it back (held)   the daemon stopped while it was written, or a write to it failed, or its name can be no
                           artifact's
    makes it seal          an explicit commit or a move into /artifacts (these skip this rule's quiet time)
                           a request to finish (`artfs sync`) when the processes that wrote it have ended
                           quiet: nothing changed for 2 s (a file, a link) or 10 s (a directory)

A draft whose name starts with a dot is somebody's temporary file (rsync's, an editor's): it waits until it is renamed.
"""

from __future__ import annotations

from dataclasses import dataclass

from artfs_mount.incoming.complete.facts import DraftKind
from artfs_mount.incoming.complete.history import DraftHistory
from artfs_mount.incoming.complete.names import is_hidden
from artfs_mount.incoming.complete.settings import Quiet


@dataclass(frozen=True)
class Facts:
    """What is known of a draft at one moment.

    open_writers: handles that may write. still: seconds since the last change. held: why it must not seal by itself.
    finish: somebody waits for it in `artfs sync` and the processes that wrote it have ended, or wait themselves.
    """

    name: str
    kind: DraftKind
    open_writers: int
    still: float
    held: str | None
    finish: bool

    @classmethod
    def at(
        cls,
        now: float,
        history: DraftHistory,
        *,
        name: str,
        kind: DraftKind,
        held: str | None = None,
        finish: bool = False,
    ) -> Facts:
        """What the history of a draft says at a moment."""
        return cls(name, kind, history.open_writers, now - history.changed_at, held, finish)


@dataclass(frozen=True)
class Seal:
    """The draft is complete."""


@dataclass(frozen=True)
class Wait:
    """Not yet: `seconds` until it is worth asking again, or None when only a change can help."""

    why: str
    seconds: float | None


@dataclass(frozen=True)
class Hold:
    """It must not seal by itself; `why` says what is wrong and what to do."""

    why: str


Decision = Seal | Wait | Hold


def decide(facts: Facts, quiet: Quiet) -> Decision:
    """Says whether a changed draft is complete.

    >>> decide(Facts("x", DraftKind.FILE, 0, 2.5, None, False), Quiet(2, 10))
    Seal()
    """
    if is_hidden(facts.name):
        return Wait("a name that starts with a dot is taken for a temporary file; rename it, or commit it", None)
    if facts.open_writers:
        files = "1 file is" if facts.open_writers == 1 else f"{facts.open_writers} files are"
        return Wait(f"{files} open for writing", None)
    if facts.held is not None:
        return Hold(facts.held)
    if facts.finish:
        return Seal()
    remaining = quiet.of(facts.kind) - facts.still
    if remaining > 0:
        return Wait("it changed a moment ago", remaining)
    return Seal()
