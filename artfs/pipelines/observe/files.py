"""Files that a step has read: which of them count, how they were, and whether they still are so.

A file counts by size, modification time and inode, and where these differ by its content. So it is hashed once, when
the step has read it and its bytes are at hand; beyond `MOST_BYTES` a step only size and time are left to compare.
"""

from __future__ import annotations

import functools
import os
import site
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path

from artfs.catalog.step_uses import StepUse
from artfs.content.digest import Digest, hash_file, tagged
from artfs.errors import SourceNotFound
from artfs.lineage.explain import MOST_FILES

MOST_BYTES = 2**30
"""So much of what a step has read is hashed."""

_NEVER = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/var/cache/")
_NEVER_WITHIN = frozenset({".git", "__pycache__", ".ipynb_checkpoints"})
_CACHES = {
    "XDG_CACHE_HOME": "~/.cache",
    "XDG_STATE_HOME": "~/.local/state",
    "XDG_RUNTIME_DIR": "",
    "HF_HOME": "",
    "HF_DATASETS_CACHE": "",
    "HUGGINGFACE_HUB_CACHE": "",
    "TRANSFORMERS_CACHE": "",
    "TORCH_HOME": "",
    "MPLCONFIGDIR": "",
    "NUMBA_CACHE_DIR": "",
    "PIP_CACHE_DIR": "",
}
"""Variables that name folders of caches, and where these are without them."""


@dataclass(frozen=True)
class Places:
    """Which paths count.

    Args:
        out: what begins so does not.
        temporary: nor does what begins so, unless the program works there.
        work: where it works.
    """

    out: tuple[str, ...]
    temporary: tuple[str, ...]
    work: tuple[str, ...]

    @classmethod
    def of_process(cls, home: Path) -> Places:
        """The places of this process, which uses a home."""
        caches = [os.environ.get(name) or os.path.expanduser(usual) for name, usual in _CACHES.items()]
        temporary = {_folder(each) for each in (tempfile.gettempdir(), "/tmp/", "/var/tmp/")}
        script = getattr(sys.modules.get("__main__"), "__file__", None)
        work = [os.getcwd(), *([os.path.dirname(os.path.abspath(script))] if script else []), str(home.parent)]
        return cls(
            out=(*_NEVER, *{_folder(each) for each in (*_python(), *caches, str(home)) if each not in ("", "/")}),
            temporary=tuple(temporary),
            work=tuple(_folder(each) for each in work if _folder(each) not in temporary),
        )

    def counts(self, path: str, relative: bool = False) -> bool:
        """Whether a file at an absolute path counts. relative: whether it was given from the working directory."""
        if path.startswith(self.out) or not _NEVER_WITHIN.isdisjoint(path.split("/")):
            return False
        return relative or not path.startswith(self.temporary) or path.startswith(self.work)


def used(paths: Mapping[str, bool], since_ns: int | None, kind: str = "file") -> list[StepUse]:
    """What to record of files that were read, and of folders that were listed.

    Args:
        paths: absolute paths, and whether each was given from the working directory: then it counts from there.
        since_ns: what has changed since then was not only read; None to take all.
        kind: of the uses.
    """
    found: list[StepUse] = []
    left = MOST_BYTES
    for path, relative in paths.items():
        if kind == "file" and len(found) == MOST_FILES:
            break
        name = _name(path, relative)
        status = _status(path)
        if status is None:
            found.append(StepUse(kind, name))
            continue
        is_file = stat.S_ISREG(status.st_mode)
        if since_ns is not None and min(status.st_mtime_ns, status.st_ctime_ns) >= since_ns:
            continue
        if not is_file and not stat.S_ISDIR(status.st_mode):
            continue
        digest = None
        if not is_file or status.st_size <= left:
            left -= status.st_size if is_file else 0
            try:
                digest = content(path)
            except OSError:
                continue  # it went away, or may not be read: then it was not read either
        found.append(StepUse(kind, name, digest, *_facts(status)))
    return found


def names(paths: Mapping[str, bool]) -> set[bytes]:
    """What the uses of these paths are called."""
    return {_name(path, relative) for path, relative in paths.items()}


@dataclass(frozen=True)
class Compared:
    """What has become of a file. change: in words; None if it is the same. now: what to record in place of the use."""

    change: str | None
    now: StepUse | None = None


def compared(use: StepUse) -> Compared:
    """Compares a file with what was recorded of it; it is not read again the next time if only its facts differ."""
    path = os.path.abspath(os.fsdecode(use.name))
    status = _status(path)
    if status is None or use.size is None:
        same = status is None and use.size is None
        return Compared(None if same else "is gone" if status is None else "is there now")
    # A folder's time says little on some file systems, and its names are soon listed.
    is_file = stat.S_ISREG(status.st_mode)
    if is_file and _facts(status) == (use.size, use.mtime_ns, use.inode):
        return Compared(None)
    if use.digest is None:
        return Compared(None if (status.st_size, status.st_mtime_ns) == (use.size, use.mtime_ns) else "changed")
    if is_file and status.st_size != use.size:
        return Compared("changed")
    try:
        same = content(path) == use.digest
    except OSError as error:
        return Compared(f"cannot be read: {error.strerror}")
    if not same:
        return Compared("changed")
    size, mtime_ns, inode = _facts(status)
    return Compared(None, replace(use, size=size, mtime_ns=mtime_ns, inode=inode) if is_file else None)


def declared(patterns: Iterable[str]) -> dict[str, bool]:
    """The files that patterns and paths name now, for `used`; all of a folder.

    Raises SourceNotFound for a path, which is no pattern, where nothing is.
    """
    found: dict[str, bool] = {}
    for said in patterns:
        pattern = os.path.expanduser(said)
        relative = not os.path.isabs(pattern)
        if os.path.exists(pattern):
            matching = [pattern]
        elif has_magic(pattern):
            matching = sorted(glob(pattern, recursive=True))
        else:
            raise SourceNotFound(f"the step depends on {said}, but nothing is there", subject=said)
        for path in matching:
            whole = os.path.abspath(path)
            found.update((each, relative) for each in (_files_below(whole) if os.path.isdir(whole) else (whole,)))
    return found


def content(path: str) -> Digest:
    """The digest of a file, or of the names in a folder."""
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if name not in _NEVER_WITHIN)
        return tagged(b"names", *map(os.fsencode, names))
    return hash_file(Path(path)).digest


@functools.cache
def _python() -> tuple[str, ...]:
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return (sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages(), site.getusersitepackages(), *paths)


def _files_below(folder: str) -> Iterator[str]:
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _NEVER_WITHIN)
        yield from (os.path.join(above, name) for name in sorted(names))


def _name(path: str, relative: bool) -> bytes:
    return os.fsencode(os.path.relpath(path) if relative else path)


def _facts(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _folder(path: str) -> str:
    return os.path.join(os.path.abspath(path), "")
