"""The digest of what a function does: its own code and that of everything it uses in the user's own modules.

Byte code, names and constants count; comments, blank lines and line numbers do not. What comes from an installed
distribution counts as that distribution's version.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from typing import Any

from artfs.content.digest import Digest, tagged

_PLAIN = (str, int, float, bool, bytes, complex, type(None))


def code_parts(function: Callable[..., Any]) -> dict[str, Digest]:
    """Digest of every piece that a function's result may depend on, by the piece's name."""
    parts: dict[str, Digest] = {}
    _Collector(parts).add(function)
    return parts


class _Collector:
    """Walks from a function to all that it names."""

    def __init__(self, parts: dict[str, Digest]) -> None:
        self._parts = parts
        self._seen: set[int] = set()

    def add(self, thing: Any, name: str = "") -> None:
        """Takes in a function, class, module member or value that is named somewhere."""
        thing = inspect.unwrap(thing) if callable(thing) else thing
        thing = getattr(thing, "__func__", thing)
        if id(thing) in self._seen:
            return
        if isinstance(thing, types.FunctionType):
            self._seen.add(id(thing))
            self._add_function(thing)
        elif isinstance(thing, type):
            self._seen.add(id(thing))
            self._add_class(thing)
        elif isinstance(thing, functools.partial):
            self.add(thing.func)
            self._add_value(f"{name}.args", (thing.args, sorted(thing.keywords.items())))
        elif isinstance(thing, _PLAIN | tuple | list | dict | set | frozenset):
            self._add_value(name, thing)
        elif (inner := getattr(thing, "function", None)) is not None and isinstance(inner, types.FunctionType):
            self.add(inner)

    def _add_function(self, function: types.FunctionType) -> None:
        if not is_own(function.__module__):
            self._add_distribution(function.__module__)
            return
        key = f"{function.__module__}.{function.__qualname__}"
        defaults = _plain_repr((function.__defaults__, sorted((function.__kwdefaults__ or {}).items())))
        self._parts[key] = tagged(b"function", *_code_pieces(function.__code__), defaults)
        closure = function.__closure__ or ()
        for name, cell in zip(function.__code__.co_freevars, closure, strict=True):
            try:
                self.add(cell.cell_contents, f"{key}.{name}")
            except ValueError:
                continue  # a name that is not bound yet: the function itself, while it is being made
        for name in _names(function.__code__):
            if name in function.__globals__:
                self._add_global(function.__globals__[name], f"{function.__module__}.{name}", function.__code__)

    def _add_global(self, value: Any, name: str, code: types.CodeType) -> None:
        if not isinstance(value, types.ModuleType):
            self.add(value, name)
        elif not is_own(value.__name__):
            self._add_distribution(value.__name__)
        else:
            for member in _names(code):
                if member in vars(value):
                    self.add(vars(value)[member], f"{value.__name__}.{member}")

    def _add_class(self, kind: type) -> None:
        if not is_own(kind.__module__):
            self._add_distribution(kind.__module__)
            return
        for base in kind.__bases__:
            self.add(base)
        for name, member in sorted(vars(kind).items()):
            if name.startswith("__") and name.endswith("__") and not isinstance(member, types.FunctionType):
                continue
            inner = member.fget if isinstance(member, property) else member
            self.add(inner, f"{kind.__module__}.{kind.__qualname__}.{name}")

    def _add_value(self, name: str, value: Any) -> None:
        self._parts[name] = tagged(b"value", _plain_repr(value))

    def _add_distribution(self, module: str) -> None:
        package = module.partition(".")[0]
        version = _version_of(package)
        if version is not None:
            self._parts[package] = tagged(b"distribution", version.encode())


def is_own(module: str | None) -> bool:
    """Whether a module is the user's own: neither part of Python nor installed as a distribution, nor artfs itself."""
    if module is None:
        return False
    package = module.partition(".")[0]
    if package in sys.stdlib_module_names and package != "__main__":
        return False
    if package == "artfs":
        return False
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    return file is None or not file.startswith(_installed_roots())


@functools.cache
def _installed_roots() -> tuple[str, ...]:
    return tuple({sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")})


@functools.cache
def _version_of(package: str) -> str | None:
    if package in sys.stdlib_module_names or package == "artfs":
        return None
    names = _distributions().get(package)
    return importlib.metadata.version(names[0]) if names else None


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return {name: list(found) for name, found in importlib.metadata.packages_distributions().items()}


def _names(code: types.CodeType) -> Iterator[str]:
    """Global names and attributes that code uses, also in functions within it, each once."""
    seen: set[str] = set()
    waiting = [code]
    while waiting:
        current = waiting.pop()
        for name in current.co_names:
            if name not in seen:
                seen.add(name)
                yield name
        waiting.extend(constant for constant in current.co_consts if isinstance(constant, types.CodeType))


def _code_pieces(code: types.CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield "\0".join((*code.co_names, "", *code.co_varnames, "", *code.co_freevars)).encode("utf-8", "surrogatepass")
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield tagged(b"function", *_code_pieces(constant))
        else:
            yield _plain_repr(constant)


def _plain_repr(value: Any) -> bytes:
    """A text that is the same in every process: sets in order, and of other objects only the type."""
    if isinstance(value, _PLAIN):
        return f"{type(value).__name__}:{value!r}".encode("utf-8", "surrogatepass")
    if isinstance(value, set | frozenset):
        return b"{" + b",".join(sorted(_plain_repr(part) for part in value)) + b"}"
    if isinstance(value, tuple | list):
        return b"(" + b",".join(_plain_repr(part) for part in value) + b")"
    if isinstance(value, dict):
        pairs = (_plain_repr(key) + b"=" + _plain_repr(part) for key, part in value.items())
        return b"<" + b",".join(pairs) + b">"
    return f"object:{type(value).__module__}.{type(value).__qualname__}".encode()
