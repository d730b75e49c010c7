"""A module that tells when it is imported: by a file."""

from __future__ import annotations

from pathlib import Path

_SOURCE = """
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import ClassVar

from artfs.materializers.base import BaseMaterializer
from artfs.stores.local.store import LocalStore

with open({mark!r}, "a") as mark:
    mark.write("imported\\n")


class Level(Enum):
    LOW = 1


@dataclass
class Inner:
    level: Level = Level.LOW


@dataclass
class Outer:
    inner: Inner = field(default_factory=Inner)


def zero():
    return 0


class Thing:
    def __init__(self, text):
        self.text = text


class Keeper(BaseMaterializer):
    ASSOCIATED_TYPES = (Thing,)

    def save(self, data):
        Path(self.uri, "thing").write_text(data.text)

    def load(self, data_type):
        return data_type(Path(self.uri, "thing").read_text())


class Shelf(LocalStore):
    flavor = ""
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {{"/"}}
"""


def write_marked(folder: Path, name: str) -> Path:
    """Write the module `name` into `folder`, and return the file that is there once it was imported."""
    folder.mkdir(exist_ok=True)
    mark = folder / f"{name}.imported"
    (folder / f"{name}.py").write_text(_SOURCE.format(mark=str(mark)))
    return mark
