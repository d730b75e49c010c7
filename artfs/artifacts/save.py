"""Python values become versions: a materializer writes files, and those are sealed as they are."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from artfs.artifacts import seal
from artfs.artifacts.metadata import storable
from artfs.artifacts.staging import Staging, staging_directory
from artfs.artifacts.tagging import Tag, named_tags
from artfs.catalog.new_version import NewVersion
from artfs.classes import qualified_name, recording_names
from artfs.content.long_paths import lstat, reachable
from artfs.content.tree import EntryKind
from artfs.enums import ArtifactSaveType, ArtifactType, VisualizationType
from artfs.errors import InvalidName, InvalidValue, NoSpace
from artfs.linux.processes import umask
from artfs.materializers import builtin
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.registry import registry
from artfs.names import PICTURES, check_artifact_name, check_entry_name, name_of_version
from artfs.scopes import step_scope
from artfs.transfers.syncing import SMALL_VERSION

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.sharing import Sharing
    from artfs.workspace.workspace import Workspace

logger = logging.getLogger(__name__)

_SAYS_FULL = re.compile("no space left on device|not enough free space", re.IGNORECASE)
_FULL_BELOW = 1 << 20
"""Bytes of free space; what remains where a write did not fit is seldom nothing at all."""

MaterializerChoice = type[BaseMaterializer] | str


@contextmanager
def _told_if_full(name: str, folder: str | os.PathLike[str]) -> Iterator[None]:
    """Say that the disk is full where a library says something else of it: "1000 requested and 0 written"."""
    try:
        yield
    except Exception as error:
        free = shutil.disk_usage(folder).free
        number = error.errno if isinstance(error, OSError) else None
        is_told = number in (errno.ENOSPC, errno.EDQUOT) or _SAYS_FULL.search(str(error)) is not None
        if not is_told and (number is not None or free > _FULL_BELOW):
            raise
        raise NoSpace(
            f"cannot save '{name}': its files do not fit on the disk of {os.fspath(folder)}, where {free:,} bytes are"
            " free: make room there, or choose a store on a larger disk",
            subject=name,
        ) from error


class SaveOptions(TypedDict, total=False):
    """How a value is saved.

    Args:
        version: name of the version; the next number when not given.
        artifact_type: what the artifact is for; the materializer says so when not given.
        tags, metadata: for the version.
        materializer: what turns the value into files, as class or "module.ClassName"; chosen by type when not given.
        data_type: what to record as the type of the value, where that is not its class.
        extract_metadata: whether to log what the materializer finds out about the value.
        include_visualizations: whether to keep pictures or pages that show it.
        save_type: how the version comes to be.
        producer_id: the step run that makes it; the one that runs here when not given.
        staging: the directory that it becomes, which may have files already; a fresh one when not given.
    """

    version: str | int | None
    artifact_type: ArtifactType | str | None
    tags: Sequence[str | Tag] | None
    metadata: Mapping[str, Any] | None
    materializer: MaterializerChoice | None
    data_type: type[Any] | None
    extract_metadata: bool
    include_visualizations: bool
    save_type: ArtifactSaveType
    producer_id: int | None
    staging: Staging | None


def save(workspace: Workspace, data: Any, name: str, **options: Unpack[SaveOptions]) -> Version:
    """Save a value in a workspace and return the version's row.

    Raises:
        InvalidName, InvalidValue: an argument cannot be used.
        VersionExists: the artifact has, or had, a version of that name.
        MaterializerError: the value cannot be turned into files.
    """
    with prepared(workspace, data, name, **options) as ready:
        [saved] = seal.commit(workspace, [ready])
    if (scope := step_scope.get()) is not None:
        scope.saved(saved)
    return saved


@contextmanager
def prepared(workspace: Workspace, data: Any, name: str, **options: Unpack[SaveOptions]) -> Iterator[seal.Ready]:
    """Bring a value into the store, and give what can be committed as a version of it; see `seal`."""
    check_artifact_name(name)
    version = options.get("version")
    version_name = name_of_version(version) if version is not None else None
    tags = named_tags(workspace.catalog, options.get("tags"))
    chosen = _materializer(data, options.get("materializer"))
    artifact_type = checked_type(options.get("artifact_type"), chosen.ASSOCIATED_ARTIFACT_TYPE)
    given_metadata = storable(given) if (given := options.get("metadata")) else {}
    producer_id = options.get("producer_id")
    if producer_id is None and (scope := step_scope.get()) is not None:
        producer_id = scope.step_run_id
    store = workspace.stores.active
    given_staging = options.get("staging")
    with nullcontext(given_staging) if given_staging else staging_directory(store, workspace.home, name) as staging:
        saver = chosen(staging.path, store.files)
        saver.trusted = True
        saver.visualizations_dir = staging.pictures
        data_type = options.get("data_type") or type(data)
        with recording_names() as names, _told_if_full(name, staging.path):
            saver.save(data)
        workspace.classes.add({*names, qualified_name(chosen), qualified_name(data_type)})
        extracted = _extracted_metadata(saver, data) if options.get("extract_metadata", True) else {}
        shown = _visualizations(saver, data) if options.get("include_visualizations", True) else []
        found = seal.scan(staging.path, keep=SMALL_VERSION, is_new=True, is_staging=True)
        # The folder is the store's; the version's directory is as one that this program makes.
        scanned = replace(found, mode=0o777 & ~umask())
        pictures = [seal.picture(each.source, each.name, each.kind, scanned) for each in shown]
        adopt = _protect(scanned, pictures, staging.path, workspace.home.sharing)
        new = NewVersion(
            name,
            scanned.tree,
            staging.uuid,
            name=version_name,
            tags=tags,
            type=artifact_type,
            save_type=options.get("save_type", ArtifactSaveType.MANUAL).value,
            materializer=qualified_name(chosen),
            data_type=qualified_name(data_type),
            trusted=True,
            producer_id=producer_id,
            user=workspace.user,
            metadata={**extracted, **given_metadata},
        )
        planned = seal.plan(
            scanned, new, workspace.catalog, store, store, adopt=adopt, staging=staging, pictures=pictures
        )
        with seal.bring(planned, workspace) as ready:
            yield ready


def checked_type(artifact_type: ArtifactType | str | None, default: ArtifactType) -> str:
    """Return the value of an artifact type, or raise InvalidValue for an unknown one."""
    if artifact_type is None:
        return default.value
    try:
        return ArtifactType(artifact_type).value
    except ValueError:
        known = ", ".join(ArtifactType)
        raise InvalidValue(f"unknown artifact type '{artifact_type}' (known: {known})") from None


def _materializer(data: Any, given: MaterializerChoice | None) -> type[BaseMaterializer]:
    if given is None:
        return registry.for_value(data)
    if isinstance(given, str):
        return registry.by_name(given)
    if isinstance(given, type) and issubclass(given, BaseMaterializer):
        return given
    raise InvalidValue(f"materializer must be a subclass of BaseMaterializer or its name, not {given!r}")


def _extracted_metadata(saver: BaseMaterializer, data: Any) -> dict[str, Any]:
    try:
        found = saver.extract_full_metadata(data)
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything, and the value is saved already
        logger.warning("%s found no metadata: %s: %s", type(saver).__name__, type(error).__name__, error)
        return {}
    kept: dict[str, Any] = {}
    for key, value in found.items():
        try:
            kept.update(storable({key: value}))
        except InvalidValue as error:
            logger.warning("%s: %s; it is left out", type(saver).__name__, error)
    return kept


@dataclass(frozen=True, slots=True)
class _Shown:
    """A visualization that a materializer has written: where, and what it is called and is."""

    source: Path
    name: str
    kind: str


def _visualizations(saver: BaseMaterializer, data: Any) -> list[_Shown]:
    assert saver.visualizations_dir is not None
    if not builtin.is_built_in(qualified_name(type(saver))):
        os.makedirs(saver.visualizations_dir)  # the built-in ones make it when they need it
    directories = (saver.visualizations_dir, saver.uri)
    try:
        return [_shown(path, kind, directories) for path, kind in saver.save_visualizations(data).items()]
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything, and the value is saved already
        logger.warning("%s made no visualization: %s: %s", type(saver).__name__, type(error).__name__, error)
        return []


def _shown(path: str, kind: VisualizationType | str, directories: Sequence[str]) -> _Shown:
    file = os.path.abspath(path)
    directory = next((each for each in directories if file.startswith(each + "/")), None)
    if directory is None:
        # The home may lie behind a link, and the path be given with that resolved.
        file, resolved = os.path.realpath(path), map(os.path.realpath, directories)
        directory = next((each for each in resolved if file.startswith(each + "/")), None)
    if directory is None or not os.path.isfile(file):
        raise InvalidValue(f"the visualization {path} is not a file in {directories[0]}")
    name = file.removeprefix(directory + "/").replace("/", "-")
    try:
        check_entry_name(os.fsencode(name), at_root=True)
    except InvalidName as error:
        raise InvalidValue(f"the visualization {path}: {error}") from None
    return _Shown(Path(file), name, VisualizationType(kind).value)


def _protect(scanned: seal.Scanned, pictures: Sequence[seal.Picture], directory: str, sharing: Sharing) -> bool:
    """Give what was written the modes of a store; answer whether that may take it: not files that have other names."""
    written = {file.source_path: file for file in (*scanned.files, *(each.file for each in pictures))}
    if any(lstat(path).st_nlink > 1 for path in written):
        return False
    for path, file in written.items():
        with reachable(path) as at:
            os.chmod(at, sharing.stored_mode(file.entry.mode))
    own = [PICTURES[: len(PICTURES) - 1], PICTURES.split(b"/")[0]] if pictures else []
    below = [path for path, entry in scanned.tree.walk() if entry.kind is EntryKind.DIRECTORY]
    for path in (*below, *own):
        with reachable(os.path.join(os.fsencode(directory), path)) as at:
            if os.path.isdir(at):
                os.chmod(at, sharing.folder)
    return True
