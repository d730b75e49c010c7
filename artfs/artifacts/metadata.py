"""What is logged about versions: values of any type that comes back as it was."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from artfs.artifacts.lookup import find_version
from artfs.catalog.values import encode
from artfs.current import current_workspace
from artfs.errors import InvalidValue
from artfs.names import check_metadata_key

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace import Workspace

REGISTERED_FROM = "registered_from"
"""What a version of data in place says of where that is: the path or URI that the user registered."""


def log_artifact_metadata(
    metadata: Mapping[str, Any],
    artifact_name: str | None = None,
    artifact_version: str | int | None = None,
    *,
    version: str | int | None = None,
) -> None:
    """Log values about a version. A key that was logged before gets the new value; the old one stays in its history.

    Args:
        metadata: values by key: None, bool, int, float, str, datetime, date, Path, the types of `artfs.types`, numpy
            scalars, and list, tuple, set, dict of these. Dictionaries group values.
        artifact_name: of which artifact. Can be left out in a step with one output.
        artifact_version: of which version (a number, a name, `latest`, `@tag`). When not given, what a step logs for
            one of its outputs is for the version that it is about to make; else it is for the newest.
        version: the same.

    Raises:
        ArtifactNotFound, VersionNotFound: there is none.
        InvalidValue: a value is of another type; nothing was logged then.

    Example:
        >>> log_artifact_metadata({"accuracy": 0.97, "split": {"train": 0.8}}, artifact_name="my_model")
    """
    if artifact_version is not None and version is not None and artifact_version != version:
        raise InvalidValue(f"artifact_version={artifact_version!r} and version={version!r} differ: give one of them")
    chosen = artifact_version if artifact_version is not None else version
    if chosen is None and _goes_to_output_of_step(artifact_name, metadata):
        return
    if artifact_name is None:
        raise InvalidValue("give artifact_name: it can be left out only in a step with one output")
    workspace = current_workspace()
    log(workspace, find_version(workspace.catalog, artifact_name, chosen), metadata)


def log(workspace: Workspace, version: Version, metadata: Mapping[str, Any]) -> None:
    """Log values about a version, all of them or none; raises InvalidValue."""
    workspace.catalog.metadata.set(version.id, storable(metadata))


def storable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with numpy scalars as the Python values that they are.

    Raises:
        InvalidValue: a key or value cannot be stored.
    """
    if not isinstance(metadata, Mapping):
        raise InvalidValue(f"metadata must be a dictionary, not {type(metadata).__name__}")
    values: dict[str, Any] = {}
    for key, value in metadata.items():
        check_metadata_key(key)
        try:
            values[key] = _plain(value)
            encode(values[key])
        except InvalidValue as error:
            raise InvalidValue(f"metadata '{key}': {error}", subject=key) from None
    return values


def _goes_to_output_of_step(artifact_name: str | None, metadata: Mapping[str, Any]) -> bool:
    """Leave metadata to the step that runs, if it is for an output of it; answer whether it was."""
    contexts = sys.modules.get("artfs.pipelines.context")
    context = contexts.current_context.get() if contexts is not None else None
    if context is None:
        return False
    outputs = {name for output in context.task.outputs for name in (output.slot, output.artifact)}
    if artifact_name is not None and artifact_name not in outputs:
        return False
    context.add_output_metadata(storable(metadata), artifact_name)
    return True


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return kind(_plain(each) for each in value)
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic):
        return value
    plain = value.item()
    if isinstance(value, numpy.datetime64) and isinstance(plain, int):
        # Nanoseconds: a datetime has microseconds.
        rounded = value.astype("datetime64[us]")
        if rounded != value:
            raise InvalidValue(f"{value} has more digits than a datetime can hold: give it as text")
        return rounded.item()
    return plain
