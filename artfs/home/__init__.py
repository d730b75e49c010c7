"""One installation: its folder, its settings, the classes that it trusts and the stores that it has."""

from __future__ import annotations
