"""What users hold in their hands: artifacts, versions, runs, steps and lineage."""

from __future__ import annotations
