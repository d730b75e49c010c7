"""References to versions, which steps are called with while a pipeline is composed; `as_source()` gives them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from artfs.errors import InvalidValue

if TYPE_CHECKING:
    from artfs.catalog.versions import Version


class StepInput(ABC):
    """What a step may be called with in a pipeline beside plain values."""

    __slots__ = ()

    @abstractmethod
    def as_source(self) -> StepInput:
        """Return what the step is to be given: a reference, or a value from outside."""


class Reference(StepInput):
    """Stands for a version, now or later."""

    __slots__ = ()

    def as_source(self) -> Reference:
        return self


class OutputReference(Reference):
    """Stands, while a pipeline is composed, for a value that a step will have made."""

    def __init__(self, invocation: str, slot: str) -> None:
        self.invocation = invocation
        self.slot = slot

    def __repr__(self) -> str:
        return f"<output '{self.slot}' of step '{self.invocation}', not made yet>"

    def _no_value(self, *_: object) -> NoReturn:
        raise InvalidValue(
            f"{self!r}: a pipeline only says which step is given what; work on the value in a step", subject=self.slot
        )

    __iter__ = __len__ = __bool__ = __getitem__ = __add__ = __lt__ = _no_value


@dataclass(frozen=True)
class VersionReference(Reference):
    """A version that exists already, given to a step. It is loaded when the step runs."""

    version: Version


@dataclass(frozen=True)
class LateReference(Reference):
    """A version that is looked up when the step begins; name: of its artifact."""

    name: str
    find: Callable[[], Version]
