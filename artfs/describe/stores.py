"""Artifact stores and stacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from artfs.errors import ArtfsError
from artfs.text.times import iso

if TYPE_CHECKING:
    from artfs.catalog.stores import StoreRow
    from artfs.workspace.stacks import Stack
    from artfs.workspace.workspace import Workspace


def stores(workspace: Workspace, rows: Sequence[StoreRow]) -> list[dict[str, Any]]:
    """Describe stores as lists do.

    Args:
        workspace: whose stores they are.
        rows: with full roots, as `workspace.stores.rows()` has them.
    """
    stacks = defaultdict(list)
    for stack in workspace.catalog.stacks.list():
        stacks[stack.store_id].append(stack.name)
    return [
        {
            "name": row.name,
            "flavor": row.flavor,
            "path": row.root,
            "stacks": stacks[row.id],
            "created": iso(row.created_us),
        }
        for row in rows
    ]


def store(workspace: Workspace, row: StoreRow) -> dict[str, Any]:
    """Describe one store, also why it cannot be used here, if so."""
    try:
        workspace.stores.by_id(row.id).check_there()
        problem = None
    except ArtfsError as error:
        problem = str(error)
    return {
        **stores(workspace, [row])[0],
        "versions": workspace.catalog.versions.count(where={"store": ("equals", row.name)}),
        "problem": problem,
        "options": row.options,
    }


def stacks(workspace: Workspace, found: Sequence[Stack]) -> list[dict[str, Any]]:
    """Describe stacks."""
    roots = {row.name: row.root for row in workspace.stores.rows()}
    return [
        {
            "name": stack.name,
            "active": stack.active,
            "artifact_store": stack.store_name,
            "path": roots.get(stack.store_name),
            "created": iso(stack.created_us),
        }
        for stack in found
    ]
