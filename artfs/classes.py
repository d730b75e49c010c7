"""Classes by name: how a stored value says what it is an instance of."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from artfs.errors import ClassNotFound, MissingLibrary, UntrustedClass, UntrustedPickle

Allows = Callable[[str], bool]
"""Whether the module of a class or function, "module.QualName", may be imported."""

MOVED = MappingProxyType(
    {
        "artfs.pages": "artfs.objects.pagination",
        "artfs.pipelines.config": "artfs.pipelines.define.config",
        "artfs.pipelines.context": "artfs.pipelines.task.context",
        "artfs.pipelines.step": "artfs.pipelines.define.step",
    }
)
"""Modules of artfs that values in older homes name, and where their classes are now. An entry is kept for ever."""

_allows: ContextVar[Allows] = ContextVar("artfs_allows", default=lambda name: True)
_recorded: ContextVar[set[str] | None] = ContextVar("artfs_recorded", default=None)


@contextmanager
def importing_only(allows: Allows) -> Iterator[None]:
    """Let names be imported here only if `allows` says so: they come from files or a catalog, not from the caller."""
    token = _allows.set(allows)
    try:
        yield
    finally:
        _allows.reset(token)


@contextmanager
def recording_names() -> Iterator[set[str]]:
    """Gather the names that are written into files here, to be found again when those are loaded."""
    names: set[str] = set()
    token = _recorded.set(names)
    try:
        yield names
    finally:
        _recorded.reset(token)


def recorded(name: str) -> str:
    """Return a name that is written into a file, and tell it to whoever asked for them."""
    names = _recorded.get()
    if names is not None:
        names.add(name)
    return name


def recorded_name(thing: Any) -> str:
    """Return `qualified_name` of a class or function whose name is written into a file; see `recorded`."""
    return recorded(qualified_name(thing))


def dotted(name: str) -> str:
    """Return `module:Class` in the form that `qualified_name` gives: `module.Class`."""
    return name.replace(":", ".", 1)


def qualified_name(thing: Any) -> str:
    """Return "module.QualName" of a class or function."""
    return f"{thing.__module__}.{thing.__qualname__}"


def find_by_name(name: str, *, trusted: bool = True) -> Any:
    """Return the class or function that `qualified_name` gave `name`, importing its module.

    Args:
        name: "module.QualName".
        trusted: whether `name` comes from data that this catalog saved itself. Importing a module runs its code, so
            for other data only modules that are already imported are looked at.

    Raises:
        ClassNotFound: there is no such module, or nothing of this name in it.
        UntrustedPickle: the module is not imported yet, and `trusted` is False.
        UntrustedClass: the module is not imported yet, and `importing_only` does not allow it.
    """
    module, attributes = _split(_present_name(name), trusted)
    thing: Any = module
    for attribute in attributes:
        try:
            thing = getattr(thing, attribute)
        except AttributeError:
            advice = (
                "it was defined in the script or notebook that saved the value: define it there, or in a module"
                if name.startswith("__main__.")
                else "if it was moved or renamed, make it available under its old name again"
            )
            raise ClassNotFound(
                f"{name} is needed to load this value, but {module.__name__} has no {'.'.join(attributes)}: {advice}",
                subject=name,
            ) from None
    return thing


def may_import(name: str) -> bool:
    """Whether the module of a class or function may be imported here; see `importing_only`."""
    return _allows.get()(name)


def untrusted_class(name: str) -> UntrustedClass:
    """The error for a class or function that must not be imported."""
    return UntrustedClass(
        f"{name} is not imported: nothing that was saved or registered in this home has named it. If you know where it"
        f" comes from, import {name.rpartition('.')[0]} first, pass trust=True, or run 'artfs --trust {name} ...'",
        subject=name,
    )


def is_importable(thing: Any) -> bool:
    """Return whether a class or function can be found again by its qualified name.

    A local one cannot, nor can a generic with its arguments (`Box[int]`), which its module has only once it was used.
    """
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    found: Any = module
    for attribute in getattr(thing, "__qualname__", "<none>").split("."):
        found = getattr(found, attribute, None) if attribute.isidentifier() else None
    return found is thing


def _present_name(name: str) -> str:
    module, dot, attribute = name.rpartition(".")
    return f"{MOVED.get(module, module)}{dot}{attribute}"


def _split(name: str, trusted: bool) -> tuple[Any, list[str]]:
    """Return the module that `name` begins with, as long as possible, and the attributes that follow."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise _not_importable(name, None)
    missing: ModuleNotFoundError | None = None
    allowed: bool | None = None  # asked only where something would be imported
    for end in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:end])
        if sys.modules.get(module_name) is not None:
            # Not from sys.modules: another thread may be half-way through the import, which this waits for.
            return importlib.import_module(module_name), parts[end:]
        if allowed is None:
            allowed = trusted and may_import(name)
        if not allowed:
            continue
        try:
            return importlib.import_module(module_name), parts[end:]
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name + ".").startswith(error.name + "."):
                raise _not_importable(name, error) from error  # the module is there, but needs another one
            missing = missing or error
        except MissingLibrary:
            raise  # already says what to install
        except ImportError as error:
            raise _not_importable(name, error) from error
    if not trusted:
        raise UntrustedPickle(
            f"loading {name} would import {'.'.join(parts[:-1])}, and this version was not saved by this catalog:"
            " import that module first, or load it as trusted if you know who made it",
            subject=name,
        )
    if allowed is False:
        raise untrusted_class(name)
    raise _not_importable(name, missing)


def _not_importable(name: str, cause: ImportError | None) -> ClassNotFound:
    why = f" ({cause})" if cause is not None else ""
    return ClassNotFound(
        f"{name} is needed to load this value, but cannot be imported{why}: install the package it comes from, or make"
        " it available under its old name again",
        subject=name,
    )
