"""How programs talk to the daemon: extended attributes as questions and orders, and status.json.

on a draft   set user.artfs.commit    seal it now; the value is empty, or JSON {"version": ..., "tags": [...]}
             get user.artfs.version   the last version made from it
             get user.artfs.error     why it was not sealed the last time
             get user.artfs.state     open, settling, sealed, held or aside
             get user.artfs.left      what programs left in it that have ended, as JSON (`left_answer`)
             get user.artfs.unit      draft or child: what of it is one version; set: says so for its artifact
in a draft   get user.artfs.open      how many open files may be written, at this place or below
on an order  set user.artfs.commit    the same for the draft named by {"draft": ...}, also a link; see tree/orders.py
             set user.artfs.finish    the run of `artfs exec` named by {"run": ..., "failure": ...} has ended
on the root  get user.artfs.sync      asks to finish all drafts, waits up to a second, answers JSON (`sync_answer`)
             get user.artfs.sync.RUN  the same for `artfs exec`, without the drafts that other programs are writing

An order is about the drafts that whoever gives it may write (callers.py), whatever file it is set on.
"""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from artfs.catalog.catalog import Catalog
from artfs.errors import InvalidValue
from artfs.linux import users
from artfs_mount.incoming.callers import Caller
from artfs_mount.incoming.commit import Request
from artfs_mount.incoming.complete.obstacles import Obstacle
from artfs_mount.incoming.complete.rule import Check, Decision, Hold, Seal, Wait
from artfs_mount.incoming.drafts import Draft, State
from artfs_mount.incoming.incoming import Incoming

COMMIT = b"user.artfs.commit"
SYNC = b"user.artfs.sync"
SYNC_OF_RUN = SYNC + b"."
FINISH = b"user.artfs.finish"
OPEN = b"user.artfs.open"
LEFT = b"user.artfs.left"
UNIT = b"user.artfs.unit"
UNDER_WAY = ("open", "settling", "sealing")
TOLD_AT_MOST = 50
LEFT_BYTES = 48 * 1024
"""An extended attribute holds 64 KiB."""
QUESTIONS = {b"user.artfs.version": "version", b"user.artfs.error": "error", b"user.artfs.state": "state"}


@dataclass(frozen=True)
class ToldObstacle:
    """Why a path is in no version, or was not until somebody took it.

    why: in words. waits: whether that may end by itself. left: it has a temporary name, and whoever wrote it has ended.
    seconds: since it last changed, or was opened.
    """

    path: str
    why: str
    waits: bool
    left: bool
    seconds: float


@dataclass(frozen=True)
class DraftStatus:
    """A draft as status.json tells it.

    state: open, settling, sealed, held or aside (no artifact as it is, such as a temporary file). reason: why it is in
    that state. seconds: until it seals by itself.
    error: why the last attempt to seal it failed. age: seconds since it last changed, as far as this daemon knows.
    obstacles: what keeps paths in it out of versions, the first of obstacle_count. took: what the last commit that
    somebody asked for took all the same.
    """

    name: str
    state: str
    version: str | None
    reason: str | None
    seconds: float | None
    error: str | None = None
    age: float | None = None
    obstacles: tuple[ToldObstacle, ...] = ()
    obstacle_count: int = 0
    took: tuple[ToldObstacle, ...] = ()


def commit_request(value: bytes) -> tuple[bytes | None, Request]:
    """What somebody wrote to `user.artfs.commit`: the draft, if it is named, and the request. Raises InvalidValue."""
    if not value.strip():
        return None, Request()
    try:
        wish = json.loads(value)
        if not isinstance(wish, dict) or set(wish) - {"draft", "version", "tags"}:
            raise ValueError("expected an object with draft, version and tags")
        draft, version, tags = wish.get("draft"), wish.get("version"), wish.get("tags", [])
        texts = [text for text in (draft, version) if text is not None]
        if not all(isinstance(text, str) for text in (*texts, *tags)):
            raise ValueError("draft and version are strings and tags a list of strings")
        name = draft.encode("utf-8", "surrogateescape") if draft is not None else None
    except (ValueError, TypeError) as error:
        raise InvalidValue(
            f'user.artfs.commit: {error}; write nothing, or JSON like {{"version": "v1", "tags": ["best"]}}'
        ) from None
    return name, Request(version=version, tags=tuple(tags))


def named(draft: bytes | None) -> bytes:
    """The draft that an order is about. Raises InvalidValue if it names none."""
    if draft is None:
        raise InvalidValue('user.artfs.commit: name the draft, as in {"draft": "my_model"}')
    return draft


@dataclass(frozen=True)
class FinishedRun:
    """A run of `artfs exec` that has ended. failure: why what it wrote must not become versions by itself."""

    run: str
    failure: str | None


def finished_run(value: bytes) -> FinishedRun:
    """What somebody wrote to `user.artfs.finish`. Raises InvalidValue."""
    try:
        wish = json.loads(value)
        return FinishedRun(str(wish["run"]), wish["failure"])
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidValue(f"user.artfs.finish: expected JSON with run and failure ({error})") from None


def check_own_run(catalog: Catalog, ended: FinishedRun, caller: Caller) -> None:
    """Raises PermissionError (EPERM) for the run of somebody else."""
    run = catalog.runs.by_uuid(ended.run)
    user = catalog.users.by_id(run.user_id) if run is not None and run.user_id is not None else None
    if not caller.is_trusted and (user is None or user.name != users.name_of(caller.uid)):
        raise PermissionError(errno.EPERM, f"the run {ended.run} is not one of user {users.name_of(caller.uid)}")


def answer(status: DraftStatus, question: bytes) -> bytes:
    """The value of one of the QUESTIONS. Raises OSError (ENODATA) when there is none."""
    why = status.error or status.reason
    value = {"version": status.version, "error": why, "state": status.state}[QUESTIONS[question]]
    if value is None:
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
    return value.encode("utf-8", "surrogateescape")


def statuses(incoming: Incoming, concerns: Callable[[Draft], bool] = lambda _: True) -> list[DraftStatus]:
    """All drafts that something concerns, by name."""
    changed = {draft.name: decision for draft, decision in incoming.decisions()}
    found = [_status(incoming, draft, changed.get(draft.name)) for draft in filter(concerns, incoming.drafts)]
    return sorted(found, key=lambda status: status.name)


def status_of(incoming: Incoming, draft: Draft) -> DraftStatus:
    """One draft, without a look at the others."""
    return _status(incoming, draft, incoming.decision(draft))


def sync_answer(found: list[DraftStatus], recording: Mapping[str, str]) -> dict[str, Any]:
    """What `user.artfs.sync` answers: whether all that was written is a version, and what is not.

    recording: versions whose lineage is being written down, by the draft's name, and what to say of them.
    """
    settling = [status for status in found if status.state in UNDER_WAY]
    waiting = {**recording, **{status.name: status.reason for status in settling}}
    held = [status for status in found if status.state == "held"]
    aside = [status for status in found if status.state == "aside"]
    return {
        "done": not waiting,
        "waiting": [{"draft": name, "reason": reason} for name, reason in list(waiting.items())[:TOLD_AT_MOST]],
        "held": [{"draft": status.name, "reason": status.reason} for status in held[:TOLD_AT_MOST]],
        "aside": [{"draft": status.name, "reason": status.reason} for status in aside[:TOLD_AT_MOST]],
        "waiting_count": len(waiting),
        "held_count": len(held),
        "aside_count": len(aside),
    }


def as_json(found: list[DraftStatus]) -> list[dict[str, Any]]:
    """The drafts for status.json."""
    return [asdict(status) for status in found]


def left_answer(found: Iterable[bytes], *, running: bool) -> bytes:
    """What `user.artfs.left` answers: paths in the draft, as many as fit. running: whoever wrote it may still write."""
    told: list[str] = []
    room = LEFT_BYTES
    for path in found:
        told.append(path.decode("utf-8", "surrogateescape"))
        room -= len(json.dumps(told[-1])) + 2
        if room < 0:
            break
    return json.dumps({"left": told, "running": running}).encode()


def _status(incoming: Incoming, draft: Draft, decision: Decision | None) -> DraftStatus:
    now = incoming.drafts.clock()
    found = incoming.obstacles(draft) if decision is not None else []
    return replace(
        _state(draft, decision),
        error=draft.error,
        age=_age(now, draft.history.changed_at),
        obstacles=tuple(_told(each, now) for each in found[:TOLD_AT_MOST]),
        obstacle_count=len(found),
        took=tuple(_told(each, now) for each in draft.took[:TOLD_AT_MOST]),
    )


def _told(obstacle: Obstacle, now: float) -> ToldObstacle:
    path = obstacle.path.decode("utf-8", "surrogateescape")
    shown = obstacle.path.decode("utf-8", "replace")
    why = obstacle.why.removeprefix(f"{shown}: ").removeprefix(f"{shown} ") if path else obstacle.why
    return ToldObstacle(path, why, obstacle.waits, obstacle.left, _age(now, obstacle.since) or 0.0)


def _age(now: float, at: float) -> float | None:
    return round(max(now - at, 0.0), 1) if math.isfinite(at) else None


def _state(draft: Draft, decision: Decision | None) -> DraftStatus:
    if decision is not None:
        return _of_changed(draft, decision)
    stuck = "held" if draft.error else "sealing"
    state = "sealed" if draft.state is State.SEALED else stuck
    return DraftStatus(draft.title, state, draft.version, draft.error, None)


def _of_changed(draft: Draft, decision: Decision) -> DraftStatus:
    match decision:
        case Hold(why):
            return DraftStatus(draft.title, "held", draft.version, why, None)
        case Wait(why, None, aside):
            return DraftStatus(draft.title, "aside" if aside else "open", draft.version, why, None)
        case Check():
            return DraftStatus(draft.title, "settling", draft.version, "its format is being looked at", 0.0)
        case Wait(why, seconds):
            return DraftStatus(draft.title, "settling", draft.version, why, round(seconds or 0, 3))
        case Seal():
            return DraftStatus(
                draft.title, "settling", draft.version, draft.error or "it is complete and about to be sealed", 0.0
            )
