"""The text that `b3sum --check` reads."""

from __future__ import annotations

from collections.abc import Iterable


def b3sums(files: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return one line a file, as b3sum prints it.

    Args:
        files: path relative to where b3sum will run, and digest.

    Names that b3sum cannot express are left out: those that are not UTF-8, and those with U+FFFD, which it takes for
    the remains of one.
    """
    return b"".join(_line(path, digest) for path, digest in files if _is_expressible(path))


def _line(path: bytes, digest: bytes) -> bytes:
    escaped = path.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    mark = b"\\" if escaped != path else b""
    return mark + digest.hex().encode() + b"  " + escaped + b"\n"


def _is_expressible(path: bytes) -> bool:
    try:
        return "\ufffd" not in path.decode()
    except UnicodeDecodeError:
        return False
