"""What a format check says of a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A file of a known format.

    Args:
        format: its name, such as "safetensors".
        fault: why it cannot be whole, in words with numbers; None: nothing says so, which need not mean that it is.
        proves_end: whether the bytes themselves prove that nothing is missing at the end.
    """

    format: str
    fault: str | None = None
    proves_end: bool = False
