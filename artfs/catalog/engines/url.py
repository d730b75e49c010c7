"""Which engine a URL means.

catalog.db, /path/to/catalog.db             SQLite
sqlite:///path/to/catalog.db                SQLite; four slashes, or three: the path is absolute either way
postgresql://user@host:5432/database        PostgreSQL (`artfs[postgres]`)
"""

from __future__ import annotations

import os
import re
from os import PathLike
from pathlib import Path
from urllib.parse import unquote_to_bytes

from artfs.catalog.engine import Engine
from artfs.errors import InvalidValue, MissingLibrary
from artfs.secrets.redaction import redacted
from artfs.sharing import OWNER

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def open_engine(url: str | PathLike[str], *, mode: int = OWNER.file) -> Engine:
    """Return the engine of the catalog at a URL; nothing is made or asked yet.

    Args:
        url: as the module says, or a path.
        mode: of a file that is made.

    Raises InvalidValue for a URL of no engine, and MissingLibrary where its library is not installed.
    """
    text = os.fspath(url)
    found = _SCHEME.match(text)
    if found is None:
        return _sqlite(Path(text), mode)
    scheme = found[1].lower()
    if scheme == "sqlite":
        path = os.fsdecode(unquote_to_bytes(text[found.end() :]))
        if not path.startswith("/"):
            raise InvalidValue(f"'{text}' names no absolute path: write sqlite:///path/to/catalog.db", subject=text)
        return _sqlite(Path("/" + path.lstrip("/")), mode)
    if scheme in ("postgresql", "postgres"):
        return _postgres(text)
    raise InvalidValue(
        f"no catalog can be at '{redacted(text)}': write a path, sqlite:///path or postgresql://host/database",
        subject=redacted(text),
    )


def _sqlite(path: Path, mode: int) -> Engine:
    from artfs.catalog.engines.sqlite import SQLiteEngine

    return SQLiteEngine(path, mode)


def _postgres(url: str) -> Engine:
    try:
        from artfs.catalog.engines.postgres import PostgresEngine
    except ImportError as error:
        raise MissingLibrary(
            f"a catalog in PostgreSQL needs {error.name}: pip install 'artfs[postgres]'", subject=error.name
        ) from None
    return PostgresEngine(url)
