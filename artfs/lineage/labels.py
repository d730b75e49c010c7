"""How nodes of a graph are called for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artfs.catalog.lineage import StepFacts, Use, VersionFacts


def version_label(version: VersionFacts) -> str:
    """Return `iris/3`."""
    return f"{version.artifact}/{version.name}"


def step_label(step: StepFacts) -> str:
    """Return `training/first/fit`."""
    return f"{step.pipeline}/{step.run}/{step.name}"


def slot_label(use: Use) -> str:
    """Return the slot, and its position if it is one of a list: `data`, `data.1`."""
    return f"{use.slot}.{use.position}" if use.position else use.slot


def duration(started_us: int, ended_us: int | None) -> str:
    """Return how long something took, for people: `21 ms`, `3.2 s`, `3 min 5 s`; nothing while it goes on."""
    if ended_us is None:
        return ""
    seconds = max(ended_us - started_us, 0) / 1_000_000
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
