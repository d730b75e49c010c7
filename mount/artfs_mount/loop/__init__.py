"""The event loop's helpers: what runs beside the requests, and the only way to another thread."""

from __future__ import annotations
