"""An older catalog that was restored: noticed by what the stores remember of the newer one.

A store remembers the newest version that was committed with it (`artfs.stores.history`). A catalog that does not know
that version is an older one, or another home's. Then

    numbers    go on from what the stores remember: none that was given out is given out again
    removal    gc, prune and delete refuse: to this catalog, the versions that it does not know would be garbage

until it knows those versions again (the right catalog is put back), or the user gives them up in words (`give_up`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from artfs.errors import OlderCatalog, StoreError
from artfs.stores.history import History, Newest
from artfs.stores.local import local_path
from artfs.stores.mark import is_marked
from artfs.stores.opened import mark_of, own

if TYPE_CHECKING:
    from artfs.workspace import Workspace

logger = logging.getLogger(__name__)


def catch_up(workspace: Workspace) -> None:
    """Compare the catalog with what its stores remember, and let it go on from there.

    Safe to call at any time, from several processes at once.
    """
    versions = workspace.catalog.versions
    for root, history in _histories(workspace):
        newest = history.newest()
        if newest is not None and versions.by_uuid(newest.uuid) is None:
            logger.warning(
                "the catalog %s does not know version %s, the newest in the store at '%s': it is an older one, or "
                "another home's; nothing is removed until the right one is back",
                workspace.home.catalog_path, newest.uuid, root,
            )  # fmt: skip
            history.add_unlisted(newest.uuid)
            workspace.catalog.artifacts.go_on_from(history.numbers())
            history.go_on_from(_newest(workspace))
        elif (unlisted := history.unlisted()) and (known := {uuid for uuid in unlisted if versions.by_uuid(uuid)}):
            history.forget_unlisted(known)


def is_older(workspace: Workspace) -> bool:
    """Whether stores hold versions that the catalog does not know, and that nobody has given up."""
    return any(history.unlisted() for _, history in _histories(workspace))


def check_not_older(workspace: Workspace) -> None:
    """Raise OlderCatalog where something must not be removed, as an older catalog was restored."""
    catch_up(workspace)
    for root, history in _histories(workspace):
        if unlisted := history.unlisted():
            raise OlderCatalog(
                f"the store at '{root}' holds version {min(unlisted)} and perhaps others that the catalog "
                f"{workspace.home.catalog_path} does not know, as an older catalog was restored: nothing is removed. "
                "Put the newer one back (artfs catalog restore FILE), or give those versions up (artfs catalog accept)",
                subject=root,
            )


def give_up(workspace: Workspace) -> int:
    """Let the catalog be the right one, whatever its stores remember, and return how many stores knew better.

    The versions that it does not know are garbage from then on.
    """
    stores = 0
    for _, history in _histories(workspace):
        if unlisted := history.unlisted():
            history.forget_unlisted(unlisted)
            stores += 1
    if stores:
        with workspace.catalog.transaction():
            user = workspace.catalog.users.ensure(workspace.user)
            workspace.catalog.audit.append("catalog.accept", str(workspace.home.catalog_path), user_id=user.id)
    return stores


def _newest(workspace: Workspace) -> Newest | None:
    newest = workspace.catalog.versions.newest_row()
    return Newest(*newest) if newest is not None else None


def _histories(workspace: Workspace) -> Iterator[tuple[str, History]]:
    """The root and history of every local store of this home that is there."""
    home = workspace.home
    for row in workspace.stores.rows():
        if (root := local_path(row.root)) is None:
            continue
        try:
            is_own = is_marked(root) and os.access(root, os.W_OK) and own(root, mark_of(home, row.name), home)
        except StoreError as error:
            logger.warning("%s", error)
            continue
        if is_own:
            yield root, History(root, home.sharing)
