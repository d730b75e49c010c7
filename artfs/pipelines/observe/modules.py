"""The own modules that a process has loaded: all of them count where code is reached in ways that nobody can follow."""

from __future__ import annotations

import functools
import os
import sys
import types
from collections import defaultdict
from collections.abc import Collection
from importlib.machinery import SourceFileLoader
from importlib.util import source_from_cache
from pathlib import Path
from typing import Any

from artfs.catalog.step_uses import StepUse
from artfs.content.digest import Digest, tagged
from artfs.pipelines.fingerprint.code import digest_of_code
from artfs.pipelines.fingerprint.own import is_own_file


def loaded(imported: Collection[str] = ()) -> list[StepUse]:
    """What to record of the own modules that are loaded. imported: files that were, also of modules that are gone."""
    found: dict[str, StepUse] = {}
    named = [(getattr(module, "__file__", None), module) for module in list(sys.modules.values())]
    for file, module in [*named, *((_source(path), None) for path in sorted(imported))]:
        if isinstance(file, str) and os.path.isabs(file) and is_own_file(file) and file not in found:
            try:
                status = os.stat(file)
                is_so = module is None or _runs_as_written(module, file, *_facts(status))
                digest = _source_digest(file, *_facts(status)) if is_so else Digest(os.urandom(32))
            except OSError:
                continue
            name = os.fsencode(_name(file))
            size = status.st_size if is_so else -1
            found[file] = StepUse("module", name, digest, size, status.st_mtime_ns, status.st_ino)
    return list(found.values())


def change(use: StepUse) -> str | None:
    """What has become of a module's file since it was recorded; None if its code is the same."""
    path = os.path.abspath(os.fsdecode(use.name))
    try:
        status = os.stat(path)
        if _facts(status) == (use.size, use.mtime_ns, use.inode):
            return None
        return None if _source_digest(path, *_facts(status)) == use.digest else "changed"
    except OSError:
        return "is gone"


def _source(path: str) -> str:
    """The source of a file of byte code."""
    try:
        return os.path.abspath(source_from_cache(path) if path.endswith(".pyc") else path)
    except ValueError:
        return path


class _Loader(SourceFileLoader):
    """Takes byte code from where Python keeps it, and keeps none itself."""

    def set_data(self, path: Any, data: Any, *, _mode: int = 0o666) -> None:
        pass


@functools.cache
def _code(file: str, *facts: int) -> types.CodeType | None:
    """The code in a file; None where it is no Python code."""
    if not file.endswith(".py"):
        return None
    try:
        return _Loader("module", file).get_code("module")
    except (SyntaxError, ValueError):
        return None


@functools.cache
def _source_digest(file: str, *facts: int) -> Digest:
    """The digest of what a file's code does, without comments and layout; of the bytes where it is no Python code."""
    code = _code(file, *facts)
    return tagged(b"module", Path(file).read_bytes()) if code is None else digest_of_code(code)


def _runs_as_written(module: types.ModuleType, file: str, *facts: int) -> bool:
    """Whether a module's functions are those in its file now: it may have been edited since it was loaded."""
    code = _code(file, *facts)
    written = defaultdict(list)
    for each in code.co_consts if code is not None else ():
        if isinstance(each, types.CodeType):
            written[each.co_name].append(each)
    return all(
        member.__code__ in written[name]
        for name, member in list(vars(module).items())
        if isinstance(member, types.FunctionType)
        and name in written
        and member.__module__ == module.__name__
        and member.__code__.co_filename == file
    )


def _facts(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _name(file: str) -> str:
    """From the working directory where it lies below that, so that a project can be moved."""
    below = os.path.relpath(file)
    return file if below.startswith("..") else below
