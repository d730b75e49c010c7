"""How nodes of a graph are called for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artfs.catalog.lineage import StepFacts, Use, VersionFacts
    from artfs.catalog.versions import Version


def version_label(version: Version | VersionFacts) -> str:
    """Return `iris/3`."""
    return f"{version.artifact}/{version.name}"


def step_label(step: StepFacts) -> str:
    """Return `training/first/fit`."""
    return f"{step.pipeline}/{step.run}/{step.name}"


def step_path(step: StepFacts) -> str:
    """Return the path of a step run below `/runs`: `training/first/steps/fit`."""
    return f"{step.pipeline}/{step.run}/steps/{step.name}"


def slot_label(use: Use) -> str:
    """Return the slot, and its position if it is one of a list: `data`, `data.1`."""
    return f"{use.slot}.{use.position}" if use.position else use.slot


def duration(started_us: int, ended_us: int | None) -> str:
    """Return how long something took, for people: `21 ms`, `3.2 s`, `3 min 5 s`; nothing while it goes on."""
    return "" if ended_us is None else lasting(max(ended_us - started_us, 0) / 1_000_000)


def lasting(seconds: float) -> str:
    """Return so many seconds for people."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
