"""Types that tell artfs more about a value than Python's own: texts in a known format, and metadata values."""

from __future__ import annotations


class CSVString(str):
    """A text that is a CSV table; saved as `output.csv` and shown as a table."""


class HTMLString(str):
    """A text that is an HTML page; saved as `output.html` and shown as a page."""


class MarkdownString(str):
    """A text in Markdown; saved as `output.md` and shown rendered."""


class JSONString(str):
    """A text that is JSON; saved as `output.json` and shown as a tree."""


class Uri(str):
    """A metadata value that is a URI."""


class Path(str):
    """A metadata value that is a path; unlike `pathlib.Path` it names a place and no content."""


class DType(str):
    """A metadata value that is the name of a data type, for example `float32`."""


class StorageSize(int):
    """A metadata value that is a size in bytes."""
