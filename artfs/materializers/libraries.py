"""Optional libraries: a materializer's module needs its library, and says how to get it where it is missing.

Such a module is imported only when a value of its library is saved or loaded (artfs.materializers.builtin has names
only), so that it may import the library at its top:

    with needs("numpy", extra="numpy"):
        import numpy as np
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from artfs.errors import MissingLibrary


@contextmanager
def needs(library: str, *, extra: str) -> Iterator[None]:
    """Turn a failing import of `library` into one line that says what to install.

    Args:
        library: the name that people know it by.
        extra: the extra of artfs that brings it.

    Raises:
        MissingLibrary: the import in the block failed.
    """
    try:
        yield
    except ImportError as error:
        raise MissingLibrary(
            f"{library} is needed for this value, but cannot be imported ({error}): pip install 'artfs[{extra}]'",
            subject=library,
        ) from error
