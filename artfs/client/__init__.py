"""`Client`: everything that is known about artifacts, from Python."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from artfs.artifacts.lookup import find_artifact, find_version
from artfs.client.filters import Filter as Filter
from artfs.client.filters import MetadataFilter, any_of, metadata_where, tag_where, where_of
from artfs.client.models import _ModelCalls
from artfs.client.runs import _RunCalls
from artfs.client.tags import _TagCalls
from artfs.objects.artifact import ArtifactResponse
from artfs.objects.pagination import PAGE_SIZE, Page
from artfs.objects.version import ArtifactVersionResponse
from artfs.scopes import current_composition
from artfs.workspace import stacks

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from artfs.artifacts.gc import Garbage
    from artfs.artifacts.prune import Pruned, PrunePlan
    from artfs.catalog.artifacts import Artifact
    from artfs.catalog.versions import Version
    from artfs.workspace.stacks import Stack


class Client(_ModelCalls, _RunCalls, _TagCalls):
    """Finds, lists, changes and removes artifacts and their versions.

    Args:
        home: artfs's directory, else HomeError is raised; that of `$ARTFS_HOME`, or the usual one, when not given.

    Example:
        >>> Client().get_artifact_version("iris", "3").load()
    """

    # Artifacts.

    def get_artifact(self, name_id_or_prefix: str) -> ArtifactResponse:
        """Return an artifact by name; `Client().get_artifact("iris").load()` loads its newest version.

        Raises:
            ArtifactNotFound: there is none.
        """
        return self._objects.artifact(self._artifact(name_id_or_prefix))

    def list_artifacts(
        self,
        sort_by: str | None = None,
        page: int = 1,
        size: int = PAGE_SIZE,
        logical_operator: str = "and",
        *,
        tag: Filter = None,
        tags: Sequence[str] | None = None,
        **filters: Filter,
    ) -> Page[ArtifactResponse]:
        """Return artifacts, oldest first.

        Args:
            sort_by: `asc:field` or `desc:field`.
            page, size: which page to return; iterating goes on to the next ones.
            logical_operator: `and`, or `or` when one of the filters is enough.
            tag: a tag that the artifact itself carries.
            tags: all tags that it carries.
            filters: name, created, updated, user or versions (how many); see `Filter`.

        Raises:
            InvalidValue: a field or operator is not known.
        """
        is_any = any_of(logical_operator)
        where = {**where_of(filters), **tag_where(tag, tags)}
        return self._objects.artifact_page(where, any_of=is_any, sort=sort_by, page=page, size=size)

    def update_artifact(
        self,
        name_id_or_prefix: str,
        new_name: str | None = None,
        add_tags: Sequence[str] | None = None,
        remove_tags: Sequence[str] | None = None,
    ) -> ArtifactResponse:
        """Rename an artifact, or change its tags, and return it; all of it or nothing.

        Raises:
            ArtifactNotFound, InvalidName, TagNotFound: an argument names nothing, or cannot be used.
            AlreadyExists: the new name is taken.
        """
        from artfs.artifacts.update import update_artifact

        artifact = self._artifact(name_id_or_prefix)
        updated = update_artifact(
            self.workspace, artifact, new_name=new_name, add_tags=add_tags, remove_tags=remove_tags
        )
        return self._objects.artifact(updated)

    def delete_artifact(self, name_id_or_prefix: str, *, force: bool = False) -> None:
        """Remove an artifact with all its versions.

        Args:
            name_id_or_prefix: its name.
            force: also when runs made or read its versions, or models have them.

        Raises:
            InvalidValue: a run uses one of its versions, a model has one, or one is pinned; nothing was changed.
        """
        from artfs.artifacts.delete import delete_artifact

        delete_artifact(self.workspace, self._artifact(name_id_or_prefix), force=force)

    # Versions.

    def get_artifact_version(
        self, name_id_or_prefix: str | UUID, version: str | int | None = None
    ) -> ArtifactVersionResponse:
        """Return a version.

        Args:
            name_id_or_prefix: the name of an artifact, or the id of a version or its beginning.
            version: a number, a name, `latest` or `@tag`; the newest when not given.

        Raises:
            ArtifactNotFound, VersionNotFound: there is none.
            InvalidValue: several ids begin so.

        In the function of a pipeline it is looked up late: when the step begins that it is given to.
        """
        if current_composition.get() is not None and isinstance(name_id_or_prefix, str):
            name = name_id_or_prefix
            return self._objects.late_version(name, lambda: self._version(name, version))
        return self._objects.version(self._version(name_id_or_prefix, version))

    def list_artifact_versions(
        self,
        sort_by: str | None = None,
        page: int = 1,
        size: int = PAGE_SIZE,
        logical_operator: str = "and",
        *,
        artifact: str | ArtifactResponse | None = None,
        name: Filter = None,
        tag: Filter = None,
        tags: Sequence[str] | None = None,
        run_metadata: MetadataFilter | None = None,
        metadata: MetadataFilter | None = None,
        **filters: Filter,
    ) -> Page[ArtifactVersionResponse]:
        """Return versions, oldest first.

        Args:
            sort_by: `asc:field` or `desc:field`; also `desc:metadata.accuracy`.
            page, size: which page to return; iterating goes on to the next ones.
            logical_operator: `and`, or `or` when one of the filters is enough.
            artifact: only versions of this artifact, also with `or`.
            name: the artifact's name. A plain name is the same as `artifact`; with an operator it is a filter.
            tag: a tag that the version carries.
            tags: all tags that it carries.
            run_metadata, metadata: what was logged: `{"accuracy": "gt:0.9"}`, or `["accuracy:gt:0.9"]`.
            filters: version, number, type, save_type, created, bytes, files, user, store, materializer, data_type,
                digest, id, run; see `Filter`.

        Raises:
            ArtifactNotFound: there is no such artifact.
            InvalidValue: a field or operator is not known.
        """
        scope = self._scope(artifact, name)
        where = where_of(filters)
        if scope is None and name is not None:
            where["artifact"] = name
        where.update(tag_where(tag, tags))
        where.update(metadata_where(metadata, run_metadata))
        return self._objects.version_page(
            scope,
            where,
            any_of=any_of(logical_operator),
            sort=sort_by,
            page=page,
            size=size,
        )

    def update_artifact_version(
        self,
        name_id_or_prefix: str | UUID,
        version: str | int | None = None,
        add_tags: Sequence[str] | None = None,
        remove_tags: Sequence[str] | None = None,
        artifact_type: str | None = None,
        *,
        pin: str | None = None,
        unpin: bool = False,
    ) -> ArtifactVersionResponse:
        """Change tags, type or pin of a version and return it; all of it or nothing.

        Args:
            name_id_or_prefix, version: as for `get_artifact_version`.
            add_tags, remove_tags: names of tags.
            artifact_type: what it is for, from now on.
            pin: keep it from being removed, for this reason.
            unpin: let it be removed again.

        Raises:
            ArtifactNotFound, VersionNotFound, TagNotFound, InvalidName, InvalidValue: an argument names nothing, or
                cannot be used.
        """
        from artfs.artifacts.update import update_version

        updated = update_version(
            self.workspace,
            self._version(name_id_or_prefix, version),
            add_tags=add_tags,
            remove_tags=remove_tags,
            artifact_type=artifact_type,
            pin=pin,
            unpin=unpin,
        )
        return self._objects.version(updated)

    def delete_artifact_version(
        self, name_id_or_prefix: str | UUID, version: str | int | None = None, *, force: bool = False
    ) -> None:
        """Remove a version; its number is never used again.

        Args:
            name_id_or_prefix, version: as for `get_artifact_version`.
            force: also when a run made or read it, or a model has it.

        Raises:
            InvalidValue: a run uses it, a model has it, or it is pinned; nothing was changed.
        """
        from artfs.artifacts.delete import delete_version

        delete_version(self.workspace, self._version(name_id_or_prefix, version), force=force)

    def plan_prune(
        self,
        *,
        artifacts: Collection[str] | None = None,
        older_than: timedelta | datetime | None = None,
        keep_last: int = 1,
    ) -> PrunePlan:
        """Return what `prune_artifacts` would keep and remove, with a reason for every version; nothing is changed.

        Args:
            artifacts: names of those to look at; all when not given.
            older_than: only versions that were made before this time, or that are older than this, are removed.
            keep_last: how many of the newest versions of each artifact are kept; 0 lets the newest go too.

        Raises:
            ArtifactNotFound, InvalidValue: an argument names nothing, or makes no sense.
        """
        from artfs.artifacts.prune import plan

        return plan(self.workspace, artifacts=artifacts, older_than=older_than, keep_last=keep_last)

    def prune_artifacts(
        self,
        *,
        artifacts: Collection[str] | None = None,
        older_than: timedelta | datetime | None = None,
        keep_last: int = 1,
        only_artifact: bool = False,
        only_metadata: bool = False,
        ignore_errors: bool = False,
    ) -> Pruned:
        """Remove versions that nothing needs, but the newest of each artifact, and return what was done.

        Runs, tags, models and pins need versions. Each leaves a tombstone, so that lineage stays true. Data registered
        in place is never removed.

        Args:
            artifacts, older_than, keep_last: as for `plan_prune`.
            only_artifact: remove bytes, and keep what was logged for the versions with their tombstones.
            only_metadata: leave the files where they lie; they are the user's own from then on.
            ignore_errors: go on with the other artifacts when one cannot be pruned, and raise nothing.

        Raises:
            ArtifactNotFound, InvalidValue: an argument names nothing, or makes no sense.
            StoreError: bytes could not be removed; `collect_garbage` tries again.
        """
        from artfs.artifacts.prune import apply

        planned = self.plan_prune(artifacts=artifacts, older_than=older_than, keep_last=keep_last)
        return apply(
            self.workspace,
            planned,
            only_artifact=only_artifact,
            only_metadata=only_metadata,
            ignore_errors=ignore_errors,
        )

    def collect_garbage(self, *, dry_run: bool = False) -> Garbage:
        """Remove bytes that nothing accounts for, as killed processes leave them, and return what they were.

        Args:
            dry_run: only look.
        """
        from artfs.artifacts.gc import gc

        return gc(self.workspace, dry_run=dry_run)

    # Stacks.

    @property
    def active_stack(self) -> Stack:
        """Where new versions go: `Client().active_stack.artifact_store.path`."""
        return stacks.active_stack(self.workspace)

    def activate_stack(self, name: str) -> Stack:
        """Let new versions of this machine go to another stack, and return it. Raises StackNotFound."""
        return stacks.activate_stack(self.workspace, name)

    def get_stack(self, name: str) -> Stack:
        """Return a stack. Raises StackNotFound."""
        return stacks.find_stack(self.workspace, name)

    def list_stacks(self) -> Sequence[Stack]:
        """Return all stacks, by name."""
        return stacks.list_stacks(self.workspace)

    def __repr__(self) -> str:
        return f"<Client of {self.workspace.home.path}>"

    def _artifact(self, name: str) -> Artifact:
        return find_artifact(self.workspace.catalog, name)

    def _version(self, name_or_id: str | UUID, version: str | int | None) -> Version:
        return find_version(self.workspace.catalog, name_or_id, version)

    def _scope(self, artifact: str | ArtifactResponse | None, name: Filter) -> int | None:
        """The artifact that a list is of."""
        if isinstance(artifact, ArtifactResponse):
            return artifact.id
        if artifact is not None:
            return self._artifact(artifact).id
        found = self.workspace.catalog.artifacts.get(name) if isinstance(name, str) else None
        return found.id if found is not None else None
