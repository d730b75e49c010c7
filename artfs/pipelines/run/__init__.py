"""A whole run: which step when, which earlier run may stand in for one, and what became of it."""

from __future__ import annotations
