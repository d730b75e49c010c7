"""What the name of a file says about whether it is finished."""

from __future__ import annotations

import re

_TEMPORARY = re.compile(rb"\.tmp\w*$|\.part(ial)?$|^tmp[a-z0-9_]{8}$")


def is_temporary(name: bytes) -> bool:
    """Whether libraries call a file so that they rename when it is complete."""
    return _TEMPORARY.search(name) is not None


def is_hidden(draft: str) -> bool:
    """Whether a draft is called as rsync, editors and others call files of their own, until they rename them."""
    return draft.startswith(".")
