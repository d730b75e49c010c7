"""Instances of Python classes, by their class's name and their fields: the same in JSON and in pickles."""

from __future__ import annotations
