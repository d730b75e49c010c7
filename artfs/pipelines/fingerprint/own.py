"""What is the user's own code, and which version of a library the rest is."""

from __future__ import annotations

import functools
import importlib.util
import sys
import sysconfig
import types
from pathlib import PurePath

from artfs.pipelines.fingerprint.environment import installed


def module_of(thing: types.FunctionType | type) -> str | None:
    """The name of the module that a function or class comes from."""
    module = thing.__module__
    # An extension's class may have a description of the attribute in its place.
    return module if module is None or isinstance(module, str) else type(thing).__module__


def is_own(module: str | None) -> bool:
    """Whether a module is the user's own: neither part of Python nor installed as a distribution, nor artfs itself.

    Of a module that says nothing of a file, as code that was passed to `exec` has it, the package counts.
    """
    package = module.partition(".")[0] if module is not None else "__main__"
    if package == "__main__":
        return True  # the script, also in a process that was begun by something else to run a step of it
    if package in sys.stdlib_module_names or package == "artfs":
        return False
    for name in (str(module), package):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            return not _is_installed(file)
    return True


def is_own_to_import(module: str) -> bool:
    """The same for a module that may not be imported yet; nothing is imported to find out."""
    package = module.partition(".")[0]
    if package in sys.modules or package in sys.stdlib_module_names:
        return is_own(module)
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    if found is None:
        return False
    places = [found.origin] if found.origin else list(found.submodule_search_locations or ())
    return bool(places) and not _is_installed(places[0])


@functools.cache
def version_of(package: str) -> str | None:
    """The version of an installed library, by the name that it is imported as; None for Python's own."""
    if package in sys.stdlib_module_names or package == "artfs":
        return None
    said = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(said, str):
        return said
    return _by_name().get(package.lower()) or _by_files(package)


@functools.lru_cache(maxsize=4096)
def _is_installed(file: str) -> bool:
    parts = PurePath(file).parts
    return file.startswith(_installed_roots()) or "site-packages" in parts or "dist-packages" in parts


@functools.cache
def _installed_roots() -> tuple[str, ...]:
    return tuple({sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")})


@functools.cache
def _by_name() -> dict[str, str]:
    return {name.replace("-", "_"): version for name, version in installed().items()}


def _by_files(package: str) -> str | None:
    """The version of the first distribution that has brought files of a package of another name.

    Its list of files is searched as text: to parse all lists takes ten times as long.
    """
    from importlib.metadata import distributions  # importing it takes longer than most scripts need for all the rest

    for distribution in distributions():
        if f"\n{package}/" in f"\n{distribution.read_text('RECORD') or ''}":
            return distribution.version
    return None
