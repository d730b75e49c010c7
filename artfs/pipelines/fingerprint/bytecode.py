"""What byte code says that it uses: imports, environment variables, and other code in ways that cannot be followed."""

from __future__ import annotations

import dis
import importlib
import os
import re
import sys
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

_IMPORT = dis.opmap["IMPORT_NAME"]
_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_ATTR", "LOAD_METHOD", "LOAD_DEREF")
_ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb"})
_LIKE_A_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_BY_ANY_NAME = frozenset({"import_module", "__import__", "__subclasses__", "run_path", "run_module"})
_RUN = frozenset({"eval", "exec"})
"""Whoever calls one of these may reach any code."""


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Code, and that of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def calls(code: types.CodeType, functions: Collection[str]) -> bool:
    """Whether code names one of these functions, not only a method that is called so."""
    return any(
        instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and instruction.argval in functions
        for instruction in dis.get_instructions(code)
    )


def imports(code: types.CodeType) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """The import statements in code: module, members, and how many packages up a relative one begins."""
    if _IMPORT not in code.co_code[::2]:
        return
    before: list[Any] = [0, None]
    for instruction in dis.get_instructions(code):
        if instruction.opcode == _IMPORT:
            yield instruction.argval, before[-1] or (), before[-2]
        if instruction.opname == "LOAD_CONST":
            before.append(instruction.argval)


def variables(code: types.CodeType, names: Mapping[str, Any]) -> Iterator[str | None]:
    """The environment variables that code reads under a literal name, or one that a global constant holds.

    None stands for those that it reads under a name from elsewhere: see `names_of_variables`.
    """
    aliases = {name for name in code.co_names if _is_environment(names.get(name))}
    if not (_ENVIRONMENT | aliases) & {*code.co_names, *code.co_freevars}:
        return
    found = list(dis.get_instructions(code))
    for index, instruction in enumerate(found):
        if instruction.opname in _LOADS and instruction.argval in _ENVIRONMENT | aliases:
            if index + 1 < len(found) and found[index + 1].opname == "CONTAINS_OP":
                yield _text(_before(found, index), names)
            elif not _is_only_set(found[index + 1 : index + 4]):
                yield _text(_argument(found[index + 1 : index + 8]), names)


def names_of_variables(code: types.CodeType) -> Iterator[str]:
    """The constants in code that look like names of environment variables: a helper may be given one of them."""
    for constant in code.co_consts:
        for text in constant if isinstance(constant, tuple | frozenset) else (constant,):
            if isinstance(text, str) and _LIKE_A_VARIABLE.fullmatch(text):
                yield text


def reaches_anything(code: types.CodeType, names: Mapping[str, Any]) -> bool:
    """Whether code may reach other code by names that it computes."""
    named = set(code.co_names)
    if named & _BY_ANY_NAME or (named & _RUN and calls(code, _RUN)):
        return True
    values = [names.get(name) for name in named]
    if any(value is sys.modules or value is importlib.import_module for value in values):
        return True
    if "modules" in named and any(value is sys for value in values):
        return True
    return "getattr" in named and _asks_a_module(code, names)


def _asks_a_module(code: types.CodeType, names: Mapping[str, Any]) -> bool:
    """Whether `getattr` is given a module or class, and a name that is computed."""
    found = list(dis.get_instructions(code))
    for index, instruction in enumerate(found[:-2]):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and instruction.argval == "getattr":
            of, name = found[index + 1], found[index + 2]
            value = names.get(of.argval) if of.opname in ("LOAD_GLOBAL", "LOAD_NAME") else None
            if isinstance(value, types.ModuleType | type) and name.opname != "LOAD_CONST":
                return True
    return False


def _is_environment(value: Any) -> bool:
    return any(value is each for each in (os.environ, os.environb, os.getenv, os.getenvb))


def _before(found: Sequence[dis.Instruction], index: int) -> dis.Instruction | None:
    """What `"NAME" in os.environ` loads first."""
    for instruction in reversed(found[:index]):
        if instruction.opname in ("LOAD_CONST", "LOAD_GLOBAL") and not (
            instruction.opname == "LOAD_GLOBAL" and instruction.argval == "os"
        ):
            return instruction
        if instruction.opname not in ("LOAD_GLOBAL", "LOAD_ATTR", "PUSH_NULL"):
            return None
    return None


def _is_only_set(after: Sequence[dis.Instruction]) -> bool:
    return len(after) > 1 and after[1].opname in ("STORE_SUBSCR", "DELETE_SUBSCR")


def _argument(after: Sequence[dis.Instruction]) -> dis.Instruction | None:
    """The name that is asked for."""
    for instruction in after:
        if instruction.opname in ("LOAD_CONST", "LOAD_GLOBAL", "LOAD_NAME"):
            return instruction
        if instruction.opname not in ("LOAD_METHOD", "LOAD_ATTR", "PUSH_NULL", "PRECALL", "CACHE"):
            return None
    return None


def _text(instruction: dis.Instruction | None, names: Mapping[str, Any]) -> str | None:
    if instruction is None:
        return None
    value = instruction.argval if instruction.opname == "LOAD_CONST" else names.get(instruction.argval)
    if isinstance(value, bytes):
        value = os.fsdecode(value)
    return value if isinstance(value, str) and value else None
