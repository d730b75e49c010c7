"""What a step's function takes and gives, read from its annotations and, for tuples, from its code."""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args, get_origin

from artfs.errors import InvalidValue
from artfs.pipelines.define.config import ArtifactConfig


@dataclass(frozen=True)
class InputSpec:
    """An input: its annotation (Any when there is none), and its default if it has one."""

    name: str
    annotation: Any
    default: Any
    required: bool


@dataclass(frozen=True)
class OutputSpec:
    """An output. slot: the given name, which may hold placeholders, or `output`, `output_0`, ... by position."""

    slot: str
    annotation: Any
    config: ArtifactConfig
    named: bool


@dataclass(frozen=True)
class Signature:
    """A step's interface. as_tuple: the function's tuple is several outputs, not one value."""

    inputs: Mapping[str, InputSpec]
    outputs: tuple[OutputSpec, ...]
    as_tuple: bool

    def bind(self, arguments: tuple[Any, ...], named: Mapping[str, Any], owner: str) -> dict[str, Any]:
        """Arguments by input name. Raises InvalidValue for unknown, doubled or missing ones."""
        names = list(self.inputs)
        if len(arguments) > len(names):
            raise InvalidValue(f"{owner} takes {len(names)} inputs but was given {len(arguments)}")
        bound = dict(zip(names, arguments, strict=False))
        for name, value in named.items():
            if name not in self.inputs:
                raise InvalidValue(f"{owner} has no input '{name}'; it has: {', '.join(names) or 'none'}", subject=name)
            if name in bound:
                raise InvalidValue(f"{owner} was given its input '{name}' twice", subject=name)
            bound[name] = value
        return bound

    def missing(self, bound: Mapping[str, Any]) -> list[str]:
        """The inputs without a value and without a default."""
        return [name for name, spec in self.inputs.items() if spec.required and name not in bound]


def signature_of(function: Callable[..., Any]) -> Signature:
    """Reads a step's interface. Raises InvalidValue for what a step cannot have."""
    name = plain_function(function).__name__
    _check_kind(function, name)
    parameters = inspect.signature(function).parameters
    annotations = _annotations(function)
    inputs = {}
    for parameter in parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InvalidValue(f"step '{name}': a step cannot take *{parameter.name}; name each of its inputs")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise InvalidValue(f"step '{name}': inputs are given by name; take the '/' out of its signature")
        annotation = annotations.get(parameter.name, Any)
        required = parameter.default is parameter.empty
        default = None if required else parameter.default
        inputs[parameter.name] = InputSpec(parameter.name, annotation, default, required)
    outputs, as_tuple = _outputs(function, annotations.get("return", inspect.Signature.empty))
    _check_slots(name, outputs)
    return Signature(inputs, outputs, as_tuple)


def check_function(function: object, what: str) -> None:
    """Raises InvalidValue for what is no function: `step(5)`, `@step("name")`, a class."""
    plain = plain_function(function)
    if isinstance(plain, type) or not callable(plain) or not hasattr(plain, "__name__"):
        raise InvalidValue(f"a {what} is made of a function, not of {plain!r}: write '@{what}' above a 'def'")


def plain_function(function: Any) -> Any:
    """The function that a `functools.partial` calls."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _check_kind(function: Callable[..., Any], name: str) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidValue(f"step '{name}': a step cannot be a generator; return all it makes, as a list", subject=name)
    if inspect.iscoroutinefunction(function):
        raise InvalidValue(f"step '{name}': a step cannot be async; call asyncio.run(...) in it", subject=name)
    if next(iter(inspect.signature(function).parameters), "") == "self":
        raise InvalidValue(f"step '{name}': a method cannot be a step; make it a function", subject=name)


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(plain_function(function), include_extras=True)
    except NameError as error:
        raise InvalidValue(
            f"step '{plain_function(function).__name__}': an annotation names something that is not there: {error}; "
            "import it in the module of the step",
            subject=plain_function(function).__name__,
        ) from None


def _outputs(function: Callable[..., Any], annotation: Any) -> tuple[tuple[OutputSpec, ...], bool]:
    if annotation is types.NoneType or annotation is None:
        return (), False
    if annotation is inspect.Signature.empty:
        return ((), False) if not _returns_values(function) else ((_output("output", Any),), False)
    parts = get_args(annotation) if get_origin(annotation) is tuple else ()
    if parts and parts[-1] is not Ellipsis and (_all_named(parts) or _returns_tuple_literal(function)):
        return tuple(_output(f"output_{index}", part) for index, part in enumerate(parts)), True
    return (_output("output", annotation),), False


def _output(default: str, annotation: Any) -> OutputSpec:
    if get_origin(annotation) is not Annotated:
        return OutputSpec(default, annotation, ArtifactConfig(), named=False)
    kind, *notes = get_args(annotation)
    config = ArtifactConfig()
    for note in notes:
        if isinstance(note, str):
            config = replace(config, name=note)
        elif isinstance(note, ArtifactConfig):
            config = note if note.name or not config.name else replace(note, name=config.name)
    return OutputSpec(config.name or default, kind, config, named=config.name is not None)


def _all_named(parts: tuple[Any, ...]) -> bool:
    return all(get_origin(part) is Annotated for part in parts)


def _check_slots(name: str, outputs: tuple[OutputSpec, ...]) -> None:
    slots = [output.slot for output in outputs]
    for slot in slots:
        if slots.count(slot) > 1:
            raise InvalidValue(
                f"step '{name}': two outputs are named '{slot}'; give each a name of its own", subject=slot
            )


def _returns_values(function: Callable[..., Any]) -> bool:
    returns = _returns(function)
    if returns is None:
        return any(before.opname != "LOAD_CONST" or before.argval is not None for before in _before_returns(function))
    return any(node.value is not None for node in returns)


def _returns_tuple_literal(function: Callable[..., Any]) -> bool:
    """Whether the function says `return a, b`: several outputs, against `return some_tuple`, which is one."""
    returns = _returns(function)
    if returns is None:
        values = [
            before for before in _before_returns(function) if before.opname != "LOAD_CONST" or before.argval is not None
        ]
        return bool(values) and all(
            before.opname == "BUILD_TUPLE" or isinstance(before.argval, tuple) for before in values
        )
    literals = [isinstance(node.value, ast.Tuple) for node in returns if node.value is not None]
    return bool(literals) and all(literals)


def _returns(function: Callable[..., Any]) -> list[ast.Return] | None:
    """The function's return statements; None when there is no source, as for what was typed at a prompt."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(plain_function(function))))
    except (OSError, SyntaxError):
        return None
    body = next((node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)), None)
    return _own_returns(body.body) if body is not None else None


def _before_returns(function: Callable[..., Any]) -> list[dis.Instruction]:
    """What puts the value on the stack that is returned, for each place where the function returns."""
    found = []
    previous = None
    for instruction in dis.get_instructions(inspect.unwrap(plain_function(function))):
        if instruction.opname == "RETURN_CONST":
            found.append(instruction._replace(opname="LOAD_CONST"))
        elif instruction.opname == "RETURN_VALUE" and previous is not None:
            found.append(previous)
        previous = instruction
    return found


def _own_returns(statements: list[ast.stmt]) -> list[ast.Return]:
    """Return statements of a function's own body, not of functions within it."""
    found: list[ast.Return] = []
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return):
            found.append(node)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))
    return found
