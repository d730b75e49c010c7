"""A home at work: its parts put together, and what is done to the installation as a whole."""

from __future__ import annotations
