"""Filters, sorting and pages of lists, compiled to SQL whose values are all parameters.

A filter names a field and gives what it must be: a plain value (equals), a text `operator:value` such as `gt:5` or
`oneof:["a", "b"]`, a pair `(operator, value)`, or a list of such conditions. Only fields that the noun declares exist;
an unknown field or operator is an InvalidValue. The scope of a list is not part of the filter: with `any_of` the
conditions are joined by OR within the scope, never beyond it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from artfs.content.digest import parse_digest
from artfs.errors import InvalidValue

Where = Mapping[str, object]
IsRare = Callable[[str, Mapping[str, Any]], bool]

OPERATORS = (
    "equals", "notequals", "contains", "notcontains", "startswith", "endswith", "oneof", "notoneof", "in",
    "isnull", "isnotnull", "gt", "gte", "lt", "lte",
)  # fmt: skip

MAX_PAGE = 10_000

_COMPARISONS = {"equals": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_LEADING = {"equals": "=", "oneof": "IN", "gt": ">=", "gte": ">=", "lt": "<=", "lte": "<="}
_PATTERNS = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
_NEGATIONS = {"notequals": "equals", "notcontains": "contains", "notoneof": "oneof", "isnotnull": "isnull"}
# `gt:5` is an operator and a value; `s3://bucket`, `12:30` and `pipeline::step` are values.
_OPERATOR = re.compile(r"([a-z]+):(?![:/])(.*)|(isnull|isnotnull)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Field:
    """Something that can be filtered and sorted by.

    Args:
        sql: expression of the row; or, within `exists`, of the related row.
        kind: `text`, `number`, `time`, `bool` or `bytes`: how a value is read.
        exists: for a related table, `EXISTS (... AND {})` or `x IN (... {})`: the condition goes where the braces are.
        rare: the same as a SELECT of the rows' ids, which is better where few fulfil the condition.
        sort: expression to sort by, if not `sql`; empty if it cannot be sorted by.
    """

    sql: str
    kind: str = "text"
    exists: str = ""
    rare: str = ""
    sort: str | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a noun.

    Args:
        named: by name.
        tiebreak: the rows' id, which makes any order total.
        order: what to sort by where nothing is asked for; by the tiebreak alone if empty.
        prefixed: for families such as `metadata.<key>`: returns the field of a key, as text or as number.
    """

    named: Mapping[str, Field]
    tiebreak: str
    prefixed: Mapping[str, Callable[[str], MetadataField]] = field(default_factory=dict)
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetadataField:
    """A key of typed rows.

    Args:
        key: the key.
        text, number: the columns.
        each: what is true of a row whose value fulfils the `{condition}`, looked at row by row: `{key}` is the key.
        rare: the same for numbers, as a SELECT of the rows' ids, which is better where few fulfil it.
        leading: the start of the text that the index of texts has; `rare` holds for conditions of it, too.
        order: what to sort by, first to last, with `:sort_key` for the key.
    """

    key: str
    text: str
    number: str
    each: str
    rare: str
    leading: Callable[[str], str]
    order: tuple[str, str]


@dataclass(slots=True)
class _Compiler:
    fields: Fields
    is_rare: IsRare
    parameters: dict[str, Any] = field(default_factory=dict)

    def mark(self, value: object) -> str:
        name = f"f{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def related(self, each: str, rare: str) -> str:
        """What is true of a row: looked at row by row, or found first if that is few rows."""
        found_first = rare and self.is_rare(rare, self.parameters)
        return f"({self.fields.tiebreak} IN ({rare}))" if found_first else f"({each})"


def compile_where(
    fields: Fields, where: Where | None, *, any_of: bool = False, is_rare: IsRare = lambda sql, parameters: False
) -> tuple[str, dict[str, Any]]:
    """Return a condition in parentheses and its parameters (named `f<number>`).

    Args:
        fields: what can be filtered.
        where: field -> condition, as the module says.
        any_of: whether one of the conditions is enough.
        is_rare: whether a SELECT (with parameters) finds few rows; asked for what fields have as `rare`.
    """
    compiler = _Compiler(fields, is_rare)
    conditions = [
        _condition(compiler, name, operator, value)
        for name, given in (where or {}).items()
        for operator, value in _conditions(name, given)
    ]
    if not conditions:
        return "(1 = 1)", {}
    return "(" + (" OR " if any_of else " AND ").join(conditions) + ")", compiler.parameters


def compile_order(fields: Fields, sort: str | None) -> tuple[str, dict[str, Any]]:
    """Return what follows ORDER BY for `asc:field`, `desc:field` or `field`, and its parameters."""
    if sort is None:
        return ", ".join(fields.order or (fields.tiebreak,)), {}
    direction, _, name = str(sort).rpartition(":")
    if direction not in ("", "asc", "desc"):
        raise InvalidValue(f"cannot sort by '{sort}': write 'asc:{name}' or 'desc:{name}'", subject=sort)
    # What has no value is less than any: said, as engines differ.
    upper = "DESC NULLS LAST" if direction == "desc" else "ASC NULLS FIRST"
    found = _field(fields, name)
    if isinstance(found, MetadataField):
        number, text = found.order
        return f"{number} {upper}, {text} {upper}, {fields.tiebreak} {upper}", {"sort_key": found.key}
    expression = found.sql if found.sort is None else found.sort
    if not expression:
        raise InvalidValue(f"cannot sort by '{name}'", subject=name)
    return f"{expression} {upper}" + ("" if expression == fields.tiebreak else f", {fields.tiebreak} {upper}"), {}


def compile_page(page: int, size: int | None) -> tuple[str, dict[str, Any]]:
    """Return LIMIT and OFFSET for a page, counted from 1, and their parameters; all rows for no size."""
    if size is None:
        if page != 1:
            raise InvalidValue("a page needs a size")
        return "", {}
    if page < 1 or not 1 <= size <= MAX_PAGE:
        raise InvalidValue(f"page {page} of {size} rows: pages count from 1 and have 1 to {MAX_PAGE} rows")
    return "LIMIT :page_size OFFSET :page_start", {"page_size": size, "page_start": (page - 1) * size}


def _conditions(name: str, given: object) -> Sequence[tuple[str, object]]:
    """The (operator, value) pairs of what was given for a field."""
    if isinstance(given, list):
        return [pair for each in given for pair in _conditions(name, each)]
    if isinstance(given, tuple):
        if len(given) != 2:
            raise InvalidValue(f"filter {name}={given!r}: give (operator, value)", subject=name)
        return [(_known(name, str(given[0]), given[1]), given[1])]
    if isinstance(given, str) and (match := _OPERATOR.fullmatch(given)):
        if match[3]:
            return [(match[3], None)]
        return [(_known(name, match[1], match[2]), match[2])]
    return [("isnull", None)] if given is None else [("equals", given)]


def _known(name: str, operator: str, value: object) -> str:
    if operator not in OPERATORS:
        raise InvalidValue(
            f"filter {name}: unknown operator '{operator}' (known: {', '.join(OPERATORS)}); for a value with a colon "
            f"write 'equals:{operator}:{value}'",
            subject=name,
        )
    return "oneof" if operator == "in" else operator


def _field(fields: Fields, name: str) -> Field | MetadataField:
    prefix, dot, key = name.partition(".")
    if dot and key and prefix in fields.prefixed:
        return fields.prefixed[prefix](key)
    if name not in fields.named:
        known = [*fields.named, *(f"{prefix}.<key>" for prefix in fields.prefixed)]
        raise InvalidValue(f"unknown field '{name}' (known: {', '.join(sorted(known))})", subject=name)
    return fields.named[name]


def _condition(compiler: _Compiler, name: str, operator: str, value: object) -> str:
    found = _field(compiler.fields, name)
    if operator in _NEGATIONS:
        # COALESCE: what is NULL does not equal a value.
        return f"(NOT COALESCE({_condition(compiler, name, _NEGATIONS[operator], value)}, 1 = 0))"
    if isinstance(found, MetadataField):
        return _metadata_condition(compiler, found, name, operator, value)
    if found.exists:
        # Of a related table: "is null" means that there is no such row.
        inner = "1 = 1" if operator == "isnull" else _test(compiler, found.sql, found.kind, name, operator, value)
        exists = compiler.related(found.exists.format(inner), found.rare.format(inner))
        return f"(NOT COALESCE({exists}, 1 = 0))" if operator == "isnull" else exists
    if operator == "isnull":
        return f"({found.sql} IS NULL)"
    return f"({_test(compiler, found.sql, found.kind, name, operator, value)})"


def _metadata_condition(compiler: _Compiler, found: MetadataField, name: str, operator: str, value: object) -> str:
    key = compiler.mark(found.key)
    if operator == "isnull":
        return f"(NOT {found.each.format(key=key, condition='1 = 1')})"
    tests = []
    if _may_be_number(operator, value):
        condition = _test(compiler, found.number, "number", name, operator, value)
        each, rare = (sql.format(key=key, condition=condition) for sql in (found.each, found.rare))
        tests.append(compiler.related(each, rare))
    if _may_be_text(operator, value):
        condition = _test(compiler, found.text, "text", name, operator, value)
        each, rare = found.each.format(key=key, condition=condition), ""
        if operator in _LEADING:
            leading = _leading(compiler, found, name, operator, value)
            rare = found.rare.format(key=key, condition=f"{leading} AND {condition}")
        tests.append(compiler.related(each, rare))
    return f"({' OR '.join(tests)})"


def _leading(compiler: _Compiler, found: MetadataField, name: str, operator: str, value: object) -> str:
    """What is true of the start of a text that fulfils a condition."""
    start = found.leading(found.text)
    if operator == "oneof":
        starts = [found.leading(compiler.mark(_read("text", name, each))) for each in _listed(value)]
        return f"{start} IN ({', '.join(starts) or 'NULL'})"
    return f"{start} {_LEADING[operator]} {found.leading(compiler.mark(_read('text', name, value)))}"


def _may_be_number(operator: str, value: object) -> bool:
    values = _listed(value) if operator == "oneof" else [value]
    return operator not in _PATTERNS and all(_as_float(each) is not None for each in values)


def _may_be_text(operator: str, value: object) -> bool:
    """A text that looks like a number may be either, but is compared by size as a number."""
    if _may_be_number(operator, value):
        return operator in ("equals", "oneof") and not isinstance(value, int | float)
    return True


def _test(compiler: _Compiler, sql: str, kind: str, name: str, operator: str, value: object) -> str:
    if operator in _PATTERNS:
        if kind != "text":
            raise InvalidValue(f"filter {name}: '{operator}' is for text, use equals, gt, gte, lt or lte", subject=name)
        escaped = re.sub(r"([\\%_])", r"\\\1", str(value))
        return f"{sql} LIKE {compiler.mark(_PATTERNS[operator].format(escaped))} ESCAPE '\\'"
    if operator == "oneof":
        marks = [compiler.mark(_read(kind, name, each)) for each in _listed(value)]
        return f"{sql} IN ({', '.join(marks) or 'NULL'})"
    return f"{sql} {_COMPARISONS[operator]} {compiler.mark(_read(kind, name, value))}"


def _listed(value: object) -> list[object]:
    """The members of a list, of a JSON list as text, or of text with commas."""
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    text = str(value)
    if text.lstrip().startswith("["):
        try:
            members = json.loads(text)
        except ValueError as error:
            raise InvalidValue(f"'{text}' is not a JSON list ({error})") from None
        return list(members)
    return [member.strip() for member in text.split(",")]


def _read(kind: str, name: str, value: object) -> object:
    """A value as the column has it."""
    if isinstance(value, Enum):
        value = value.value
    read = _READERS[kind](value)
    if read is None:
        raise InvalidValue(f"filter {name}: {value!r} is not a {_KINDS[kind]}", subject=name)
    return read


def _as_number(value: object) -> int | float | None:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return _as_float(value)
    return value if isinstance(value, int | float) else None


def _as_float(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def _as_time(value: object) -> int | None:
    """Microseconds since 1970 UTC, from a datetime, an ISO 8601 text or the number itself; naive ones are UTC."""
    if isinstance(value, str):
        try:
            value = int(value) if value.isdecimal() else datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1)
    return value if isinstance(value, int) else None


def _as_bool(value: object) -> int | None:
    return {"true": 1, "1": 1, "yes": 1, "false": 0, "0": 0, "no": 0}.get(str(value).lower())


def _as_bytes(value: object) -> bytes | None:
    if isinstance(value, bytes):
        return value
    try:
        return parse_digest(str(value))
    except ValueError:
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_READERS: Mapping[str, Callable[[object], object]] = {
    "text": str,
    "number": _as_number,
    "time": _as_time,
    "bool": _as_bool,
    "bytes": _as_bytes,
}

_KINDS = {"text": "text", "number": "number", "time": "time (ISO 8601)", "bool": "bool", "bytes": "digest"}
