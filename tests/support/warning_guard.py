"""The rule that a log record of WARNING or above fails a test that did not say that it expects it (a pytest plugin)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator

import pytest

#: A line of a daemon's log that tells of something wrong (the format that artfs_mount logs with), or of a crash.
_BAD_LINE = re.compile(r"^\S+ \S+ (WARNING|ERROR|CRITICAL) |^Traceback \(most recent call last\)|^Fatal Python error")


class ExpectedWarnings:
    """The regular expressions of the warnings that a test expects; call it to add some."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._patterns = [re.compile(pattern) for pattern in patterns]

    def __call__(self, *patterns: str) -> None:
        self._patterns += map(re.compile, patterns)

    def unexpected(self, messages: Iterable[str]) -> list[str]:
        """The messages that no pattern is found in."""
        return [message for message in messages if not any(pattern.search(message) for pattern in self._patterns)]

    def unexpected_in_log(self, text: str) -> list[str]:
        """The entries of a daemon's log that tell of something wrong and are not expected, each with its traceback."""
        return self.unexpected(entry for entry in dict.fromkeys(_entries(text)) if _BAD_LINE.search(entry))


class WarningCollector(logging.Handler):
    """Keeps the message of every record of WARNING or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


@pytest.fixture
def expected_warnings(request: pytest.FixtureRequest) -> ExpectedWarnings:
    """The warnings that the test allows: those of its marker `expected_warnings`, and those it adds by calling this."""
    markers = request.node.iter_markers("expected_warnings")
    return ExpectedWarnings(pattern for marker in markers for pattern in marker.args)


@pytest.fixture(autouse=True)
def no_unexpected_warnings(expected_warnings: ExpectedWarnings) -> Iterator[None]:
    """Fails a test that made something log a warning or worse."""
    collector = WarningCollector()
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield
    finally:
        root.removeHandler(collector)
    if unexpected := expected_warnings.unexpected(collector.messages):
        pytest.fail("unexpected log records:\n" + "\n".join(unexpected), pytrace=False)


def _entries(log: str) -> list[str]:
    """Joins the lines of a traceback to the log line before them."""
    entries: list[str] = []
    for line in log.splitlines():
        if entries and (line[:1] in ("", " ") or not re.match(r"\d{4}-\d\d-\d\d ", line)):
            entries[-1] += "\n" + line
        else:
            entries.append(line)
    return entries
