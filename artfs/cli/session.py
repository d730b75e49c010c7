"""What a command works on: the home that was chosen, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from artfs.errors import HomeError

if TYPE_CHECKING:
    from artfs.home import Home
    from artfs.workspace import Workspace


class Session:
    """One call of `artfs`.

    Args:
        explicit_home: the directory given as `--home`.
    """

    def __init__(self, explicit_home: Path | None = None) -> None:
        self._explicit_home = explicit_home

    @cached_property
    def home(self) -> Home:
        """The home; it need not exist."""
        from artfs.home import Home

        return Home.find(self._explicit_home)

    def check_home(self) -> None:
        """Raise HomeError when there is no home."""
        if not self.home.exists:
            raise HomeError(f"no artfs home at {self.home.path}: run 'artfs init'", subject=self.home.path)

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Open what is in the home, without making one.

        Raises HomeError when there is none.
        """
        self.check_home()
        from artfs.workspace import Workspace

        with Workspace(self.home) as workspace:
            yield workspace


pass_session = click.make_pass_decorator(Session)
