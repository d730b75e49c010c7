"""What a command works on: the home that was chosen, and what is in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from artfs.home.home import Home
    from artfs.workspace.workspace import Workspace


class Session:
    """One call of `artfs`.

    Args:
        explicit_home: the directory given as `--home`.
        trusted_classes: those given as `--trust`.
    """

    def __init__(self, explicit_home: Path | None = None, trusted_classes: Sequence[str] = ()) -> None:
        self._explicit_home = explicit_home
        self._trusted_classes = trusted_classes

    @cached_property
    def home(self) -> Home:
        """The home; it need not exist."""
        from artfs.home.home import Home

        return Home.find(self._explicit_home)

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Open what is in the home, without making one.

        Raises HomeError when there is none.
        """
        home = self.home.existing()
        from artfs.text.log_format import SafeFormatter
        from artfs.workspace.workspace import Workspace

        if logging.lastResort is not None:
            logging.lastResort.setFormatter(SafeFormatter())  # warnings come out beside what commands print
        with Workspace.of(home) as workspace:
            workspace.classes.trust(self._trusted_classes)
            yield workspace


pass_session = click.make_pass_decorator(Session)
