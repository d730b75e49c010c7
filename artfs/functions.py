"""The functions of `import artfs`: verbs in the workspace of `$ARTFS_HOME`, or the usual one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from artfs.artifacts.lookup import find_version
from artfs.artifacts.metadata import storable
from artfs.enums import ArtifactType
from artfs.objects.objects import Objects
from artfs.workspace.current import current_workspace

if TYPE_CHECKING:
    from artfs.artifacts.save import MaterializerChoice
    from artfs.artifacts.tagging import Tag
    from artfs.objects.version import ArtifactVersionResponse


def save_artifact(
    data: Any,
    name: str,
    version: str | int | None = None,
    artifact_type: ArtifactType | str | None = None,
    tags: Sequence[str | Tag] | None = None,
    metadata: Mapping[str, Any] | None = None,
    materializer: MaterializerChoice | None = None,
    extract_metadata: bool = True,
    include_visualizations: bool = True,
    *,
    user_metadata: Mapping[str, Any] | None = None,
) -> ArtifactVersionResponse:
    """Save a value as a new version of an artifact.

    When this returns, the version is complete and on stable storage, and every mount shows it. When it fails, nothing
    was made.

    Args:
        data: any value.
        name: of the artifact; it is made if there is none.
        version: name of the version, which the artifact must not have had; the next number when not given.
        artifact_type: what the artifact is for; the materializer says so when not given.
        tags: for the version.
        metadata: values to log about the version, as for `log_artifact_metadata`.
        materializer: what turns `data` into files, as class or "module.ClassName"; chosen by type when not given.
        extract_metadata: whether to log what the materializer finds out about `data` (shape, length, ...).
        include_visualizations: whether to keep pictures or pages that show `data`.
        user_metadata: the same as `metadata`.

    Raises:
        InvalidName, InvalidValue: an argument cannot be used.
        VersionExists: the artifact has, or had, a version of that name.
        MaterializerError: `data` cannot be turned into files.

    Example:
        >>> save_artifact({"lr": 0.1}, name="settings", tags=["candidate"])
    """
    from artfs.artifacts.save import save

    workspace = current_workspace()
    saved = save(
        workspace,
        data,
        name,
        version=version,
        artifact_type=artifact_type,
        tags=tags,
        metadata={**storable(metadata or {}), **storable(user_metadata or {})} if metadata or user_metadata else None,
        materializer=materializer,
        extract_metadata=extract_metadata,
        include_visualizations=include_visualizations,
    )
    return Objects(workspace).version(saved)


def load_artifact(name_or_id: str | UUID, version: str | int | None = None, *, trust: bool = False) -> Any:
    """Return the value of a version.

    What artfs saved comes back as the value it was. What was registered, or came through `/incoming`, comes as a
    `pathlib.Path` of the file or folder, which is to be read and not written. Large data in place that this process has
    compared with its digests before is looked at by its size and times alone then: a program that changes it through a
    memory mapping may go unnoticed until artfs reads it itself (`artfs verify`, the mount, a download).

    Args:
        name_or_id: the name of an artifact, or the id of a version or its beginning.
        version: a number, a name, `latest` or `@tag`; the newest when not given.
        trust: whether code may be run that this catalog did not save itself, as unpickling does, and modules may be
            imported that nothing saved here has named.

    Raises:
        ArtifactNotFound, VersionNotFound: there is none.
        DigestMismatch, PlaceChanged: a file is not what was stored; the line names it.
        UntrustedPickle: loading would run code that is not trusted.
        UntrustedClass: it would import a module that nothing which this home saved has named.
        MaterializerError, MaterializerNotFound, ClassNotFound: the value cannot be made here.

    Example:
        >>> load_artifact("settings")["lr"]
        0.1
    """
    from artfs.artifacts.load import load

    workspace = current_workspace()
    return load(workspace, find_version(workspace.catalog, name_or_id, version), trust=trust)


def register_artifact(
    folder_or_file_uri: str | os.PathLike[str],
    name: str,
    version: str | int | None = None,
    artifact_type: ArtifactType | str | None = None,
    tags: Sequence[str | Tag] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ArtifactVersionResponse:
    """Make a version of a file or folder that stays where it is.

    Every file is listed with its size and digest. If one changes later, reading that file of the version is an error
    that says so, and never other bytes. Nothing that artfs does removes the data.

    Args:
        folder_or_file_uri: path or `file://` URI.
        name: of the artifact; it is made if there is none.
        version: name of the version, which the artifact must not have had; the next number when not given.
        artifact_type: what the artifact is for; DataArtifact when not given.
        tags: for the version.
        metadata: values to log about the version, as for `log_artifact_metadata`.

    Raises:
        SourceNotFound: nothing is there.
        InvalidName, InvalidValue: an argument cannot be used.
        VersionExists: the artifact has, or had, a version of that name.
        ChangedWhileReading: something was written to meanwhile.

    Example:
        >>> register_artifact("/data/images", name="images", tags=["raw"])
        >>> load_artifact("images")
        PosixPath('/data/images')
    """
    from artfs.artifacts.register import register

    workspace = current_workspace()
    made = register(
        workspace,
        folder_or_file_uri,
        name,
        version=version,
        artifact_type=artifact_type,
        tags=tags,
        metadata=metadata,
    )
    return Objects(workspace).version(made)
