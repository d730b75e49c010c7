"""What the versions of a pattern's draft are: finished saves, or half ones."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from support.patterns import Pattern, Save

Contents = Mapping[str, bytes]
"""The bytes of each content by its name."""

_TEMPORARY = re.compile(r"\.tmp\w*$|\.tempstate\w*$|_temp$|\.orbax-checkpoint-tmp$|__lock$|^tmp-checkpoint-|^\.tmp")
_COMPANION = re.compile(r"-(wal|shm|journal)$")


@dataclass(frozen=True)
class Looked:
    """One version: the saves that are whole in it, why it is a half one, if it is, and its links to nothing."""

    whole: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()
    dangling: tuple[str, ...] = ()


@dataclass
class Verdict:
    """All versions of a draft, as `Looked` has it of one. versions: how many there are."""

    whole: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    dangling: list[str] = field(default_factory=list)
    versions: int = 0

    def add(self, name: str, looked: Looked) -> None:
        self.versions += 1
        self.whole |= looked.whole
        self.faults += [f"{name}: {fault}" for fault in looked.faults]
        self.dangling += [f"{name}: {path} is a link to nothing" for path in looked.dangling]


def look(pattern: Pattern, draft: str, version: Path, contents: Contents) -> Looked:
    """Looks at a version. draft: its draft's name."""
    files = {_in_version(path, draft): found for path, found in _files(version)}
    if not any(files.values()):
        return Looked(faults=("it has no bytes",))
    if pattern.database:
        return _database(files)
    faults = [f"it has {path}, a temporary name" for path in files if _is_temporary(path)]
    dangling = tuple(path for path in files if _dangles(version / path))
    whole = [save for save in (*pattern.saves, *pattern.loads_too) if _has(files, save, contents)]
    names = {save.name for save in whole}
    known = {path for save in whole for path in save.files}
    for path, found in files.items():
        is_passed_over = bool(whole) and pattern.looked_for.get(path, path) not in files
        if path in known or is_passed_over or _is_temporary(path) or os.path.islink(version / path):
            continue
        if path in pattern.streams:
            if not contents[pattern.streams[path]].startswith(found):
                faults.append(f"{path} is not as far as its log had come")
        elif path in pattern.pointers:
            named = {contents[content]: save for content, save in pattern.pointers[path].items()}.get(found)
            if named not in names:
                faults.append(f"{path} names {named}, which is not whole")
        else:
            faults.append(f"{path} ({len(found)} bytes) is of no finished save")
    return Looked(frozenset(names), tuple(faults), dangling)


def loads(pattern: Pattern, draft: str, version: Path, contents: Contents) -> Collection[str]:
    """The finished saves that a version holds. Raises ValueError for a half version."""
    looked = look(pattern, draft, version, contents)
    if looked.faults:
        raise ValueError("; ".join(looked.faults))
    return looked.whole


def _has(files: Mapping[str, bytes], save: Save, contents: Contents) -> bool:
    return bool(save.files) and all(files.get(path) == contents[content] for path, content in save.files.items())


def _files(version: Path) -> Iterator[tuple[str, bytes]]:
    """The files and links of a version: the bytes, or the link's target."""
    for folder, _, names in os.walk(version):
        for name in names:
            path = Path(folder, name)
            found = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
            yield str(path.relative_to(version)), found


def _in_version(path: str, draft: str) -> str:
    """The path as patterns have it: a draft that is a file has its own name in its versions."""
    return f"@{path.removeprefix(draft)}" if path.startswith(draft) else path


def _is_temporary(path: str) -> bool:
    return any(_TEMPORARY.search(part) for part in path.split("/"))


def _dangles(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _database(files: Mapping[str, bytes]) -> Looked:
    """Opens the database as its library does: with the companions that the version has."""
    folder = Path(tempfile.mkdtemp(prefix="artfs-judging-"))
    try:
        for path, found in files.items():
            (folder / path.replace("@", "d")).write_bytes(found)
        with closing(sqlite3.connect(folder / "d")) as database:
            [sound] = database.execute("PRAGMA integrity_check").fetchone()
            tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            rows = database.execute("SELECT count(*) FROM t").fetchone()[0] if tables else 0
    except sqlite3.Error as error:
        return Looked(faults=(f"SQLite says: {error}",))
    finally:
        shutil.rmtree(folder)
    faults = [f"SQLite says: {sound}"] if sound != "ok" else []
    if rows % 10:
        faults.append(f"it has {rows} rows, of which not all were committed")
    return Looked(frozenset({f"{rows} rows"} if rows else ()), tuple(faults))
