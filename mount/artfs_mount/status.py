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
from artfs.redaction import redacted

log = logging.getLogger(__name__)

ERRORS_KEPT = 50


@dataclass(frozen=True)
class Failure:
    """An error worth telling. at: seconds since 1970 UTC."""

    at: float
    request: str
    message: str


class Status:
    """Counts and remembers errors, and writes the status file's text."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self._facts = facts
        self._failures: deque[Failure] = deque(maxlen=ERRORS_KEPT)
        self._count = 0
        self._sections: dict[str, Callable[[], Any]] = {}

    def add_section(self, name: str, content: Callable[[], Any]) -> None:
        """Adds a part of the status file that is made anew each time it is read."""
        self._sections[name] = content

    def failed(self, request: str, error: Exception, code: int | None) -> int:
        """Takes note of a request's error and returns the errno to answer.

        code: the errno of an expected error; None for a defect, which is logged with its traceback.
        """
        if code is None:
            log.error("%s failed", request, exc_info=error)
            self._remember(request, f"{type(error).__name__}: {error}")
            return errno.EIO
        if isinstance(error, (DigestMismatch, PlaceChanged)) or code in (errno.EIO, errno.ETIMEDOUT, errno.ENOSPC):
            log.warning("%s: %s", request, error)
            self._remember(request, str(error))
        return code

    def text(self) -> bytes:
        """The status file."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        status = {
            **self._facts,
            "pid": os.getpid(),
            "rss_peak_bytes": usage.ru_maxrss * 1024,
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "errors": {"count": self._count, "last": [asdict(failure) for failure in self._failures]},
            **{name: content() for name, content in self._sections.items()},
        }
        return json.dumps(status, indent=1).encode() + b"\n"

    def _remember(self, request: str, message: str) -> None:
        self._count += 1
        self._failures.append(Failure(time.time(), request, redacted(message)))
