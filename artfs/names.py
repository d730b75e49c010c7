"""Which names artifacts, versions, tags and the files inside versions may have."""

from __future__ import annotations

import os
import uuid as uuids

from artfs.enums import ModelStages
from artfs.errors import InvalidName, InvalidValue
from artfs.text.printable import has_controls

MAX_NAME_BYTES = 255
"""What Linux file systems allow for one path component."""

RESERVED_PREFIX = ".artfs"
"""artfs's own virtual entries begin like this."""

MANIFEST = b".artfs/version.json"
"""Where the manifest lies in the folder of a version."""
PICTURES = b".artfs/visualizations/"
"""What is before the name of a visualization there."""


def check_artifact_name(name: str) -> str:
    """Return `name` if an artifact may be called so, else raise InvalidName."""
    return _check_text("artifact name", name, MAX_NAME_BYTES)


def check_version_name(name: str) -> str:
    """Return `name` if a version may be called so, else raise InvalidName.

    `latest` and a leading `@` are taken by the links beside the versions.
    """
    _check_text("version name", name, MAX_NAME_BYTES)
    if name == "latest":
        raise _invalid("version name", name, "it always means the newest version")
    if name.startswith("@"):
        raise _invalid("version name", name, "a leading '@' marks a tag")
    return name


def name_of_version(version: str | int) -> str:
    """Return the name of a version that is given by its name or number, else raise InvalidName."""
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise _invalid("version", str(version), f"it must be a text or a number, not {type(version).__name__}")
    return check_version_name(str(version))


def check_tag_name(name: str) -> str:
    """Return `name` if a tag may be called so, else raise InvalidName.

    One byte shorter than other names, as the tag is shown with a leading `@`.
    """
    return _check_text("tag name", name, MAX_NAME_BYTES - 1)


def check_model_name(name: str) -> str:
    """Return `name` if a model may be called so, else raise InvalidName."""
    return _check_text("model name", name, MAX_NAME_BYTES)


def check_model_version_name(name: str) -> str:
    """Return `name` if a version of a model may be called so, else raise InvalidName: stages are not names."""
    _check_text("name of a model's version", name, MAX_NAME_BYTES)
    if name in set(ModelStages):
        raise _invalid("name of a model's version", name, "it is the word for a stage")
    return name


def check_store_name(name: str) -> str:
    """Return `name` if an artifact store may be called so, else raise InvalidName."""
    return _check_text("artifact store name", name, MAX_NAME_BYTES)


def check_stack_name(name: str) -> str:
    """Return `name` if a stack may be called so, else raise InvalidName."""
    return _check_text("stack name", name, MAX_NAME_BYTES)


def check_run_name(name: str) -> str:
    """Return `name` if a run may be called so, else raise InvalidName. It becomes no path as it is."""
    if not name or has_controls(name):
        raise _invalid("run name", name, "it contains a control character" if name else "it is empty")
    return name


def check_metadata_key(key: str) -> str:
    """Return `key` if metadata may be logged under it, else raise InvalidValue."""
    if not isinstance(key, str) or not key or has_controls(key):
        shown = _shown(key) if isinstance(key, str) else repr(key)
        why = "it must be text, not empty, without control characters"
        raise InvalidValue(f"{shown} cannot be a key of metadata: {why}", subject=str(key))
    return key


def check_entry_name(name: bytes, *, at_root: bool = False) -> bytes:
    """Return `name` if a file inside a version may be called so, else raise InvalidName.

    Args:
        name: one path component, as bytes: it need not be UTF-8.
        at_root: whether it lies directly in the version, where a leading `.artfs` is reserved.
    """
    if why := _component_fault(name, MAX_NAME_BYTES):
        raise _invalid("file name", name, why)
    if at_root and name.startswith(RESERVED_PREFIX.encode()):
        raise _invalid("file name", name, f"names that begin with '{RESERVED_PREFIX}' are reserved")
    return name


def check_relative_path(path: bytes) -> bytes:
    """Return `path` if it names something inside a version (or a store) without leaving it, else raise InvalidName."""
    if not path:
        raise _invalid("path", path, "it is empty")
    if path.startswith(b"/"):
        raise _invalid("path", path, "it must be relative")
    try:
        for depth, component in enumerate(path.split(b"/")):
            check_entry_name(component, at_root=depth == 0)
    except InvalidName as error:
        raise InvalidName(f"invalid path {_shown(path)}: {error}", subject=path) from None
    return path


def version_folder(artifact: str, uuid: str) -> bytes:
    """Return the folder of a version below the root of its store."""
    return os.fsencode(f"{artifact}/{uuids.UUID(uuid).hex}")


def _check_text(what: str, name: str, limit: int) -> str:
    if not isinstance(name, str):
        raise _invalid(what, repr(name), f"it must be a text, not {type(name).__name__}")
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise _invalid(what, name, "it is not valid UTF-8") from None
    if why := _component_fault(encoded, limit):
        raise _invalid(what, name, why)
    if has_controls(name):
        raise _invalid(what, name, "it contains a control character")
    if name != name.strip():
        raise _invalid(what, name, "it begins or ends with white space")
    if name.startswith(RESERVED_PREFIX):
        raise _invalid(what, name, f"names that begin with '{RESERVED_PREFIX}' are reserved")
    return name


def _component_fault(name: bytes, limit: int) -> str | None:
    """Why `name` cannot be one component of a path."""
    if not name:
        return "it is empty"
    if name in (b".", b".."):
        return "it means a directory, not a name"
    if b"/" in name:
        return "it contains '/'"
    if b"\0" in name:
        return "it contains a NUL byte"
    if len(name) > limit:
        return f"it has {len(name)} bytes, and at most {limit} are allowed"
    return None


def _invalid(what: str, name: str | bytes, why: str) -> InvalidName:
    return InvalidName(f"invalid {what} {_shown(name)}: {why}", subject=name)


def _shown(name: str | bytes) -> str:
    """The name on one line, whatever is in it, and not longer than a line."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    shown = ascii(text) if not text.isprintable() else repr(text)
    return shown if len(shown) <= 120 else f"{shown[:117]}..."
