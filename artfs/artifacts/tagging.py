"""Tags as users write them: a text, or a `Tag` that also says how it behaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from artfs.errors import InvalidValue
from artfs.names import check_tag_name

if TYPE_CHECKING:
    from artfs.catalog.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that says how it behaves; it can stand wherever a tag's name can.

    Args:
        name: the tag.
        exclusive: at most one version of an artifact, and one run of a pipeline, carries it: it moves to the last one
            that it is put on. None leaves a tag that there is as it is; a new one is not exclusive.
        cascade: of a pipeline, `@pipeline(tags=[...])`: every version that its run makes carries it too.

    Example:
        >>> add_tags(tags=[Tag(name="best", exclusive=True)], artifact_name="model", artifact_version="3")
    """

    name: str
    exclusive: bool | None = None
    cascade: bool | None = None


def checked_tags(tags: Sequence[str | Tag] | None) -> list[str]:
    """Return the names of tags, each once, or raise InvalidName or InvalidValue."""
    return list(dict.fromkeys(tag.name for tag in _tags(tags)))


def cascading(tags: Sequence[str | Tag]) -> list[str]:
    """Return the names of the tags that cascade."""
    return checked_tags([tag for tag in tags if isinstance(tag, Tag) and tag.cascade])


def named_tags(catalog: Catalog, tags: Sequence[str | Tag] | None) -> list[str]:
    """Return the names of tags that are to be put on something, each once; one that is new and exclusive is made so.

    Raises:
        InvalidName, InvalidValue: a tag cannot be called so, cascades, or is known and not exclusive.
    """
    asked = _tags(tags)
    for tag in asked:
        if tag.cascade:
            raise InvalidValue(
                f"tag '{tag.name}' cascades, which only those of a pipeline do: @pipeline(tags=[Tag(...)])",
                subject=tag.name,
            )
    make_exclusive(catalog, asked)
    return list(dict.fromkeys(tag.name for tag in asked))


def make_exclusive(catalog: Catalog, tags: Iterable[str | Tag]) -> None:
    """Make those new tags that are to be exclusive so.

    Raises:
        InvalidValue: one is known already, and not exclusive: others would lose it without anybody having said so.
    """
    for tag in tags:
        if not isinstance(tag, Tag) or not tag.exclusive:
            continue
        with catalog.transaction():
            found = catalog.tags.get(tag.name)
            if found is None:
                catalog.tags.set_exclusive(tag.name, True)
            elif not found.exclusive:
                raise InvalidValue(
                    f"tag '{tag.name}' is known and not exclusive; Client().create_tag('{tag.name}', exclusive=True) "
                    "makes it so, and takes it off all but the newest",
                    subject=tag.name,
                )


def _tags(tags: Sequence[str | Tag] | None) -> list[Tag]:
    if tags is not None and (isinstance(tags, str | Tag) or not isinstance(tags, Iterable)):
        raise InvalidValue(f"tags must be a list of texts: give [{tags!r}]")
    found = [tag if isinstance(tag, Tag) else Tag(tag) for tag in tags or ()]
    for tag in found:
        check_tag_name(tag.name)
    return found
