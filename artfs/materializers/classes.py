"""Classes by name: how a stored value says what it is an instance of."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from artfs.errors import ClassNotFound, MissingLibrary, UntrustedPickle


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
    """
    module, attributes = _split(name, trusted)
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


def is_importable(thing: Any) -> bool:
    """Return whether a class or function can be found again by its qualified name.

    A local one cannot, nor can a generic with its arguments (`Box[int]`), which its module has only once it was used.
    """
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    found: Any = module
    for attribute in getattr(thing, "__qualname__", "<none>").split("."):
        found = getattr(found, attribute, None) if attribute.isidentifier() else None
    return found is thing


def _split(name: str, trusted: bool) -> tuple[Any, list[str]]:
    """Return the module that `name` begins with, as long as possible, and the attributes that follow."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise _not_importable(name, None)
    missing: ModuleNotFoundError | None = None
    for end in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:end])
        if sys.modules.get(module_name) is not None:
            # Not from sys.modules: another thread may be half-way through the import, which this waits for.
            return importlib.import_module(module_name), parts[end:]
        if not trusted:
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
    raise _not_importable(name, missing)


def _not_importable(name: str, cause: ImportError | None) -> ClassNotFound:
    why = f" ({cause})" if cause is not None else ""
    return ClassNotFound(
        f"{name} is needed to load this value, but cannot be imported{why}: install the package it comes from, or make"
        " it available under its old name again",
        subject=name,
    )
