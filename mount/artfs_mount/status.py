"""The daemon's own state: what went wrong, how busy it is; told in `/.artfs/status.json`."""

from __future__ import annotations

import errno
import json
import logging
import os
import resource
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from artfs.errors import DigestMismatch, PlaceChanged
from artfs.secrets.redaction import redacted
from artfs_mount.incoming.callers import Caller

log = logging.getLogger(__name__)

ERRORS_KEPT = 50
_TOLD = (errno.EIO, errno.ENOMEM, errno.ENOSPC, errno.ETIMEDOUT)
"""What means that something is wrong with the machine, and not with the request."""


@dataclass(frozen=True)
class ToldFailure:
    """An error worth telling. at: seconds since 1970 UTC."""

    at: float
    request: str
    message: str


class Status:
    """Counts and remembers errors, and writes the status file's text."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self._facts = facts
        self._failures: deque[ToldFailure] = deque(maxlen=ERRORS_KEPT)
        self._count = 0
        self._sections: dict[str, Callable[[Caller], Any]] = {}
        self._listeners: dict[int, Callable[[], None]] = {}

    def add_section(self, name: str, content: Callable[[Caller], Any]) -> None:
        """Adds a part of the status file that is made anew for whoever reads it, each time."""
        self._sections[name] = content

    def on(self, code: int, act: Callable[[], None]) -> None:
        """Has something done whenever a request fails with an errno."""
        self._listeners[code] = act

    def failed(self, request: str, error: BaseException, code: int | None) -> int:
        """Takes note of a request's error and returns the errno to answer.

        code: the errno of an expected error; None for a defect, which is logged with its traceback.
        """
        if code is None:
            log.error("%s failed", request, exc_info=error)
            self._remember(request, f"{type(error).__name__}: {error}")
            return errno.EIO
        if code in self._listeners:
            self._listeners[code]()
        if isinstance(error, (DigestMismatch, PlaceChanged)) or code in _TOLD:
            message = str(error) or os.strerror(code)
            log.warning("%s: %s", request, message)
            self._remember(request, message)
        return code

    def text(self, caller: Caller) -> bytes:
        """The status file as somebody may see it: what went wrong with others' files is not for everybody."""
        told, untold = self._told(caller)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        failures = [asdict(failure) for failure in self._failures] if caller.is_trusted else []
        status = {
            **self._facts,
            "pid": os.getpid(),
            "rss_peak_bytes": usage.ru_maxrss * 1024,
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "errors": {"count": self._count, "last": failures},
            **told,
            **({"cannot_be_told": untold} if untold else {}),
        }
        return json.dumps(status, indent=1).encode() + b"\n"

    def _told(self, caller: Caller) -> tuple[dict[str, Any], dict[str, str]]:
        """The sections, and those that cannot be made, with the reason: the others can be read all the same."""
        told, untold = {}, {}
        for name, content in self._sections.items():
            try:
                section = content(caller)
                json.dumps(section)
            except BaseException as error:
                log.exception("status.json: its section '%s' failed", name)
                untold[name] = f"{type(error).__name__}: {error}"
            else:
                told[name] = section
        return told, untold

    def _remember(self, request: str, message: str) -> None:
        self._count += 1
        self._failures.append(ToldFailure(time.time(), request, redacted(message)))
