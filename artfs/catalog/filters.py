"""Filters, sorting and pages of lists, compiled to SQL whose values are all parameters.

A filter names a field and gives what it must be: a plain value (equals), a text `operator:value` such as `gt:5` or
`oneof:["a", "b"]`, a pair `(operator, value)`, or a list of such conditions. Only fields that the noun declares exist;
an unknown field or operator is an InvalidValue. The scope of a list is not part of the filter: with `any_of` the
conditions are joined by OR within the scope, never beyond it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq, ge, gt, le, lt
from typing import Any

from artfs.catalog.filter_values import as_double, as_moment, as_number, listed, read
from artfs.catalog.values import digits
from artfs.errors import InvalidValue

Where = Mapping[str, object]
IsRare = Callable[[str, Mapping[str, Any]], bool]

OPERATORS = (
    "equals", "notequals", "contains", "notcontains", "startswith", "endswith", "oneof", "notoneof", "in",
    "isnull", "isnotnull", "gt", "gte", "lt", "lte",
)  # fmt: skip

MAX_PAGE = 10_000

_COMPARISONS = {"equals": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_LEADING = {"equals": "=", "gt": ">=", "gte": ">=", "lt": "<=", "lte": "<="}
_STRICT = {"gt": ">", "gte": ">", "lt": "<", "lte": "<"}
_TURNED = {"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte"}
_PYTHON = {"equals": eq, "gt": gt, "gte": ge, "lt": lt, "lte": le}
_EXACT = 2.0**53
"""From here on a double is not every integer."""
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
        may_have_colons: whether a text `word:...` is a value, as with tags, if the word is no operator.
    """

    sql: str
    kind: str = "text"
    exists: str = ""
    rare: str = ""
    sort: str | None = None
    may_have_colons: bool = False


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
        text, number, time, type: the columns.
        each: what is true of a row whose value fulfils the `{condition}`, looked at row by row: `{key}` is the key.
        rare: the same for numbers, as a SELECT of the rows' ids, which is better where few fulfil it.
        leading: the start of the text that the index of texts has; `rare` holds for conditions of it, too.
        order: what to sort by, first to last, with `:sort_key` for the key.
    """

    key: str
    text: str
    number: str
    time: str
    type: str
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
        for operator, value in _conditions(fields, name, given)
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


def _conditions(fields: Fields, name: str, given: object) -> Sequence[tuple[str, object]]:
    """The (operator, value) pairs of what was given for a field."""
    if isinstance(given, list):
        return [pair for each in given for pair in _conditions(fields, name, each)]
    if isinstance(given, tuple):
        if len(given) != 2:
            raise InvalidValue(f"filter {name}={given!r}: give (operator, value)", subject=name)
        return [(_known(name, str(given[0]), given[1]), given[1])]
    if isinstance(given, str) and (match := _OPERATOR.fullmatch(given)):
        if match[3]:
            return [(match[3], None)]
        if match[1] not in OPERATORS and _may_have_colons(fields, name):
            return [("equals", given)]
        return [(_known(name, match[1], match[2]), match[2])]
    is_metadata = isinstance(_field(fields, name), MetadataField)  # where None is a value
    return [("isnull" if given is None and not is_metadata else "equals", given)]


def _may_have_colons(fields: Fields, name: str) -> bool:
    found = fields.named.get(name)
    return found is not None and found.may_have_colons


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
        is_set = found.each.format(key=key, condition=f"{found.type} <> 'none'")
        return f"(NOT {is_set})"
    if operator == "oneof":
        each = [_metadata_condition(compiler, found, name, "equals", member) for member in listed(value)]
        return f"({' OR '.join(each) or '1 = 0'})"
    if isinstance(value, list | tuple | set | frozenset | Mapping):
        raise InvalidValue(
            f"filter {name}: no filter looks into a {type(value).__name__}; log what is looked for by a key of its own",
            subject=name,
        )
    if value is None:
        if operator != "equals":
            raise InvalidValue(f"filter {name}: None is neither less nor greater than anything", subject=name)
        return compiler.related(found.each.format(key=key, condition=f"{found.type} = 'none'"), "")
    tests = []
    if (number := as_number(value)) is not None and operator in _COMPARISONS:
        condition = _number_test(compiler, found, operator, number)
        tests.append(compiler.related(*(sql.format(key=key, condition=condition) for sql in (found.each, found.rare))))
    if (time := as_moment(value)) is not None and operator in _COMPARISONS:
        condition = f"{found.time} {_COMPARISONS[operator]} {compiler.mark(time)}"
        tests.append(compiler.related(*(sql.format(key=key, condition=condition) for sql in (found.each, found.rare))))
    if isinstance(value, str) and (number is None or operator in ("equals", *_PATTERNS)):
        # A text that looks like a number may be either, but is compared by size as a number.
        condition = _test(compiler, found.text, "text", name, operator, value)
        if time is not None:
            condition = f"{condition} AND {found.time} IS NULL"
        if value in ("True", "False") and operator == "equals":
            # As Python writes what the catalog has as "true"; the texts "True" and "true" stay two.
            is_bool = f"{found.type} = 'bool' AND {found.text} = {compiler.mark(value.lower())}"
            tests.append(compiler.related(found.each.format(key=key, condition=is_bool), ""))
        rare = ""
        if operator in _LEADING:
            start = f"{found.leading(found.text)} {_LEADING[operator]} {found.leading(compiler.mark(value))}"
            rare = found.rare.format(key=key, condition=f"{start} AND {condition}")
        tests.append(compiler.related(found.each.format(key=key, condition=condition), rare))
    if not tests:
        text = value if isinstance(value, str) else read("text", name, value)
        return _metadata_condition(compiler, found, name, operator, text)
    return f"({' OR '.join(tests)})"


def _number_test(compiler: _Compiler, found: MetadataField, operator: str, value: int | float) -> str:
    """Compare a value as a number: as a double, and by its digits where a double is not exact."""
    nearest = as_double(value)
    close = f"{found.number} {_COMPARISONS[operator]} {compiler.mark(nearest)}"
    if abs(nearest) < _EXACT or math.isnan(nearest):
        return close
    is_int = f"{found.type} IN ('int', 'storage_size')"
    compares = _PYTHON[operator]
    as_int = "1 = 1" if compares(0, value) else "1 = 0"  # of an infinity: any int is on the same side of it
    if isinstance(value, int) or math.isfinite(value):
        sign = "-" if value < 0 else ""
        of_row = f"REPLACE({found.text}, '-', '')"
        size = f"(CASE WHEN SUBSTR({of_row}, 1, 2) = '0x' THEN 1 ELSE 0 END, LENGTH({of_row}), {of_row})"
        text = digits(int(value)).removeprefix("-")
        wanted = ", ".join(compiler.mark(part) for part in (int(text.startswith("0x")), len(text), text))
        ordered = _COMPARISONS[_TURNED.get(operator, operator) if sign else operator]
        as_int = f"{size} {ordered} ({wanted})"
    as_float = "1 = 1" if compares(nearest, value) else "1 = 0"
    exact = f"{found.number} = {compiler.mark(nearest)} AND (CASE WHEN {is_int} THEN {as_int} ELSE {as_float} END)"
    near = "" if operator == "equals" else f"{found.number} {_STRICT[operator]} {compiler.mark(nearest)} OR "
    return f"({near}({exact}))"


def _test(compiler: _Compiler, sql: str, kind: str, name: str, operator: str, value: object) -> str:
    if operator in _PATTERNS:
        if kind != "text":
            raise InvalidValue(f"filter {name}: '{operator}' is for text, use equals, gt, gte, lt or lte", subject=name)
        escaped = re.sub(r"([\\%_])", r"\\\1", str(value))
        return f"{sql} LIKE {compiler.mark(_PATTERNS[operator].format(escaped))} ESCAPE '\\'"
    if operator == "oneof":
        marks = [compiler.mark(read(kind, name, each)) for each in listed(value)]
        return f"{sql} IN ({', '.join(marks) or 'NULL'})"
    return f"{sql} {_COMPARISONS[operator]} {compiler.mark(read(kind, name, value))}"
