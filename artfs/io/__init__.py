"""Files by path or URI, in artifact stores and outside of them."""

from __future__ import annotations
