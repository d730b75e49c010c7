"""What is the user's own code, and which version of a library the rest is.

Where a file lies decides, never what a module is called: own is what lies outside of Python's library and of
site-packages, and of what lies there whatever was installed from a local folder or a repository.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
import sysconfig
import types
from pathlib import Path, PurePath
from typing import Any

import artfs
from artfs.pipelines.fingerprint.environment import installed

MAIN = "__main__"


def module_of(thing: types.FunctionType | type) -> str | None:
    """The name of the module that a function or class comes from."""
    module = thing.__module__
    # An extension's class may have a description of the attribute in its place.
    return module if module is None or isinstance(module, str) else type(thing).__module__


def is_own(module: str | None) -> bool:
    """Whether a module is the user's own: neither part of Python nor of a library, nor artfs itself.

    Of a module that says nothing of a file, as code that was passed to `exec` has it, the package counts.
    """
    package = module.partition(".")[0] if module is not None else MAIN
    if package == MAIN:
        return True  # the script, also in a process that was begun by something else to run a step of it
    for name in (str(module), package):
        loaded = sys.modules.get(name)
        file = getattr(loaded, "__file__", None)
        if file is not None:
            return is_own_file(file)
        if getattr(getattr(loaded, "__spec__", None), "origin", None) in ("built-in", "frozen"):
            return False
    return package not in sys.stdlib_module_names


def is_own_function(function: types.FunctionType) -> bool:
    """The same for a function, by where its code is: a decorator gives its own the name of another module."""
    file = function.__code__.co_filename
    if file.startswith("<"):
        return is_own(function.__globals__.get("__name__") or module_of(function))
    return is_own_file(file)


def is_own_to_import(module: str) -> bool:
    """The same for a module that may not be imported yet; nothing is imported to find out."""
    package = module.partition(".")[0]
    if package in sys.modules:
        return is_own(module)
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    if found is None or found.origin in ("built-in", "frozen"):
        return False
    places = [found.origin] if found.origin else list(found.submodule_search_locations or ())
    return bool(places) and is_own_file(places[0])


@functools.lru_cache(maxsize=16_384)
def is_own_file(file: str) -> bool:
    """Whether code in this file is the user's own."""
    if file.startswith(_ARTFS):
        return False
    parts = PurePath(file).parts
    for number, part in enumerate(parts[:-1]):
        if part in ("site-packages", "dist-packages"):
            top = parts[number + 1].partition(".")[0]
            return top in _from_sources(os.path.join(*parts[: number + 1]))
    return not file.startswith(_library_roots())


def title_of(module: str) -> str:
    """What a module is called when it is imported: for a script its file's name, with the packages that it is in."""
    if module != MAIN:
        return module
    main = sys.modules.get(MAIN)
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None and spec.name:
        return str(spec.name)
    return MAIN if file is None else _title(file)


@functools.lru_cache(maxsize=64)
def _title(file: str) -> str:
    path = Path(os.path.abspath(file))
    name = path.stem
    while (path.parent / "__init__.py").exists() and path.parent.name.isidentifier():
        path = path.parent
        name = f"{path.name}.{name}"
    return name


@functools.cache
def version_of(package: str) -> str | None:
    """The version of an installed library, by the name that it is imported as; None for Python's own."""
    if package in sys.stdlib_module_names or package == "artfs":
        return None
    said = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(said, str):
        return said
    return _by_name().get(package.lower()) or _by_files(package)


@functools.cache
def _library_roots() -> tuple[str, ...]:
    return tuple(
        {os.path.join(sysconfig.get_path(name), "") for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    )


_ARTFS = os.path.join(os.path.dirname(artfs.__file__), "")


@functools.lru_cache(maxsize=64)
def _from_sources(folder: str) -> frozenset[str]:
    """The modules in a site-packages folder that were installed from a local folder or a repository.

    Those say so in a `direct_url.json`. An archive is a library as those of an index are, and so is what conda
    installs, which leaves such files too.
    """
    found: set[str] = set()
    for name in os.listdir(folder):
        if name.endswith(".dist-info") and os.path.exists(source := os.path.join(folder, name, "direct_url.json")):
            about = Path(folder, name)
            if "archive_info" not in _read_json(source) and _read(about / "INSTALLER").strip() != "conda":
                tops = (line.partition("/")[0] for line in _read(about / "RECORD").splitlines())
                found.update(top.partition(".")[0].partition(",")[0] for top in tops if not top.startswith("."))
    return frozenset(found)


def _read_json(path: str) -> Any:
    try:
        return json.loads(_read(Path(path)))
    except ValueError:
        return {}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return ""


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
