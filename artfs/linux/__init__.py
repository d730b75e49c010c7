"""What the kernel tells of this machine."""

from __future__ import annotations
