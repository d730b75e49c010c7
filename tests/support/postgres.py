"""A PostgreSQL server of the tests' own: in a temporary folder, as a plain user, reached through a socket there."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

_PROGRAMS = "/usr/lib/postgresql"


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL server on this machine; Debian does not put it on the PATH."""
    found = sorted(Path(_PROGRAMS).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server and yield the URL of its database `postgres`; stop and remove it afterwards."""
    bin_ = programs()
    assert bin_ is not None
    # Sockets have short paths: pytest's own folders may be too deep.
    folder = Path(tempfile.mkdtemp(prefix="artfs-pg-"))
    user = _plain_user(folder)
    data = folder / "data"

    def run(*command: str) -> None:
        done = subprocess.run(
            [str(bin_ / command[0]), *command[1:]], user=user, cwd=folder, capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        run("initdb", "-D", str(data), "-U", "artfs", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start")
        try:
            yield f"postgresql://artfs@/postgres?host={quote(str(folder), safe='')}"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def new_database(server: str) -> str:
    """Make an empty database, whose own order of texts is not that of bytes, and return its URL."""
    import psycopg

    name = f"catalog_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'")
    return server.replace("/postgres?", f"/{name}?")


def emptied(url: str) -> None:
    """Make the catalog in a database a new one again: quicker than another database."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        kept = ("schema_version", "identity")
        names = ", ".join(f'"{row[0]}"' for row in rows if row[0] not in kept)
        connection.execute(f"TRUNCATE {names} RESTART IDENTITY")
        connection.execute("UPDATE identity SET changes = 0")


def drop_database(server: str, url: str) -> None:
    """Remove a database, and end whoever uses it."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")


def _name(url: str) -> str:
    return url.split("/")[3].partition("?")[0]


def _plain_user(folder: Path) -> str | None:
    """The server refuses to run as root: then it runs as nobody, whom the folder is given to."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return nobody.pw_name
