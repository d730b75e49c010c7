"""`/runs/<pipeline>/<run>/steps/<step>`: what a step was, read and gave out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from artfs.describe.runs import slots
from artfs.describe.runs import step as describe
from artfs_mount.tree import inode
from artfs_mount.tree.blocking import Slow
from artfs_mount.tree.file_names import slot_name
from artfs_mount.tree.generated import GeneratedFile, GeneratedText, Template, page_of
from artfs_mount.tree.json_text import json_text, json_with_rows
from artfs_mount.tree.links import many_version_facts, step_facts, version_link
from artfs_mount.tree.listing import FixedDirectory, LinkDirectory
from artfs_mount.tree.node import (
    DIRECTORY_MODE,
    FOREVER,
    Attributes,
    Directory,
    Link,
    Listing,
    TreeNode,
    no_entry,
    stale,
)
from artfs_mount.tree.step_log import LOG, StepLog

if TYPE_CHECKING:
    from artfs.catalog.lineage import StepFacts, Use, VersionFacts
    from artfs.catalog.steps import StepRun
    from artfs_mount.tree.context import Context

Slotted: TypeAlias = "list[tuple[Use, VersionFacts]]"

LINK_UPS: Final = 6
"""From `/runs/<pipeline>/<run>/steps/<step>/inputs` to the top."""


class StepDirectory(Directory):
    """The directory of a step run."""

    __slots__ = ("_context", "_facts")

    def __init__(self, context: Context, facts: StepFacts) -> None:
        self.ino = inode.pack(inode.InodeKind.STEP, facts.id)
        self._context = context
        self._facts = facts

    def attributes(self) -> Attributes:
        changed_ns = (self._facts.ended_us or self._facts.started_us) * 1000
        seconds = FOREVER if self._facts.ended_us is not None else 0.0
        return Attributes(self.ino, DIRECTORY_MODE, 0, changed_ns, 1, seconds, FOREVER)

    def lookup(self, name: bytes) -> TreeNode:
        if name in _LISTS:
            return _LISTS[name](self._context, self._facts.id, self._facts.started_us)
        if name == LOG:
            return StepLog(self._context, existing_step(self._context, self._facts.id))
        for template in STEP_PAGES.values():
            if template.name == name:
                return GeneratedFile(self._context, inode.InodeKind.STEP_PAGE, self._facts.id, template)
        raise no_entry(name)

    def listing(self) -> Listing:
        names = (*(page.name for page in STEP_PAGES.values()), LOG, *_LISTS)
        return FixedDirectory((name, self.lookup(name)) for name in names)


class Slots(LinkDirectory):
    """`inputs` or `outputs`: a link for every version in a slot."""

    __slots__ = ("_step_run_id",)
    kind: inode.InodeKind

    def __init__(self, context: Context, step_run_id: int, changed_us: int) -> None:
        super().__init__(context, inode.pack(self.kind, step_run_id), changed_us)
        self._step_run_id = step_run_id

    def lookup(self, name: bytes) -> TreeNode:
        found = self._read().get(name)
        if found is None:
            raise no_entry(name)
        return found

    def listing(self) -> Listing:
        return FixedDirectory(self._read().items())

    def _read(self) -> Mapping[bytes, TreeNode]:
        self._context.may_wait()
        found = self._slots(self._context, self._step_run_id)
        versions = {version.id: version for _, version in found}
        # The steps of a run read much the same versions, and all their links to one of them are the same link.
        links = self._context.facts.many(
            "slot link", versions, lambda missing: [(key, self._link(versions[key])) for key in missing]
        )
        return {slot_name(use): links[version.id] for use, version in found}

    def _link(self, version: VersionFacts) -> Link:
        return version_link(self._context, LINK_UPS, version)

    @staticmethod
    @abstractmethod
    def _slots(context: Context, step_run_id: int) -> Slotted: ...


class Inputs(Slots):
    """What the step read."""

    __slots__ = ()
    kind = inode.InodeKind.INPUTS

    @staticmethod
    def _slots(context: Context, step_run_id: int) -> Slotted:
        return read_by(context, step_run_id)


class Outputs(Slots):
    """What the step gave out: made by it, or taken over from an earlier run."""

    __slots__ = ()
    kind = inode.InodeKind.OUTPUTS

    @staticmethod
    def _slots(context: Context, step_run_id: int) -> Slotted:
        return given_by(context, step_run_id)


_LISTS: Final[Mapping[bytes, type[Slots]]] = {b"inputs": Inputs, b"outputs": Outputs}


def step(context: Context, payload: int) -> StepDirectory:
    """The directory of an inode number."""
    return StepDirectory(context, step_facts(context, payload))


def inputs(context: Context, payload: int) -> Inputs:
    """The directory of an inode number."""
    return Inputs(context, payload, step_facts(context, payload).started_us)


def outputs(context: Context, payload: int) -> Outputs:
    """The directory of an inode number."""
    return Outputs(context, payload, step_facts(context, payload).started_us)


def step_page(context: Context, payload: int) -> TreeNode:
    """The generated file of an inode number."""
    return page_of(context, inode.InodeKind.STEP_PAGE, payload, STEP_PAGES)


def existing_step(context: Context, step_run_id: int) -> StepRun:
    """The step run as of now.

    Raises:
        Stale: Its run was deleted.
    """
    row: StepRun | None = context.facts.get(
        ("step row", step_run_id), lambda: context.catalog.steps.by_id(step_run_id), lambda row: 10
    )
    if row is None:
        raise stale(step_run_id)
    return row


def read_by(context: Context, step_run_id: int) -> Slotted:
    """What a step run read. The versions' names are kept for the questions about each link that follow a listing."""
    return _with_versions(context, context.catalog.lineage.read_by([step_run_id]))


def given_by(context: Context, step_run_id: int) -> Slotted:
    """What a step run gave out."""
    return _with_versions(context, context.catalog.lineage.given_by([step_run_id]))


def _with_versions(context: Context, uses: list[Use]) -> Slotted:
    versions = {version.id: version for version in many_version_facts(context, [use.version_id for use in uses])}
    return [(use, versions[use.version_id]) for use in uses if use.version_id in versions]


def _status(context: Context, step_run_id: int) -> GeneratedText:
    row = existing_step(context, step_run_id)
    return GeneratedText(f"{row.status}\n".encode(), _changed(row))


def _json(context: Context, step_run_id: int) -> GeneratedText:
    row, facts = existing_step(context, step_run_id), step_facts(context, step_run_id)
    cached_from = step_facts(context, row.cached_from_id) if row.cached_from_id is not None else None
    described = {**describe(row, facts, cached_from), "outputs": slots(given_by(context, step_run_id))}
    return GeneratedText(json_with_rows(described, "inputs", slots(read_by(context, step_run_id))), _changed(row))


def _source(context: Context, step_run_id: int) -> GeneratedText:
    row = existing_step(context, step_run_id)
    return GeneratedText((row.source or "").encode("utf-8", "backslashreplace"), row.started_us)


def _parameters(context: Context, step_run_id: int) -> GeneratedText:
    row = existing_step(context, step_run_id)
    return GeneratedText(json_text(row.parameters), row.started_us)


def _changed(row: StepRun) -> int:
    return row.ended_us or row.started_us


STEP_PAGES: Final[Mapping[int, Template]] = {
    template.which: template
    for template in (
        Template(b"status", 0, _status),
        Template(b"step.json", 1, _json, Slow.QUERY),
        Template(b"source.py", 2, _source),
        Template(b"parameters.json", 3, _parameters),
    )
}
