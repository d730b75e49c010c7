"""Versions that were looked up by a name that may give another one later: `latest`, a tag, a list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from artfs.artifacts.lookup import LATEST
from artfs.catalog.catalog import Catalog
from artfs.catalog.step_uses import StepUse
from artfs.catalog.versions import Version
from artfs.content.digest import Digest, tagged
from artfs.errors import InvalidValue

NAME = "name"
_LIST = "list "


def looked_up(asked_for: str, version: Version | None) -> StepUse:
    """What to record of a version that was looked up; None where there was none."""
    return StepUse(NAME, asked_for.encode(), version_id=None if version is None else version.id)


def listed(question: Mapping[str, Any], versions: Sequence[Version]) -> StepUse:
    """What to record of a list of versions. question: the arguments of `catalog.versions.list`, by name."""
    text = json.dumps(question, sort_keys=True, default=str)
    return StepUse(NAME, (_LIST + text).encode(), _digest(versions))


def change(catalog: Catalog, use: StepUse) -> str | None:
    """What a name or list gives now that it did not, in words; None if it gives the same content."""
    text = use.name.decode()
    if text.startswith(_LIST):
        question = json.loads(text.removeprefix(_LIST))
        artifact = question.get("artifact_id")
        row = catalog.artifacts.by_id(artifact) if artifact is not None else None
        shown = f"the list of versions of '{row.name}'" if row is not None else "a list of versions"
        try:
            now = _digest(catalog.versions.list(**question))
        except InvalidValue as error:
            return f"{shown} cannot be asked for again: {error}"
        return None if now == use.digest else f"{shown} is another one"
    then = catalog.versions.by_id(use.version_id) if use.version_id is not None else None
    found = _now(catalog, text)
    if then is None or found is None:
        if then is None and found is None:
            return None
        return f"version {_shown(found)} is there now" if found is not None else f"nothing is {text} any more"
    if then.id == found.id or _content(then) == _content(found):
        return None
    if text.endswith(f"/{LATEST}"):
        newer = "newer than" if found.id > then.id else "now the newest, not"
        return f"version {_shown(found)} is {newer} {_shown(then)}"
    return f"{text} is version {_shown(found)}, no longer {_shown(then)}"


def _now(catalog: Catalog, text: str) -> Version | None:
    name, _, which = text.rpartition("/")
    artifact = catalog.artifacts.get(name)
    if artifact is None:
        return None
    if which.startswith("@"):
        return catalog.versions.by_tag(artifact.id, which[1:])
    if which == LATEST:
        return catalog.versions.latest(artifact.id)
    found = catalog.versions.get(artifact.id, which)
    return found if found is not None and found.tree_id is not None else None


def _shown(version: Version) -> str:
    return f"{version.artifact}@{version.name}"


def _content(version: Version) -> tuple[Digest, str | None, str | None]:
    return version.digest, version.materializer, version.data_type


def _digest(versions: Sequence[Version]) -> Digest:
    return tagged(b"versions", *(each.uuid.encode() for each in versions))
