"""What a store knows of its versions without a catalog."""

from __future__ import annotations
