"""Classes of all shapes that a user may save, in a module that other processes can import too."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from enum import Enum, Flag, IntEnum, StrEnum
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, RootModel

Content = TypeVar("Content")

Pair = namedtuple("Pair", "first second")


class Typed(NamedTuple):
    """A named tuple with a default."""

    x: int
    y: str = "?"


class Colour(Enum):
    """Members with values of several types, one of them an alias."""

    RED = 1
    CRIMSON = 1  # noqa: PIE796 - an alias
    BLUE = ("b", 2)


class Level(IntEnum):
    """Members that are ints."""

    LOW = 1
    HIGH = 2


class Word(StrEnum):
    """Members that are texts."""

    YES = "yes"


class Rights(Flag):
    """Members that combine."""

    READ = 1
    WRITE = 2


@dataclass
class Settings:
    """Fields of all kinds; `__post_init__` must not run again when it is loaded."""

    rate: float
    layers: list[int] = field(default_factory=list)
    extra: Any = None
    twice: float = field(init=False, default=0.0)
    seed: InitVar[int] = 0

    def __post_init__(self, seed: int) -> None:
        self.twice = self.rate * 2 + seed


@dataclass(frozen=True, slots=True)
class Fixed:
    """Frozen, and without a `__dict__`."""

    a: int
    b: tuple[int, ...] = ()


@dataclass
class Listing(list):
    """A dataclass that is more than its fields."""

    name: str = ""


@dataclass
class Reduced:
    """A dataclass that says itself how it is pickled."""

    a: int

    def __reduce__(self) -> Any:
        return Reduced, (self.a,)


@dataclass
class Output:
    """A dataclass whose path is a setting."""

    folder: Path


class Inner(BaseModel):
    """A model within a model."""

    when: datetime
    tags: set[str] = set()


class Outer(BaseModel):
    """A model with extra and private attributes."""

    model_config = ConfigDict(extra="allow")

    name: str
    inner: Inner
    anything: Any = None
    _secret: int = PrivateAttr(default=0)


class Numbers(RootModel[list[int]]):
    """A model that is one list."""


class Plain:
    """A class that artfs knows nothing about."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


class Text(str):
    """A text that carries an attribute."""

    language = "en"


class Number(int):
    """An int of its own type."""


class Mapping(dict):
    """A dict of its own type."""


class Box(BaseModel, Generic[Content]):
    """A generic model: `Box[int]` is a class that is in no module until it is used."""

    content: Content


class Unloadable(Exception):
    """Can be pickled and not unpickled, as many exceptions with arguments of their own."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first)
        self.second = second
