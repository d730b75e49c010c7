"""What a user writes: steps, their signatures and settings, and which is called with what."""

from __future__ import annotations
