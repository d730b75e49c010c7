"""References to versions, which steps are called with while a pipeline is composed; `as_source()` gives them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from artfs.errors import NotMadeYet

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
        raise NotMadeYet(
            f"{self!r}: a pipeline only says which step is given what; compare and work on values in steps",
            subject=self.slot,
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # what copies, pickles and describes it asks for these
            raise AttributeError(name)
        self._no_value()

    __iter__ = __len__ = __bool__ = __getitem__ = __contains__ = __call__ = _no_value
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _no_value
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __rmatmul__ = _no_value
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _no_value
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lshift__ = __rshift__ = _no_value
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = __int__ = __float__ = __index__ = _no_value
    __hash__ = object.__hash__


@dataclass(frozen=True)
class VersionReference(Reference):
    """A version that exists already, given to a step. It is loaded when the step runs."""

    version: Version


@dataclass(frozen=True)
class LateReference(Reference):
    """A version that is looked up when the step begins; name: of its artifact."""

    name: str
    find: Callable[[], Version]
