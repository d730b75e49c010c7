"""The command line: one module a group of commands, each loaded when it is used."""

from __future__ import annotations

from artfs.cli.root import cli, main

__all__ = ["cli", "main"]
