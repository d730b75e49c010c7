"""The requests of the kernel. What speaks FUSE is here; all else of the daemon is plain Python."""

from __future__ import annotations
