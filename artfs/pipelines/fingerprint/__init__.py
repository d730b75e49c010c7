"""What a step's outputs depend on, as digests: what the cache key sees."""

from __future__ import annotations
