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
import inspect
import types
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from artfs.content.digest import Digest, tagged
from artfs.pipelines.define.signature import plain_function
from artfs.pipelines.fingerprint.bytecode import calls, codes, imports, names_of_variables, reaches_anything, variables
from artfs.pipelines.fingerprint.own import (
    MAIN,
    is_own,
    is_own_function,
    is_own_to_import,
    module_of,
    title_of,
    version_of,
)
from artfs.pipelines.fingerprint.values import Described

_BY_NAME = frozenset({"getattr", "vars", "__dict__", "attrgetter"})
"""Code that says one of these may use more of a module than it names: all of it counts."""

_ANY_GLOBAL = frozenset({"globals", "eval", "exec"})
"""Functions that may use any global."""

_CLASS_FACTS = frozenset({"__slots__", "__pydantic_fields__", "__attrs_attrs__"})
"""Of the attributes with such names that are no functions, those that say what a class does."""

_HERE = "@"
"""The module of the step, in names of parts."""

TYPES = " (types)"
"""What the name of a part ends in that tells which types there are; each of them is a part of its own."""


@dataclass(frozen=True)
class Code:
    """What a function's result may depend on.

    Args:
        digest: of all of it. A script and the same file imported have the same.
        parts: digest of every piece of code and value, by its name.
        variables: the environment variables that it reads.
        is_followed: False where it reaches code in ways that nobody can follow: then all own modules count.
    """

    digest: Digest
    parts: Mapping[str, Digest]
    variables: frozenset[str] = frozenset()
    is_followed: bool = True


def code_of(function: Callable[..., Any], types_used: Iterable[Any] = (), main: str | None = None) -> Code:
    """What the code of a function, and all own code that it reaches, depends on.

    Args:
        function: where the walk begins.
        types_used: types of what it takes and gives, and what turns them into files; their methods may be called
            although the code does not name them.
        main: what the script is called as a module, where this process was not begun with it.
    """
    plain = plain_function(function)
    walk = _Walk(plain.__module__)
    walk.describe(function)
    used = [walk.describe(each) for each in types_used]
    parts = {**walk.finish(), f"{_HERE}.{plain.__qualname__}{TYPES}": tagged(b"types", *used)}
    digest = tagged(b"code", *(piece for name, part in sorted(parts.items()) for piece in (name.encode(), part)))
    title = title_of(plain.__module__) if main is None or plain.__module__ != MAIN else main
    shown = {f"{title}{name[1:]}" if name.startswith(f"{_HERE}.") else name: part for name, part in parts.items()}
    return Code(digest, shown, walk.variables(), walk.is_followed)


def plain_text(value: Any, module: str = MAIN) -> Digest:
    """A digest that is the same in every process for equal values. module: where the step is."""
    return Digest(_Walk(module).describe(value))


def digest_of_code(code: types.CodeType) -> Digest:
    """A digest of what byte code does by itself, without what the names in it stand for."""
    return tagged(b"code", *_code_pieces(code, _Walk()))


class _Walk(Described):
    """Collects parts; functions and classes wait in a queue, so that a long chain of calls is no deep recursion."""

    def __init__(self, here: str = MAIN) -> None:
        super().__init__()
        self._variables: set[str] = set()
        self._may_be_variables: set[str] = set()
        self._any_variable = False
        self.is_followed = True
        self._here = (None, MAIN, here)
        self._parts: dict[str, Digest] = {}
        self._keys: dict[int, str] = {}
        self._taken: set[str] = set()
        self._seen: set[int] = set()
        self._waiting: deque[Any] = deque()

    def variables(self) -> frozenset[str]:
        """The environment variables that the code reads."""
        return frozenset(self._variables | self._may_be_variables if self._any_variable else self._variables)

    def title(self, module: str | None) -> str:
        """What a module is called in names of parts: that of the step has no name, as a script has none either."""
        return _HERE if module is None or module in self._here else module

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
                        self._add_named(f"{self.title(thing.__name__)}.{name}", member)
        return self._parts

    # What values refer to: see `Described`.

    def reference(self, thing: types.FunctionType | type | types.ModuleType) -> bytes:
        """A function, class or module as another piece refers to it; makes sure that it becomes a part."""
        module = thing.__name__ if isinstance(thing, types.ModuleType) else module_of(thing)
        title = self.title(module)
        name = title if isinstance(thing, types.ModuleType) else f"{title}.{thing.__qualname__}"
        own = is_own_function(thing) if isinstance(thing, types.FunctionType) else is_own(module)
        if not own:
            self._add_distribution(str(module))
            if module == "decimal":
                self._parts["decimal.getcontext()"] = _decimal_context()
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
        all_codes = list(codes(function.__code__))
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
        names = {name for code in all_codes for name in code.co_names}
        wanted = names & function.__globals__.keys()
        if names & _ANY_GLOBAL and any(calls(code, _ANY_GLOBAL) for code in all_codes):
            wanted = {name for name in function.__globals__ if not name.startswith("__")}
        for name in sorted(wanted):
            value = self.title(function.__module__) if name == "__name__" else function.__globals__[name]
            self._add_global(f"{self.title(function.__module__)}.{name}", value, names)
        for code in all_codes:
            found = set(variables(code, function.__globals__))
            self._any_variable = self._any_variable or None in found
            self._variables.update(each for each in found if each is not None)
            self._may_be_variables.update(names_of_variables(code))
            self.is_followed = self.is_followed and not reaches_anything(code, function.__globals__)
            for module in self._imported(code, function.__globals__):
                self._add_global(self.title(module.__name__), module, names)

    def _add_global(self, name: str, value: Any, names: Collection[str]) -> None:
        """Takes in what a global name stands for; of a module of the user's own, the members that the code names."""
        if isinstance(value, tuple | list | set | frozenset | str):
            texts = (value,) if isinstance(value, str) else value
            self._may_be_variables.update(each for each in texts if isinstance(each, str) and each.isupper())
        if not isinstance(value, types.ModuleType) or not is_own(value.__name__) or _BY_NAME & set(names):
            self._add_named(name, value)
            if isinstance(value, types.ModuleType | type):
                self._add_own_within(value, set(names))
            return
        for member in sorted(vars(value).keys() & {*names, "__getattr__"}):
            if vars(value)[member] is not value:
                title = f"{self.title(value.__name__)}.{member}"
                self._add_global(title, vars(value)[member], set(names) - {member})

    def _add_own_within(self, library: types.ModuleType | type, names: Collection[str]) -> None:
        """Takes in what somebody has put into a library's module or class: a function that stands in for its own."""
        module = library.__name__ if isinstance(library, types.ModuleType) else module_of(library)
        if is_own(module):
            return
        for member in sorted(vars(library).keys() & names):
            value = vars(library)[member]
            if isinstance(value, types.ModuleType | type) and value is not library:
                self._add_own_within(value, set(names) - {member})
            if _has_own_code(value):
                self._add_named(f"{module}.{member}", value)

    def _imported(self, code: types.CodeType, names: dict[str, Any]) -> Iterator[types.ModuleType]:
        """Modules that code imports while it runs. The user's own are imported now: what they do counts."""
        for module, members, level in imports(code):
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


def _decimal_context() -> Digest:
    """The context variable that decimal numbers are computed in."""
    import decimal

    now = decimal.getcontext()
    return tagged(b"decimal", repr((now.prec, now.rounding, now.Emin, now.Emax, now.capitals, now.clamp)).encode())


def _has_own_code(value: Any) -> bool:
    if isinstance(value, types.MethodType | staticmethod | classmethod):
        value = value.__func__
    if isinstance(value, types.FunctionType):
        return is_own_function(inspect.unwrap(value)) or is_own_function(value)
    return is_own(value.__name__ if isinstance(value, types.ModuleType) else _kind_of(value))


def _kind_of(value: Any) -> str | None:
    """The module that says what a value can do: of a class its own, else its class's."""
    return module_of(value if isinstance(value, type) else type(value)) or "builtins"


def _is_function(member: Any) -> bool:
    return isinstance(member, types.FunctionType | staticmethod | classmethod | property)


def _is_empty(cell: types.CellType) -> bool:
    """Whether a name is not bound yet: that of the function itself, while it is being made."""
    try:
        return cell.cell_contents is cell
    except ValueError:
        return True


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
