"""Tells the steps that run in this process which files its Python code opens.

Python lets nobody take a hook away again, so there is one for the whole life of the process. An open belongs to the
step in whose context it is made, else to every step that runs: a thread that a library started does not say for whom.
Neither what C++ code opens nor what other processes open is seen.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from artfs.scopes import Scope, is_unobserved, step_scope

_OPEN = "open"
_LISTINGS = frozenset({"os.listdir", "os.scandir"})
_RENAME = "os.rename"
_DATABASE = "sqlite3.connect"
_OTHERS = _LISTINGS | {_RENAME, _DATABASE}

_MACHINERY = ("artfs.", "importlib", "_frozen_importlib", "linecache", "tokenize", "zipimport", "pkgutil")
"""Modules that open files on nobody's behalf: code counts by what it does, and artfs knows what it reads."""
_OF_A_VERSION = re.compile(r"/[0-9a-f]{32}(?:\.[^/]*)?/|/(?:artifacts|tags|lineage|models|runs)(?:/|$)")

_IMPORT = ("importlib", "_frozen_importlib")
_DOORS = "artfs.io."
"""Of artfs only these open a path because somebody has asked for it."""


def may_lead_to_version(path: str) -> bool:
    """Whether an absolute path may be one of a version's file, in a store or a mount; nothing is looked up for it."""
    return _OF_A_VERSION.search(path) is not None


class _Opens:
    """The hook, and the steps that want to know."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._running: tuple[Scope, ...] = ()

    @contextmanager
    def told_to(self, scope: Scope) -> Iterator[None]:
        """Tell a step what is opened while the block runs."""
        with self._lock:
            if not self._is_set:
                sys.addaudithook(self._heard)
                self._is_set = True
            self._running = (*self._running, scope)
        try:
            yield
        finally:
            with self._lock:
                running = list(self._running)
                running.remove(scope)
                self._running = tuple(running)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != _OPEN and event not in _OTHERS:
            return
        running = self._running
        if not running or is_unobserved.get():
            return
        caller = sys._getframe(1).f_globals.get("__name__") or ""
        own = step_scope.get()
        concerned = running if own is None else (own,)
        if caller.startswith(_MACHINERY) and not caller.startswith(_DOORS):
            if event == _OPEN and caller.startswith(_IMPORT) and isinstance(arguments[0], str):
                for scope in concerned:
                    scope.imported(arguments[0])
            return
        path, reads = arguments[0], event in _LISTINGS or event == _DATABASE
        if event == _RENAME:
            path = arguments[1]
        elif event == _OPEN:
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            reads = flags & (os.O_ACCMODE | os.O_CREAT | os.O_TRUNC) == os.O_RDONLY
        if isinstance(path, bytes | os.PathLike):
            path = os.fsdecode(path)
        elif path is None:
            path = "."
        if not isinstance(path, str):
            return  # a descriptor: whoever opened it has told of it
        if not path or (event == _DATABASE and path.startswith((":", "file:"))):
            return
        relative = not os.path.isabs(path)
        whole = os.path.abspath(path)
        for scope in concerned:
            scope.opened(whole, relative, reads)


opens = _Opens()
