"""The digest of what a function does: its own code and that of everything it uses in the user's own modules.

Byte code, names and constants count; comments, blank lines and line numbers do not. What comes from an installed
distribution counts as that distribution's version.
"""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import pickle
import sys
import sysconfig
import types
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from artfs.content.digest import Digest, tagged

_PLAIN = (str, int, float, bool, bytes, complex, type(None))

_DEEPEST = 20
"""Values nested deeper than this do not count: they may hold themselves."""


def code_parts(function: Callable[..., Any], annotations: Iterable[Any] = ()) -> dict[str, Digest]:
    """Digest of every piece that a function's result may depend on, by the piece's name.

    annotations: types of its inputs; their methods may be called although the code does not name them.
    """
    parts: dict[str, Digest] = {}
    collector = _Collector(parts)
    collector.add(function)
    for annotation in annotations:
        if isinstance(annotation, type) and is_own(annotation.__module__):
            collector.add(annotation)
    return parts


class _Collector:
    """Walks from a function to all that it names."""

    def __init__(self, parts: dict[str, Digest]) -> None:
        self._parts = parts
        self._seen: set[int] = set()

    def add(self, thing: Any, name: str = "") -> None:
        """Takes in a function, class, module member or value that is named somewhere.

        name: what to call a value; functions and classes have names of their own.
        """
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
        elif isinstance(thing, types.BuiltinFunctionType | types.ModuleType | types.GenericAlias):
            self._add_distribution(str(getattr(thing, "__module__", None) or getattr(thing, "__name__", "")))
        elif (inner := _inner_function(thing)) is not None:
            self.add(inner, name)
        else:
            self._add_value(name, thing)
            if is_own(type(thing).__module__):
                self.add(type(thing))

    def _add_function(self, function: types.FunctionType) -> None:
        if not is_own(function.__module__):
            self._add_distribution(function.__module__)
            if hasattr(function, "__wrapped__"):  # a library's decorator around what may be the user's own
                self.add(function.__wrapped__)
            return
        key = f"{function.__module__}.{function.__qualname__}"
        while key in self._parts:
            key += "'"  # a decorator's function is called like the one that it wraps
        code = function.__code__
        defaults = plain_text((function.__defaults__, sorted((function.__kwdefaults__ or {}).items())))
        self._parts[key] = tagged(b"function", *_code_pieces(code), defaults)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                self.add(cell.cell_contents, f"{key}.{name}")
            except ValueError:
                continue  # a name that is not bound yet: the function itself, while it is being made
        names = set(_names(code))
        for name in sorted(names & function.__globals__.keys()):
            self._add_global(function.__globals__[name], f"{function.__module__}.{name}", names)

    def _add_global(self, value: Any, name: str, names: Collection[str]) -> None:
        """Takes in what a global name stands for; of a module of the user's own, the members that the code names."""
        if not isinstance(value, types.ModuleType) or not is_own(value.__name__):
            self.add(value, name)
        else:
            for member in sorted(vars(value).keys() & names):
                if vars(value)[member] is not value:
                    self._add_global(vars(value)[member], f"{value.__name__}.{member}", set(names) - {member})

    def _add_class(self, kind: type) -> None:
        if not is_own(kind.__module__):
            self._add_distribution(kind.__module__)
            return
        for base in kind.__bases__:
            self.add(base)
        for name, member in sorted(vars(kind).items()):
            if name.startswith("__") and name.endswith("__") and not isinstance(member, types.FunctionType):
                continue
            if isinstance(member, types.GetSetDescriptorType | types.MemberDescriptorType) or name.startswith("_abc_"):
                continue
            for part in (member.fget, member.fset) if isinstance(member, property) else (member,):
                self.add(part, f"{kind.__module__}.{kind.__qualname__}.{name}")

    def _add_value(self, name: str, value: Any) -> None:
        self._parts[name] = tagged(b"value", plain_text(value))

    def _add_distribution(self, module: str) -> None:
        package = module.partition(".")[0]
        version = _version_of(package)
        if version is not None:
            self._parts[package] = tagged(b"distribution", version.encode())


def _inner_function(thing: Any) -> types.FunctionType | None:
    """The function in a step, in what `functools.lru_cache` gives, in a `cached_property`, ..."""
    for attribute in ("__wrapped__", "function", "func"):
        inner = inspect.getattr_static(thing, attribute, None)
        if isinstance(inner, types.FunctionType):
            return inner
    return None


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
    said = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(said, str):
        return said
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
    yield code.co_exceptiontable
    yield f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {code.co_flags}".encode()
    yield "\0".join((*code.co_names, "", *code.co_varnames, "", *code.co_freevars)).encode("utf-8", "surrogatepass")
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield tagged(b"function", *_code_pieces(constant))
        else:
            yield plain_text(constant)


def plain_text(value: Any, depth: int = 0) -> bytes:
    """A text that is the same in every process for equal values.

    Objects of the user's own classes count by their attributes, and others by their pickle; of what cannot be pickled
    only the type counts.
    """
    if isinstance(value, _PLAIN):
        return f"{type(value).__name__}:{value!r}".encode("utf-8", "surrogatepass")
    if depth > _DEEPEST:
        return b"..."
    inner = functools.partial(plain_text, depth=depth + 1)
    if isinstance(value, set | frozenset):
        return b"{" + b",".join(sorted(map(inner, value))) + b"}"
    if isinstance(value, tuple | list):
        return b"(" + b",".join(map(inner, value)) + b")"
    if isinstance(value, dict):
        return b"<" + b",".join(inner(key) + b"=" + inner(part) for key, part in value.items()) + b">"
    kind = f"{type(value).__module__}.{type(value).__qualname__}".encode()
    if isinstance(value, type | types.FunctionType | types.ModuleType):
        return f"{kind.decode()}:{value.__name__}".encode()
    if is_own(type(value).__module__) and hasattr(value, "__dict__"):
        return b"object:" + kind + inner(vars(value))
    try:
        return b"pickle:" + kind + pickle.dumps(value, protocol=4)
    except Exception:  # noqa: BLE001 - a stranger's object may raise anything when it is pickled: the type has to do
        return b"object:" + kind
