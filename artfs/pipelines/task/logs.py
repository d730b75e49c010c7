"""What a step prints and logs, kept in a file of its own, also when several steps run at once."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

from artfs.home.home import Home

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

current_log: ContextVar[TextIO | None] = ContextVar("artfs_step_log", default=None)


@contextmanager
def step_log(path: Path, home: Home) -> Iterator[None]:
    """Sends what is printed and logged in this context to a file of the home as well."""
    sharing = home.sharing
    sharing.make_folders(path.parent, home.path)
    with open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1, opener=sharing.opener) as file:
        token = current_log.set(file)
        try:
            yield
        finally:
            current_log.reset(token)


class _Capture:
    """Lets `step_log` see all output, for as long as at least one pipeline runs in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipelines = 0
        self._streams: list[tuple[str, _Tee]] = []
        self._handler = _Handler()
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

    def _begin(self) -> None:
        self._streams = [(name, _Tee(getattr(sys, name))) for name in ("stdout", "stderr")]
        for name, tee in self._streams:
            setattr(sys, name, tee)
        logging.getLogger().addHandler(self._handler)

    def _end(self) -> None:
        logging.getLogger().removeHandler(self._handler)
        for name, tee in self._streams:
            # Somebody may have put a stream of their own on top meanwhile, and will take it away.
            if getattr(sys, name) is tee:
                setattr(sys, name, tee.stream)


class _Tee(io.TextIOBase):
    """A stream that also writes to the log of the step in whose context it is written to."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        log = current_log.get()
        if log is not None:
            log.write(text)
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log = current_log.get()
        if log is not None:
            log.write(self.format(record) + "\n")


captured_output = _Capture()
