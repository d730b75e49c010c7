"""One step that runs: its inputs, its call, its outputs and its log."""

from __future__ import annotations
