"""The text of docs/reference.md: signatures and docstrings of the public names, then all commands with their options.

Signatures are those of the source text, so that the page does not depend on the release of Python.
"""

from __future__ import annotations

import ast
import enum
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import pairwise
from types import ModuleType
from typing import Any

import click

HEAD = """# Reference

Made by `scripts/reference` from the docstrings and the commands: change those, then run it again.
"""


@dataclass(frozen=True)
class Section:
    """A part of the page: some public names of a module, all when none are given."""

    title: str
    module: str
    names: tuple[str, ...] = ()


PUBLIC = (
    "save_artifact",
    "load_artifact",
    "register_artifact",
    "log_artifact_metadata",
    "log_metadata",
    "add_tags",
    "remove_tags",
    "Tag",
    "Model",
    "link_artifact_to_model",
    "step",
    "pipeline",
    "get_step_context",
    "ArtifactConfig",
    "ExternalArtifact",
)

SECTIONS = (
    Section("Saving, loading and pipelines: `artfs`", "artfs", PUBLIC),
    Section("Client: `artfs.client`", "artfs.client", ("Client",)),
    Section("Filters of lists: `artfs.client`", "artfs.client.filters", ("Filter", "MetadataFilter")),
    Section("Versions: `artfs.objects.version`", "artfs.objects.version"),
    Section("Artifacts: `artfs.objects.artifact`", "artfs.objects.artifact"),
    Section("Pipelines: `artfs.objects.pipeline`", "artfs.objects.pipeline"),
    Section("Runs: `artfs.objects.run`", "artfs.objects.run"),
    Section("Metadata: `run_metadata`", "artfs.objects.metadata"),
    Section("Models: `artfs.objects.model`", "artfs.objects.model"),
    Section("Lineage: `version.lineage`", "artfs.objects.lineage"),
    Section("Tags: `artfs.objects.tag`", "artfs.objects.tag"),
    Section("Why a step ran: `step_run.explain()`", "artfs.lineage.explain", ("Explanation",)),
    Section(
        "Steps and pipelines: `artfs.pipelines`", "artfs.pipelines", ("Step", "Pipeline", "StepContext", "CachePolicy")
    ),
    Section("Where steps run: `artfs.pipelines.executors`", "artfs.pipelines.executors", ("Executor",)),
    Section("Lists in pages: `artfs.objects.pagination`", "artfs.objects.pagination", ("Page",)),
    Section("Materializers: `artfs.materializers`", "artfs.materializers.base", ("BaseMaterializer",)),
    Section("Stores of your own: `artfs.stores`", "artfs.stores.artifact_store", ("BaseArtifactStore",)),
    Section(
        "Stores that do better than files: `artfs.stores`",
        "artfs.stores.backend",
        ("Backend", "Capabilities", "Stored", "Listed", "PlaceReader"),
    ),
    Section("Files in stores: `artfs.io.fileio`", "artfs.io.fileio"),
    Section("Files in stores, whole: `artfs.io.io_utils`", "artfs.io.io_utils"),
    Section("Enumerations: `artfs.enums`", "artfs.enums"),
    Section("Errors: `artfs.errors`", "artfs.errors"),
)

_HEADING = re.compile(r"^(Args|Raises|Returns|Yields|Example|Examples|Attributes):$")
_ITEM = re.compile(r"^(\*{0,2}[\w.\[\]]+(?:, \*{0,2}[\w.\[\]]+)*): (.*)$", re.DOTALL)


def page() -> str:
    """Return the whole page."""
    sections = [HEAD, *(_section(section) for section in SECTIONS), _commands()]
    titles = [*(section.title for section in SECTIONS), "Commands"]
    contents = "\n".join(f"- [{title}](#{_anchor(title)})" for title in titles)
    return "\n".join([sections[0], contents, "", *sections[1:]]).rstrip() + "\n"


def _anchor(title: str) -> str:
    """The anchor that Markdown viewers give a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


# Python.


def _section(section: Section) -> str:
    module = import_module(section.module)
    parts = [f"## {section.title}\n"]
    if module.__doc__:
        parts.append(_prose(inspect.cleandoc(module.__doc__)))
    members = [(name, getattr(module, name)) for name in section.names or _public_names(module)]
    if members and all(inspect.isclass(value) and issubclass(value, BaseException) for _, value in members):
        parts.append(_errors(members))
    else:
        parts += [_member(module, name, value) for name, value in members]
    return "\n".join(parts)


def _public_names(module: ModuleType) -> list[str]:
    """The names in `__all__`, or else what the module itself defines, in the order of its text."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    nodes = _body(module).values()
    return [
        node.name
        for node in nodes
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")
    ]


def _member(module: ModuleType, name: str, value: Any) -> str:
    if (text := _text_below(module, name)) is not None:
        return f"### {name}\n\n{_prose(text)}"
    if inspect.isclass(value):
        return _enumeration(value) if issubclass(value, enum.Enum) else _class(value)
    return _function(f"### {name}", _definition(value), dotted=name)


def _class(kind: type[Any]) -> str:
    node = _definition(kind)
    assert isinstance(node, ast.ClassDef)
    methods = _methods(kind)
    bases = ", ".join(text for base in node.bases if not (text := ast.unparse(base)).startswith("_"))
    arguments = _arguments(methods["__init__"], method=True) if "__init__" in methods else ""
    shown = f"class {kind.__name__}" + (f"({bases})" if bases and bases not in ("ABC",) else "")
    parts = [f"### {kind.__name__}\n", f"```python\n{shown}\n```\n"]
    if arguments:
        parts[1] = f"```python\n{kind.__name__}({arguments})\n```\n"
    parts.append(_docstring(node))
    values = [
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.target.id.isupper()
    ]
    if values:
        parts.append("Class variables: " + ", ".join(f"`{value}`" for value in values) + ".\n")
    properties = [(name, each) for name, each in methods.items() if _is_property(each) and not name.startswith("_")]
    if properties:
        parts.append("| property | type | what it is |\n|---|---|---|")
        for name, each in properties:
            returns = ast.unparse(each.returns) if each.returns else ""
            text = " ".join((ast.get_docstring(each) or "").split())
            parts.append(f"| `{name}` | {_code_cell(returns)} | {_cell(text)} |")
        parts.append("")
    for name, each in methods.items():
        if not name.startswith("_") and not _is_property(each):
            parts.append(_function(f"#### {kind.__name__}.{name}", each, dotted=name, method=True))
    return "\n".join(parts)


def _methods(kind: type[Any]) -> dict[str, ast.FunctionDef]:
    """What a class defines, by name, and what it has of bases that are not public themselves."""
    found: dict[str, ast.FunctionDef] = {}
    for base in reversed(kind.__mro__):
        if base is kind or base.__name__.startswith("_"):
            node = _definition(base)
            assert isinstance(node, ast.ClassDef)
            found.update({each.name: each for each in node.body if isinstance(each, ast.FunctionDef)})
    return found


def _is_property(node: ast.FunctionDef) -> bool:
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return bool(names & {"property", "cached_property"})


def _function(heading: str, node: ast.AST, *, dotted: str, method: bool = False) -> str:
    """A heading, the signature and the docstring of a function."""
    assert isinstance(node, ast.FunctionDef)
    static = any(ast.unparse(decorator) == "staticmethod" for decorator in node.decorator_list)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    signature = f"{dotted}({_arguments(node, method=method and not static)}){returns}"
    if len(signature) > 100:
        listed = _arguments(node, method=method and not static, separator=",\n    ")
        signature = f"{dotted}(\n    {listed},\n){returns}"
    return f"{heading}\n\n```python\n{signature}\n```\n\n{_docstring(node)}"


def _arguments(node: ast.FunctionDef, *, method: bool, separator: str = ", ") -> str:
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [*[None] * (len(positional) - len(given.defaults)), *given.defaults]
    shown = [_argument(arg, default) for arg, default in zip(positional, defaults, strict=True)]
    if given.posonlyargs:
        shown.insert(len(given.posonlyargs), "/")
    if method:
        shown = shown[1:]
    if given.vararg:
        shown.append("*" + _argument(given.vararg, None))
    elif given.kwonlyargs:
        shown.append("*")
    shown += [_argument(arg, default) for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg:
        shown.append("**" + _argument(given.kwarg, None))
    return separator.join(shown)


def _argument(arg: ast.arg, default: ast.expr | None) -> str:
    annotation = f": {ast.unparse(arg.annotation)}" if arg.annotation else ""
    equals = " = " if annotation else "="
    return arg.arg + annotation + (equals + ast.unparse(default) if default is not None else "")


def _enumeration(kind: type[enum.Enum]) -> str:
    rows = "\n".join(f"| `{member.name}` | `{member.value}` |" for member in kind)
    return f"### {kind.__name__}\n\n{_docstring(_definition(kind))}\n| name | value |\n|---|---|\n{rows}\n"


def _errors(members: list[tuple[str, Any]]) -> str:
    """A table: all errors are used in the same way."""
    rows = []
    for name, kind in members:
        bases = ", ".join(f"`{base.__name__}`" for base in kind.__bases__)
        text = (ast.get_docstring(_definition(kind)) or "").partition("\n\n")[0]  # type: ignore[arg-type]
        rows.append(f"| `{name}` | {bases} | {_cell(' '.join(text.split()))} |")
    return "| error | is also | when |\n|---|---|---|\n" + "\n".join(rows) + "\n"


@cache
def _body(module: ModuleType) -> dict[str, ast.stmt]:
    """The classes and functions that a module's text defines, by name."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found[node.name] = node
    return found


def _definition(value: Any) -> ast.stmt:
    value = inspect.unwrap(value)
    return _body(import_module(value.__module__))[value.__name__]


def _text_below(module: ModuleType, name: str) -> str | None:
    """The text right below a constant; None for anything else, and for a second name of a function."""
    body = ast.parse(inspect.getsource(module)).body
    for node, below in pairwise(body):
        is_named = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name
        if is_named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            return inspect.cleandoc(str(below.value.value))
    return None


# Docstrings.


def _docstring(node: ast.AST) -> str:
    text = ast.get_docstring(node) or ""  # type: ignore[arg-type]
    parts = []
    for heading, block in _blocks(text):
        if heading is None:
            parts.append(_prose(block))
        elif heading.startswith("Example"):
            parts.append(f"```python\n{block}\n```\n")
        else:
            words = {"Args": "Arguments"}
            parts.append(f"{words.get(heading, heading)}:\n\n" + "\n".join(_items(block)) + "\n")
    return "\n".join(parts)


def _blocks(text: str) -> Iterator[tuple[str | None, str]]:
    """Split a docstring into what is prose (None) and what stands below `Args:` and its like."""
    heading: str | None = None
    lines: list[str] = []
    for line in [*text.splitlines(), "Args:"]:
        found = _HEADING.match(line)
        ends = heading is not None and line and not line.startswith(" ")
        if found or ends:
            block = textwrap.dedent("\n".join(lines)).strip("\n")
            if block.strip():
                yield heading, block
            heading, lines = (found[1] if found else None), ([] if found else [line])
        else:
            lines.append(line)


def _items(block: str) -> Iterator[str]:
    """One list item for each entry; the lines of an entry are indented below its first."""
    entries: list[str] = []
    for line in block.splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += " " + line.strip()
        elif line.strip():
            entries.append(line.strip())
    for entry in entries:
        found = _ITEM.match(entry)
        if found is None:
            yield f"- {_escaped(entry)}"
        else:
            names = ", ".join(f"`{name}`" for name in found[1].split(", "))
            yield f"- {names}: {_escaped(found[2])}"


def _prose(text: str) -> str:
    """Running text as it is; what is indented becomes a block of code, as Markdown has it with four columns."""
    return _escaped(text) + "\n"


def _escaped(text: str) -> str:
    """Angle brackets outside of code would be taken for HTML."""
    parts = text.split("`")
    parts[::2] = [part.replace("<", "&lt;") if "    " not in part else part for part in parts[::2]]
    return "`".join(parts)


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|")


def _code_cell(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


# Commands.


def _commands() -> str:
    from artfs.cli.root import cli

    context = click.Context(cli, info_name="artfs")
    return "\n".join(["## Commands\n", *_command(cli, context)])


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"### {context.command_path}\n\n```console\n$ {usage}\n```\n"
    yield _prose(inspect.cleandoc(command.help or "").replace("\b\n", "").partition("\f")[0])
    records = [
        record
        for parameter in command.params
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context))
    ]
    if records:
        rows = "\n".join(f"| `{_cell(names)}` | {_cell(' '.join(text.split()))} |" for names, text in records)
        yield f"| option | |\n|---|---|\n{rows}\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            if not found.hidden:
                yield from _command(found, click.Context(found, info_name=name, parent=context))
