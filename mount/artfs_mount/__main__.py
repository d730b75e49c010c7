"""The daemon's process: `python -m artfs_mount --home HOME --mount-point DIR`. People use `artfs mount`."""

from __future__ import annotations

import argparse
import errno
import faulthandler
import logging
import logging.handlers
import os
import resource
import signal
import sys
import threading
from io import TextIOWrapper
from pathlib import Path

from artfs.errors import ArtfsError, MountError
from artfs.home.home import Home
from artfs.secrets.redaction import redacted
from artfs.text.log_format import SafeFormatter
from artfs.workspace.workspace import Workspace
from artfs_mount import leaving, mountpoint, tuning
from artfs_mount.incoming import area as areas

LOG_BYTES = 4 * 2**20
LOG_FILES = 3
_UNHEARD = {
    f"{request}(): fuse_reply_* failed with {os.strerror(errno.ENOENT)}"
    for request in ("fuse_release", "fuse_releasedir")
}
"""Nobody waits until a file is closed here, so the kernel may unmount before it has the answer."""

log = logging.getLogger(__name__)


def main() -> int:
    """Serves a mount until it is unmounted. Exit code 1 and one line when it cannot be mounted, or ends otherwise."""
    arguments = _arguments()
    tuning.keep_memory_together()
    tuning.keep_loop_quick()
    _allow_many_open_files()
    ready = _Ready(arguments.ready_fd)
    try:
        mount_point = mountpoint.prepare(arguments.mount_point)
        home = Home.find(arguments.home).create()
        _check_not_led(home)
        area = areas.claim(home.mounts, mount_point, home.sharing)
        _log_to(area, also_to_terminal=arguments.foreground)
        _tell_stacks(area)
        from artfs_mount.daemon import MountOptions, serve

        with Workspace.open(home.path) as workspace:
            serve(workspace, area, MountOptions(mount_point, arguments.allow_other), ready.succeeded)
    except ArtfsError as error:
        return _refuse(ready, str(error))
    except BaseException as error:
        if isinstance(error, OSError) and not ready.mounted:
            where = error.filename or arguments.home
            needs = "the home (where that can only be read: XDG_CACHE_HOME) needs a disk that can be written"
            return _refuse(ready, f"{where}: {error.strerror}; {needs} and has room")
        log.exception("the daemon ends")
        return _refuse(ready, redacted(f"the daemon failed: {type(error).__name__}: {error}"))
    log.info("unmounted")
    return 0


def _check_not_led(home: Home) -> None:
    """Refuse to serve a group's home as root: its members may rename folders in it, and so lead root out of it."""
    if home.group is not None and os.geteuid() == 0:
        raise MountError(
            f"{home.path} is shared with a group: mount it as one of its members, not as root", subject=home.path
        )


class _Ready:
    """Tells whoever started the daemon, through a pipe, and systemd, that the mount answers, or why not."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self.mounted = False

    def succeeded(self) -> None:
        self.mounted = True
        self._say(b"ready\n")
        if "NOTIFY_SOCKET" in os.environ:
            import sdnotify

            sdnotify.SystemdNotifier().notify("READY=1")

    def failed(self, reason: str) -> None:
        self._say(reason.encode("utf-8", "surrogateescape") + b"\n")

    def _say(self, line: bytes) -> None:
        if self._descriptor is not None:
            os.write(self._descriptor, line)
            os.close(self._descriptor)
            self._descriptor = None


def _refuse(ready: _Ready, why: str) -> int:
    ready.failed(why)
    sys.stderr.write(f"artfs: {why}\n")
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="artfs_mount", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--mount-point", type=Path, required=True)
    parser.add_argument("--allow-other", action="store_true")
    parser.add_argument("--foreground", action="store_true", help="log to the terminal too")
    parser.add_argument("--ready-fd", type=int, default=None)
    return parser.parse_args()


def _allow_many_open_files() -> None:
    """Every file that is open in `/incoming` is open here too; the usual limit of 1,024 is for programs of old."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class AreaLog(logging.handlers.RotatingFileHandler):
    """The area's log: each of its files has the mode of the home's files, whatever the umask is when it is begun."""

    def __init__(self, area: areas.Area) -> None:
        self._sharing = area.sharing
        super().__init__(area.log, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        file = open(self.baseFilename, self.mode, encoding=self.encoding, opener=self._sharing.opener)  # noqa: SIM115
        assert isinstance(file, TextIOWrapper)
        return file


def _log_to(area: areas.Area, *, also_to_terminal: bool) -> None:
    """Logs to a file, also what nobody catches: the standard error of a daemon is read by nobody."""
    handlers: list[logging.Handler] = [AreaLog(area)]
    if also_to_terminal:
        handlers.append(logging.StreamHandler())
    sys.unraisablehook = _lost
    threading.excepthook = lambda ended: log.error("a thread ended: %r", ended.thread, exc_info=ended.exc_value)
    for handler in handlers:
        handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=handlers)
    logging.getLogger("pyfuse3").addFilter(lambda record: record.getMessage() not in _UNHEARD)


def _lost(lost: sys.UnraisableHookArgs) -> None:
    log.error("%s: %r", lost.err_msg or "an exception is ignored in", lost.object, exc_info=lost.exc_value)


def _tell_stacks(area: areas.Area) -> None:
    """Writes where each thread is at SIGUSR1, and when the interpreter crashes. The file stays open until the end."""
    stacks = open(area.stacks, "w", opener=area.sharing.opener)  # noqa: SIM115
    faulthandler.enable(stacks, all_threads=False)  # the stacks of others change while a signal is handled: it crashes
    faulthandler.register(signal.SIGUSR1, file=stacks)


if __name__ == "__main__":
    leaving.leave(main())
