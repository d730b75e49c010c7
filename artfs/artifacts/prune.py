"""Versions that nothing needs any more are found, shown with reasons, and removed.

A version is kept for the first of these reasons that holds:

    newest      it is among the `keep_last` newest of its artifact (1 unless asked otherwise, so the newest stays)
    pinned      somebody pinned it
    tagged      it carries a tag
    in a model  it belongs to a version of a model
    used        a run read it, or a run of a pipeline made it or gave it out
    young       it was made within `older_than`
    staged      its bytes are not all in its store yet

All others are removed: they become tombstones, and the bytes that nothing else needs go. What was registered in place
loses its row, and never its bytes. `docs/prune.md` says the same for users.

A plan is only that: each version is judged again in the transaction that removes it, by the same rule, and is spared if
a reason has come up since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from artfs.artifacts.lookup import find_artifact
from artfs.artifacts.sweep import Advance, held_by_drafts, sweep
from artfs.artifacts.tombstones import Loose, make_tombstones
from artfs.catalog.engine import chunks, now_us
from artfs.catalog.versions import STAGED
from artfs.enums import ArtifactSaveType
from artfs.errors import ArtfsError, InvalidValue, StoreError
from artfs.home.older_catalog import check_not_older
from artfs.text.times import moment

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.workspace.workspace import Workspace

Age = timedelta | datetime

_AT_ONCE = 1000
"""How many versions one transaction removes, so that writers get their turn in between."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is asked for beside the fixed reasons to keep a version.

    Args:
        keep_last: how many of the newest versions of each artifact are kept.
        before_us: versions made since are kept; microseconds since 1970 UTC, None to keep none for its age.
    """

    keep_last: int = 1
    before_us: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a version, and why."""

    version: Version
    keep: bool
    reason: str


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What a prune would do.

    Args:
        rule: what was asked for.
        decisions: one for every version that was looked at, an artifact's together, oldest first.
        bytes: what removing would free at most: bytes that drafts still need stay.
    """

    rule: Rule
    decisions: Sequence[Decision]
    bytes: int

    @property
    def kept(self) -> list[Decision]:
        """The versions that stay."""
        return [each for each in self.decisions if each.keep]

    @property
    def removed(self) -> list[Decision]:
        """The versions that go."""
        return [each for each in self.decisions if not each.keep]


@dataclass
class Pruned:
    """What a prune did.

    Args:
        versions: that were removed, as `artifact/version`.
        spared: that were to be removed, and were not, with the reason that came up.
        files, bytes: how much was removed from stores; with `only_metadata`, how much was left to the user.
        kept_bytes: what drafts in a mount still need; they go when the drafts do.
        errors: what failed.
    """

    versions: list[str] = field(default_factory=list)
    spared: list[Decision] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    kept_bytes: int = 0
    errors: list[str] = field(default_factory=list)


def plan(
    workspace: Workspace,
    *,
    artifacts: Collection[str] | None = None,
    older_than: Age | None = None,
    keep_last: int = 1,
) -> PrunePlan:
    """Decide for every version whether it is needed; nothing is changed.

    Args:
        workspace: where they are.
        artifacts: names of those to look at; all when not given.
        older_than: only versions that were made before this time, or that are older than this, are removed.
        keep_last: how many of the newest versions of each artifact are kept; 0 lets the newest go too.

    Raises:
        ArtifactNotFound: there is no such artifact.
        InvalidValue: an argument makes no sense.
    """
    catalog = workspace.catalog
    if artifacts is not None and (isinstance(artifacts, str) or not isinstance(artifacts, Collection)):
        raise InvalidValue(f"artifacts must be a list of names: give [{artifacts!r}]")
    rule = Rule(_checked_count(keep_last), _before(older_than))
    scopes = [None] if artifacts is None else [find_artifact(catalog, name).id for name in dict.fromkeys(artifacts)]
    decisions = [each for scope in scopes for each in _decisions(workspace, rule, scope)]
    freed = catalog.blobs.freed_by([each.version.id for each in decisions if not each.keep])
    return PrunePlan(rule, decisions, catalog.blobs.bytes_owned([blob.id for blob in freed]))


def apply(
    workspace: Workspace,
    planned: PrunePlan,
    *,
    only_artifact: bool = False,
    only_metadata: bool = False,
    ignore_errors: bool = False,
    advance: Advance = lambda done: None,
) -> Pruned:
    """Remove what a plan says, and return what was done. May be killed at any moment: `gc` finds the bytes left over.

    Args:
        workspace: where the versions are.
        planned: what to remove. What a reason came up for since is spared.
        only_artifact: remove bytes, and keep what was logged for the versions with their tombstones.
        only_metadata: leave the files that are only theirs where they lie; they are the user's own from then on.
        ignore_errors: go on with the other artifacts when one cannot be pruned, and raise nothing.
        advance: called with the number of versions that were dealt with since the last call.

    Raises:
        InvalidValue: both `only_artifact` and `only_metadata`.
        StoreError: bytes could not be removed; their versions are tombstones already, and `gc` tries again.
        OlderCatalog: the catalog does not know all versions that are in its stores.
    """
    check_not_older(workspace.catalog, workspace.stores)
    if only_artifact and only_metadata:
        raise InvalidValue("only_artifact and only_metadata exclude each other: give one of them, or none for both")
    done, loose = Pruned(), Loose()
    failure: ArtfsError | OSError | None = None
    for part in _parts(planned.removed):
        try:
            gone = _remove(workspace, planned.rule, part, done, only_artifact, only_metadata)
        except (ArtfsError, OSError) as error:
            done.errors.append(f"{part[0].version.artifact}: {error}")
            if not ignore_errors:
                failure = error
                break
        else:
            loose.add(gone)
        advance(len(part))
    swept = sweep(workspace, loose, hand_over=only_metadata)
    done.files, done.bytes, done.kept_bytes = swept.files, swept.bytes, swept.kept_bytes
    done.errors += swept.errors
    if failure is not None:
        raise failure
    if swept.errors and not ignore_errors:
        raise StoreError(swept.errors[0])
    return done


def _remove(
    workspace: Workspace, rule: Rule, part: Sequence[Decision], done: Pruned, only_artifact: bool, only_metadata: bool
) -> Loose:
    """Remove versions of one artifact, but those that a reason came up for."""
    planned = {each.version.id for each in part}
    with workspace.catalog.transaction():
        now = [each for each in _decisions(workspace, rule, part[0].version.artifact_id) if each.version.id in planned]
        if only_metadata:
            now = list(_sparing_drafts(workspace, now))
        going = [each.version for each in now if not each.keep]
        loose = make_tombstones(workspace, going, "pruned", forget_metadata=not only_artifact)
    done.versions += [version.shown_name for version in going]
    done.spared += [each for each in now if each.keep]
    return loose


def _decisions(workspace: Workspace, rule: Rule, artifact_id: int | None) -> Iterator[Decision]:
    """The decision for each version that is there, of one artifact or of all."""
    catalog = workspace.catalog
    pinned = {pin.version_id: pin.reason for pin in catalog.pins.list()}
    tagged, used = catalog.uses.tags(artifact_id), catalog.uses.runs(artifact_id)
    models = catalog.uses.models(artifact_id)
    versions = sorted(catalog.versions.list(artifact_id), key=lambda version: (version.artifact, version.id))
    for _, of_artifact in groupby(versions, key=lambda version: version.artifact_id):
        ordered = list(of_artifact)
        for newer, version in zip(range(len(ordered) - 1, -1, -1), ordered, strict=True):
            reason = (
                _newest(newer, rule.keep_last)
                or (f"pinned: {pinned[version.id]}" if version.id in pinned else None)
                or (f"tagged {', '.join(tagged[version.id])}" if version.id in tagged else None)
                or (f"in model {models[version.id]}" if version.id in models else None)
                or (f"used by run {used[version.id]}" if version.id in used else None)
                or _young(version, rule.before_us)
                or ("not all of it is in its store yet" if version.state == STAGED else None)
            )
            yield Decision(version, reason is not None, reason or _why_removed(version))


def _newest(newer: int, keep_last: int) -> str | None:
    if newer >= keep_last:
        return None
    return "the newest version" if newer == 0 else f"among the newest {keep_last} versions"


def _young(version: Version, before_us: int | None) -> str | None:
    if before_us is None or version.created_us < before_us:
        return None
    return f"made since {moment(before_us):%Y-%m-%d %H:%M} UTC"


def _why_removed(version: Version) -> str:
    in_place = (
        "; its files stay where they were registered" if version.save_type == ArtifactSaveType.PREEXISTING else ""
    )
    return f"no run, tag, model or pin needs it{in_place}"


def _sparing_drafts(workspace: Workspace, decisions: Sequence[Decision]) -> Iterator[Decision]:
    """Decisions that keep, too, what drafts stand for: those files cannot be given away."""
    held = held_by_drafts(workspace)
    for each in decisions:
        if not each.keep and held and _holds(workspace, each.version, held):
            reason = "a draft in a mount still refers to its files: remove the draft first"
            yield Decision(each.version, True, reason)
        else:
            yield each


def _holds(workspace: Workspace, version: Version, blob_ids: Collection[int]) -> bool:
    assert version.tree_id is not None
    return any(row.blob_id in blob_ids for _, row in workspace.catalog.trees.walk(version.tree_id))


def _parts(decisions: Sequence[Decision]) -> Iterator[Sequence[Decision]]:
    """Decisions of one artifact each, as many as one transaction takes."""
    for _, of_artifact in groupby(decisions, key=lambda each: each.version.artifact_id):
        yield from chunks(list(of_artifact), _AT_ONCE)


def _checked_count(keep_last: int) -> int:
    if not isinstance(keep_last, int) or keep_last < 0:
        raise InvalidValue(f"keep_last must be a number, 0 or more, not {keep_last!r}")
    return keep_last


def _before(older_than: Age | None) -> int | None:
    if older_than is None:
        return None
    if isinstance(older_than, datetime):
        return int(older_than.timestamp() * 1_000_000)
    if not isinstance(older_than, timedelta):
        raise InvalidValue(f"older_than must be a datetime or timedelta, not {type(older_than).__name__}")
    if older_than < timedelta():
        raise InvalidValue(f"older_than must not be negative: {older_than}")
    return now_us() - older_than // timedelta(microseconds=1)
