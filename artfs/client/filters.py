"""Filters of lists as users write them, and what they are for the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from artfs.errors import InvalidValue

Filter = object
"""What a field must be: a value, `operator:value` such as "gt:5", "contains:x" or 'oneof:["a", "b"]', or a list of
them. Operators: equals notequals contains notcontains startswith endswith oneof notoneof in isnull isnotnull gt gte lt
lte. A time without a zone is local. Of metadata, None finds what None was logged for, and "isnull" also what was not
logged."""

MetadataFilter = Mapping[str, Filter] | Sequence[str]
"""What was logged, by key: `{"accuracy": "gt:0.9"}`; or the same as texts `key:value`, `["accuracy:gt:0.9"]`."""


def any_of(logical_operator: str) -> bool:
    """Return whether one of the filters is enough, or raise InvalidValue."""
    operator = str(getattr(logical_operator, "value", logical_operator)).lower()
    if operator not in ("and", "or"):
        raise InvalidValue(f"logical_operator must be 'and' or 'or', not '{logical_operator}'")
    return operator == "or"


def where_of(filters: Mapping[str, Filter]) -> dict[str, object]:
    """Return the filters that were given; None means that one was not."""
    renamed = {"artifact_type": "type", "size": "bytes"}
    return {renamed.get(field, field): condition for field, condition in filters.items() if condition is not None}


def tag_where(tag: Filter, tags: Sequence[str] | None) -> dict[str, object]:
    """Return the filter of what carries a tag and all of some, or raise InvalidValue for a text in place of some."""
    if isinstance(tags, str):
        raise InvalidValue(f"tags must be a list of texts: give [{tags!r}]", subject=tags)
    conditions = [*([tag] if tag is not None else []), *(tags or ())]
    return {"tag": conditions} if conditions else {}


def metadata_where(*filters: MetadataFilter | None) -> dict[str, object]:
    """Return filters of metadata as those of the catalog, or raise InvalidValue for one that names no key."""
    found: dict[str, list[object]] = {}
    for given in filters:
        if isinstance(given, str):
            raise InvalidValue(f"filters of metadata are a list of texts: give [{given!r}]", subject=given)
        pairs = given.items() if isinstance(given, Mapping) else map(_pair, given or ())
        for key, condition in pairs:
            found.setdefault(f"metadata.{key}", []).append(condition)
    return dict(found)


def _pair(text: str) -> tuple[str, Filter]:
    key, colon, condition = text.partition(":")
    if not key or not colon:
        raise InvalidValue(f"'{text}' is no filter of metadata: write 'key:value' or 'key:gt:5'", subject=text)
    return key, condition
