"""The extended attributes of a version's directory: what the catalog knows about it, some of which can be set.

A tag may contain a comma. If one of them does, there is one a line, and otherwise they are separated by commas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from artfs.content.digest import format_digest
from artfs.describe.plain import plain
from artfs.errors import InvalidName, InvalidValue
from artfs_mount.tree.json_text import parsed, typed
from artfs_mount.tree.node import XATTR_PREFIX, unsupported_xattr

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs_mount.tree.context import Context

METADATA: Final = XATTR_PREFIX + b"metadata."
TAGS: Final = XATTR_PREFIX + b"tags"
READ_ONLY: Final = frozenset(XATTR_PREFIX + name for name in (b"id", b"digest", b"type"))

# Limits of the kernel. What does not fit is in `.artfs/metadata.json`.
_NAME_BYTES: Final = 255
_VALUE_BYTES: Final = 65_536


def read(context: Context, version_id: int) -> Mapping[bytes, bytes]:
    """The extended attributes of a version as of now."""
    version = context.version(version_id)
    attributes = {
        XATTR_PREFIX + b"id": version.uuid.encode(),
        XATTR_PREFIX + b"digest": format_digest(version.digest).encode(),
        XATTR_PREFIX + b"type": version.type.encode(),
        TAGS: _join(context.catalog.tags.of_version(version_id)),
    }
    for key, value in context.catalog.metadata.get(version_id).items():
        attributes[METADATA + key.encode()] = typed(value).encode("utf-8", "surrogatepass")
    return _fitting(attributes)


def write(context: Context, version_id: int, name: bytes, value: bytes) -> None:
    """Set the tags of a version, or one key of its metadata, and write that into the audit log.

    Raises:
        PermissionError: The attribute follows from the version.
        OSError: ENOTSUP, there is no such attribute.
        InvalidValue, InvalidName: The value cannot be kept.
        Stale: The version is purged.
    """
    if name in READ_ONLY:
        raise PermissionError(f"{name.decode()} of a version follows from what it is, and cannot be set")
    if name == TAGS:
        _set_tags(context, version_id, _split(_text(value)))
    elif name.startswith(METADATA):
        _set_metadata(context, version_id, _text(name.removeprefix(METADATA)), parsed(_text(value)))
    else:
        raise unsupported_xattr(name)


def _set_tags(context: Context, version_id: int, tags: Sequence[str]) -> None:
    catalog = context.catalog
    with catalog.transaction():
        version = context.version(version_id)
        before = catalog.tags.of_version(version_id)
        catalog.tags.set(version_id, tags)
        _audit(context, "version.tag", version, {"tags": sorted(tags), "before": list(before)})


def _set_metadata(context: Context, version_id: int, key: str, value: object) -> None:
    if not key:
        raise InvalidName(f"the extended attribute {METADATA.decode()} needs a key after the dot")
    catalog = context.catalog
    with catalog.transaction():
        version = context.version(version_id)
        catalog.metadata.set(version_id, {key: value})
        _audit(context, "version.metadata", version, {"key": key, "value": plain(value)})


def _audit(context: Context, action: str, version: Version, detail: Mapping[str, object]) -> None:
    user = context.catalog.users.ensure(context.workspace.user)
    context.catalog.audit.append(action, f"{version.artifact}@{version.name}", detail, user.id)


def _join(tags: Sequence[str]) -> bytes:
    if any("," in tag for tag in tags):
        return "".join(f"{tag}\n" for tag in tags).encode()
    return ",".join(tags).encode()


def _split(text: str) -> list[str]:
    tags = (tag.strip() for tag in text.split("\n" if "\n" in text else ","))
    return list(dict.fromkeys(tag for tag in tags if tag))


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidValue("the names and values of a version's extended attributes must be UTF-8") from None


def _fitting(attributes: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Those that the kernel can carry."""
    return {
        name: value for name, value in attributes.items() if len(name) <= _NAME_BYTES and len(value) <= _VALUE_BYTES
    }
