"""The digest of what a function does: its own code and that of everything it uses in the user's own modules.

The walk begins at the function and follows what its code names: globals, closures, defaults, members of modules of the
user's own (imported at the top or within the function), classes with their bases and methods. Values are followed to
the functions in them: a table of functions counts by what these do. Each piece is a part of its own, by name, so that a
change can be told. A piece refers to another by its name in the parts, never by its content.

Byte code, names and constants count; comments, blank lines and line numbers do not. What comes from an installed
distribution counts by its name and that distribution's version.
"""

from __future__ import annotations

import builtins
import dis
import types
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from artfs.classes import qualified_name
from artfs.content.digest import Digest, tagged
from artfs.pipelines.define.signature import plain_function
from artfs.pipelines.fingerprint.own import is_own, is_own_to_import, module_of, version_of
from artfs.pipelines.fingerprint.values import Described

_BY_NAME = frozenset({"getattr", "vars", "__dict__", "attrgetter"})
"""Code that says one of these may use more of a module than it names: all of it counts."""

_ANY_GLOBAL = frozenset({"globals", "eval", "exec"})
"""Functions that may use any global."""

_CLASS_FACTS = frozenset({"__slots__", "__pydantic_fields__", "__attrs_attrs__"})
"""Of the attributes with such names that are no functions, those that say what a class does."""

_IMPORT = dis.opmap["IMPORT_NAME"]


TYPES = " (types)"
"""What the name of a part ends in that tells which types there are; each of them is a part of its own."""


def code_parts(function: Callable[..., Any], types_used: Iterable[Any] = ()) -> dict[str, Digest]:
    """Digest of every piece that a function's result may depend on, by the piece's name.

    types_used: types of what it takes and gives, and what turns them into files; their methods may be called although
    the code does not name them.
    """
    walk = _Walk()
    walk.describe(function)
    used = [walk.describe(each) for each in types_used]
    return {**walk.finish(), f"{qualified_name(plain_function(function))}{TYPES}": tagged(b"types", *used)}


def plain_text(value: Any) -> Digest:
    """A digest that is the same in every process for equal values."""
    return Digest(_Walk().describe(value))


class _Walk(Described):
    """Collects parts; functions and classes wait in a queue, so that a long chain of calls is no deep recursion."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: dict[str, Digest] = {}
        self._keys: dict[int, str] = {}
        self._taken: set[str] = set()
        self._seen: set[int] = set()
        self._waiting: deque[Any] = deque()

    def finish(self) -> dict[str, Digest]:
        while self._waiting:
            thing = self._waiting.popleft()
            if isinstance(thing, types.FunctionType):
                self._add_function(thing)
            elif isinstance(thing, type):
                self._add_class(thing)
            else:
                for name, member in sorted(vars(thing).items()):
                    if not name.startswith("__") or name == "__getattr__":
                        self._add_named(f"{thing.__name__}.{name}", member)
        return self._parts

    # What values refer to: see `Described`.

    def reference(self, thing: types.FunctionType | type | types.ModuleType) -> bytes:
        """A function, class or module as another piece refers to it; makes sure that it becomes a part."""
        module = thing.__name__ if isinstance(thing, types.ModuleType) else module_of(thing)
        name = str(module) if isinstance(thing, types.ModuleType) else f"{module}.{thing.__qualname__}"
        if not is_own(module):
            self._add_distribution(str(module))
            within = self._held_by(thing) if isinstance(thing, types.FunctionType) else b""
            return tagged(b"library", name.encode(), within)
        if id(thing) not in self._keys:
            while name in self._taken:
                name += "'"  # lambdas share a name, as do a decorator's function and the one that it wraps
            self._taken.add(name)
            self._keys[id(thing)] = name
            self.keep_alive(thing)
            self._waiting.append(thing)
        return tagged(b"part", self._keys[id(thing)].encode())

    def _held_by(self, function: types.FunctionType) -> bytes:
        """What a library's function holds: a decorator's has the user's own in its closure."""
        if id(function) in self._seen:
            return b"again"
        self._seen.add(id(function))
        self.keep_alive(function)
        held = [cell.cell_contents for cell in function.__closure__ or () if not _is_empty(cell)]
        return self.describe((held, vars(function)))

    # Parts.

    def _add_named(self, name: str, value: Any) -> None:
        """Takes in what a name stands for; no part of its own is needed where that is called so itself."""
        text = self.describe(value)
        if text != tagged(b"part", name.encode()):
            self._parts[name] = tagged(b"value", text)

    def _add_function(self, function: types.FunctionType) -> None:
        key = self._keys[id(function)]
        codes = list(_codes(function.__code__))
        defaults = function.__defaults__, sorted((function.__kwdefaults__ or {}).items())
        attributes = {name: value for name, value in vars(function).items() if name != "__wrapped__"}
        self._parts[key] = tagged(
            b"function",
            *_code_pieces(function.__code__, self),
            self.describe(defaults),
            self.describe(attributes),
        )
        if hasattr(function, "__wrapped__"):
            self.describe(function.__wrapped__)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if not _is_empty(cell):
                self._add_named(f"{key}.{name}", cell.cell_contents)
        names = {name for code in codes for name in code.co_names}
        wanted = names & function.__globals__.keys()
        if names & _ANY_GLOBAL and any(_calls(code, _ANY_GLOBAL) for code in codes):
            wanted = {name for name in function.__globals__ if not name.startswith("__")}
        for name in sorted(wanted):
            self._add_global(f"{function.__module__}.{name}", function.__globals__[name], names)
        for code in codes:
            for module in self._imported(code, function.__globals__):
                self._add_global(module.__name__, module, names)

    def _add_global(self, name: str, value: Any, names: Collection[str]) -> None:
        """Takes in what a global name stands for; of a module of the user's own, the members that the code names."""
        if not isinstance(value, types.ModuleType) or not is_own(value.__name__) or _BY_NAME & set(names):
            self._add_named(name, value)
            return
        for member in sorted(vars(value).keys() & {*names, "__getattr__"}):
            if vars(value)[member] is not value:
                self._add_global(f"{value.__name__}.{member}", vars(value)[member], set(names) - {member})

    def _imported(self, code: types.CodeType, names: dict[str, Any]) -> Iterator[types.ModuleType]:
        """Modules that code imports while it runs. The user's own are imported now: what they do counts."""
        for module, members, level in _imports(code):
            if not level and not is_own_to_import(module):
                self._add_distribution(module)
                continue
            try:
                yield builtins.__import__(module, names, None, members, level)
            except Exception:  # noqa: BLE001 - the code that imports it will meet the same, and may know what to do
                self._parts[f"import {module}"] = tagged(b"fails")

    def _add_class(self, kind: type) -> None:
        key = self._keys[id(kind)]
        self._parts[key] = tagged(b"class", *(self.describe(each) for each in (*kind.__bases__, type(kind))))
        for name, member in sorted(vars(kind).items()):
            if name.startswith("__") and name.endswith("__") and not _is_function(member) and name not in _CLASS_FACTS:
                continue
            if isinstance(member, types.GetSetDescriptorType | types.MemberDescriptorType) or name.startswith("_abc_"):
                continue
            self._add_named(f"{key}.{name}", member)

    def _add_distribution(self, module: str) -> None:
        package = module.partition(".")[0]
        version = version_of(package)
        if version is not None:
            self._parts[package] = tagged(b"distribution", version.encode())


def _is_function(member: Any) -> bool:
    return isinstance(member, types.FunctionType | staticmethod | classmethod | property)


def _is_empty(cell: types.CellType) -> bool:
    """Whether a name is not bound yet: that of the function itself, while it is being made."""
    try:
        return cell.cell_contents is cell
    except ValueError:
        return True


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Code, and that of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _calls(code: types.CodeType, functions: Collection[str]) -> bool:
    """Whether code names one of these functions, not only a method that is called so."""
    return any(
        instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and instruction.argval in functions
        for instruction in dis.get_instructions(code)
    )


def _imports(code: types.CodeType) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """The import statements in code: module, members, and how many packages up a relative one begins."""
    if _IMPORT not in code.co_code[::2]:
        return
    before: list[Any] = [0, None]
    for instruction in dis.get_instructions(code):
        if instruction.opcode == _IMPORT:
            yield instruction.argval, before[-1] or (), before[-2]
        if instruction.opname == "LOAD_CONST":
            before.append(instruction.argval)


def _code_pieces(code: types.CodeType, walk: Described) -> Iterator[bytes]:
    yield code.co_code
    yield code.co_exceptiontable
    yield f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {code.co_flags}".encode()
    yield "\0".join((*code.co_names, "", *code.co_varnames, "", *code.co_freevars)).encode("utf-8", "surrogatepass")
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield tagged(b"function", *_code_pieces(constant, walk))
        else:
            yield walk.describe(constant)
