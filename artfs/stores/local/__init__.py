"""The store that is a directory of this machine, and what makes it safe."""

from __future__ import annotations
