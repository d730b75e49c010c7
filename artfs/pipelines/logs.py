"""What a step prints and logs, kept in a file of its own, also when several steps run at once."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import TextIO

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

current_log: ContextVar[TextIO | None] = ContextVar("artfs_step_log", default=None)


@contextmanager
def step_log(path: Path) -> Iterator[None]:
    """Sends what is printed and logged in this context to a file as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1) as file:
        token = current_log.set(file)
        try:
            yield
        finally:
            current_log.reset(token)


class LogCapture:
    """Lets `step_log` see all output, for as long as pipelines run in this process."""

    def __enter__(self) -> LogCapture:
        self._streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Tee(sys.stdout), _Tee(sys.stderr)
        self._handler = _Handler()
        self._handler.setFormatter(logging.Formatter(_FORMAT))
        logging.getLogger().addHandler(self._handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self._handler)
        # Somebody else may have put a stream of their own on top meanwhile, and will take it away.
        if isinstance(sys.stdout, _Tee):
            sys.stdout = self._streams[0]
        if isinstance(sys.stderr, _Tee):
            sys.stderr = self._streams[1]


class _Tee(io.TextIOBase):
    """A stream that also writes to the log of the step in whose context it is written to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        log = current_log.get()
        if log is not None:
            log.write(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log = current_log.get()
        if log is not None:
            log.write(self.format(record) + "\n")
