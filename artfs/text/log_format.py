"""How records of a log are written: without secrets, and without anything that a terminal would obey."""

from __future__ import annotations

import logging

from artfs.secrets.redaction import redacted
from artfs.text.printable import printable


class SafeFormatter(logging.Formatter):
    """Formats records, tracebacks and all, for a log that people read in a terminal and send to others."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(redacted(super().format(record)), keep="\n\t")
