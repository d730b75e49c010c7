"""Documents whose code is run as it stands there."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import ModuleType

import pytest

from support import programs
from support.documents import PRELUDE, Document


@pytest.fixture
def document(tmp_path: Path) -> Document:
    """Makes a module of pieces of a document, in which they find what the document has said before."""
    numbers = itertools.count()

    def load(*pieces: str) -> ModuleType:
        return programs.module(
            tmp_path, f"document_{next(numbers)}", "".join((PRELUDE, *pieces)).replace("zenml", "artfs")
        )

    return load
