"""The classes that the versions and stores of a home name, for homes that began before `classes.toml` was kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from artfs.classes import dotted
from artfs.errors import ArtfsError
from artfs.stores.built_in import CLASS_OPTION, CUSTOM

if TYPE_CHECKING:
    from artfs.blobs.reader import BlobReader
    from artfs.catalog.catalog import Catalog
    from artfs.content.digest import Digest

_LARGEST = 16 * 2**20
"""Larger files of JSON are data: reading them all would keep whoever opens the home waiting."""

_TAGS = frozenset(("$enum", "$namedtuple", "$dataclass", "$model"))

logger = logging.getLogger(__name__)


def named_classes(catalog: Catalog, open_blob: Callable[[Digest], BlobReader]) -> set[str]:
    """Return the names of all classes that loading what this home has saved may need.

    Args:
        catalog: what it has saved.
        open_blob: opens a content of it.
    """
    names = catalog.class_names.of_versions()
    names |= {
        dotted(target)
        for store in catalog.stores.list()
        if store.flavor == CUSTOM and isinstance(target := store.options.get(CLASS_OPTION), str)
    }
    for digest in catalog.class_names.contents_called(b".json", _LARGEST):
        try:
            with open_blob(digest) as reader:
                names.update(_names_in(json.loads(bytes(reader.read(0, reader.size)))))
        except (OSError, ArtfsError, ValueError, RecursionError) as error:
            # One whose bytes are gone cannot be loaded anyway.
            logger.info("the classes in a file are left out: %s", error)
    return names


def _names_in(value: Any) -> Iterator[str]:
    """The names that the JSON form of a value (`artfs.materializers.json.encode`) has classes and functions under."""
    pending = [value]
    while pending:
        at = pending.pop()
        if isinstance(at, list):
            pending += at
        elif isinstance(at, dict):
            pending += at.values()
            yield from (name for name in _named_by(at) if isinstance(name, str) and "." in name)


def _named_by(found: dict[str, Any]) -> Iterator[Any]:
    yield found.get("user_dtype")
    yield found.get("class")  # of the models of xgboost and lightgbm
    for tag, payload in found.items():
        if tag in _TAGS and isinstance(payload, dict):
            yield payload.get("class")
        elif tag == "$item" and isinstance(payload, dict):
            yield from (payload.get("materializer"), payload.get("type"))
        elif tag == "$defaultdict" and isinstance(payload, list) and payload:
            yield payload[0]
