"""What the configuration says about when a draft is complete."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quiet:
    """For how many seconds nothing may change before something is complete.

    file: a draft that is a file, or a link, when its writers have ended or its format proves its end.
    unproven: any other file while a writer lives, or cannot be seen.
    directory: a draft that is a directory, when its writers have ended.
    living: a directory while a writer lives, or cannot be seen.
    unit: a unit with a sign that it is complete, such as a marker.
    """

    file: float = 2.0
    unproven: float = 10.0
    directory: float = 10.0
    living: float = 60.0
    unit: float = 2.0

    def __post_init__(self) -> None:
        # Whoever sets the one that he knows to more must not get less for what is less certain.
        object.__setattr__(self, "unproven", max(self.unproven, self.file))
        object.__setattr__(self, "living", max(self.living, self.directory))
