"""Where code written for ZenML looks for the types of metadata; they are in `artfs.types`."""

from __future__ import annotations
