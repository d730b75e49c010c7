"""What a step prints and logs, kept in a file of its own, also when several steps run at once.

Output belongs to the step in whose context it is written. What has none, as that of threads, subprocesses and C code,
belongs to every step that runs in this process.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

from artfs.home.home import Home
from artfs.pipelines.task.descriptors import Descriptors

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

current_log: ContextVar[TextIO | None] = ContextVar("artfs_step_log", default=None)


@contextmanager
def step_log(path: Path, home: Home) -> Iterator[None]:
    """Sends what is printed and logged in this context to a file of the home as well."""
    sharing = home.sharing
    sharing.make_folders(path.parent, home.path)
    with open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1, opener=sharing.opener) as file:
        token = current_log.set(file)
        captured_output.add(file)
        try:
            yield
        finally:
            captured_output.remove(file)
            current_log.reset(token)


class _Capture:
    """Lets `step_log` see all output, for as long as at least one pipeline runs in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipelines = 0
        self._streams: list[tuple[str, _Tee]] = []
        self._logs: list[TextIO] = []
        self._descriptors = Descriptors(self._keep_for_all)
        self._moved: list[tuple[logging.StreamHandler[Any], TextIO]] = []
        self._handler = _Handler(self)
        self._handler.setFormatter(logging.Formatter(_FORMAT))

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._pipelines += 1
            if self._pipelines == 1:
                self._begin()
        try:
            yield
        finally:
            with self._lock:
                self._pipelines -= 1
                if self._pipelines == 0:
                    self._end()

    def add(self, log: TextIO) -> None:
        """A step begins, and has this log."""
        self._descriptors.drain()
        self._logs = [*self._logs, log]

    def remove(self, log: TextIO) -> None:
        """A step has ended."""
        self._descriptors.drain()
        self._logs = [each for each in self._logs if each is not log]

    def keep(self, text: str) -> None:
        """Writes what somebody says to the log of his step; to those of all steps if he has none."""
        self._descriptors.pass_on()  # what was written before comes first
        log = current_log.get()
        if log is not None:
            log.write(text)
        else:
            self._keep_for_all(text)

    def _keep_for_all(self, text: str) -> None:
        for log in self._logs:
            with suppress(ValueError):  # its step has just ended
                log.write(text)

    def _begin(self) -> None:
        self._descriptors.begin()
        self._streams = [(name, _Tee(self, *self._way_out(getattr(sys, name)))) for name in ("stdout", "stderr")]
        for name, tee in self._streams:
            self._move_handlers(tee)
            setattr(sys, name, tee)
        logging.getLogger().addHandler(self._handler)

    def _end(self) -> None:
        logging.getLogger().removeHandler(self._handler)
        for handler, stream in self._moved:
            handler.setStream(stream)
        self._moved = []
        for name, tee in self._streams:
            # Somebody may have put a stream of their own on top meanwhile, and will take it away.
            if getattr(sys, name) is tee:
                setattr(sys, name, tee.stream)
            tee.lead_back()
        self._descriptors.end()

    def _way_out(self, stream: TextIO) -> tuple[TextIO, TextIO]:
        """A stream, and how to write where it leads without passing the descriptors, which would log it once more."""
        with suppress(OSError, ValueError, AttributeError):
            before = self._descriptors.before(stream.fileno())
            if before is not None:
                copy = os.fdopen(os.dup(before), "w", 1, encoding=stream.encoding, errors=stream.errors)
                return stream, copy
        return stream, stream

    def _move_handlers(self, tee: _Tee) -> None:
        """Lets what the root logger's handlers print pass the descriptors: its records are logged anyway."""
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is tee.stream:
                self._moved.append((handler, tee.stream))
                handler.setStream(tee.out)


class _Tee(io.TextIOBase):
    """A stream that also writes to the log of the step in whose context it is written to. out: where it leads."""

    def __init__(self, capture: _Capture, stream: TextIO, out: TextIO) -> None:
        self.stream = stream
        self.out = out
        self._capture = capture

    def write(self, text: str) -> int:
        self._capture.keep(text)
        return self.out.write(text)

    def flush(self) -> None:
        self.out.flush()

    def lead_back(self) -> None:
        """Writes to the stream itself from now on, for whoever has kept this one."""
        out, self.out = self.out, self.stream
        out.flush()
        if out is not self.stream:
            out.close()

    def isatty(self) -> bool:
        return self.out.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Handler(logging.Handler):
    def __init__(self, capture: _Capture) -> None:
        super().__init__()
        self._capture = capture

    def emit(self, record: logging.LogRecord) -> None:
        self._capture.keep(self.format(record) + "\n")


captured_output = _Capture()
