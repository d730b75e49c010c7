"""How the daemon's process ends."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
from contextlib import suppress
from typing import NoReturn

log = logging.getLogger(__name__)

DIED = 1
DYING_SECONDS = 10.0
"""A full or hung disk may keep the log from being written, but not the process."""


def leave(code: int) -> NoReturn:
    """Ends the process. No thread that is stuck can keep it, or meets an interpreter that is half gone."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def die(why: str, error: BaseException | None = None) -> NoReturn:
    """Ends a daemon that nobody has asked to end: the mount stays, and says that it is dead."""
    try:
        with suppress(RuntimeError):  # there is no memory for the thread
            faulthandler.dump_traceback_later(DYING_SECONDS, exit=True)
        log.critical("%s: it ends, and leaves the dead mount for 'artfs mount' or 'artfs umount'", why, exc_info=error)
        leave(DIED)
    finally:
        os._exit(DIED)
